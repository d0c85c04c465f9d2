"""Everything about a molecule that does not depend on its coordinates, as tensors; stacked and padded for batches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

from tbg_autoregressive.environments import Names, bends, coordinate_names, prediction_keys, regressors
from tbg_autoregressive.exchanges import exchange
from tbg_autoregressive.features import atom_features
from tbg_autoregressive.order import MAX_NEIGHBOURS, Torsion, placement_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_autoregressive.order import Order
    from tbg_core.molecule import Molecule


CHUNK = 4
"""Blocks that attend together: they are given the atoms that any of them sees."""


@dataclass(frozen=True)
class Plan:
    """Tensors of one molecule ([N, ...], [K, ...]), or of a batch of rows with one more dimension in front.

    Attributes:
        order: Atom at each place [N]; padding repeats the last index.
        place: Place of each atom [N].
        mask: True where there is an atom [N].
        parents: Places of b, c, d [N, 3].
        has: Whether b, c, d are there [N, 3].
        torsion: :class:`~tbg_autoregressive.order.Torsion` [N].
        sign: Sign of SIGNED torsions [N], +1 or -1.
        two_parents: Whether c is a parent too [N].
        stiff: Which of r, theta, phi have a coordinate z [N, 3].
        block: Block of each place [N].
        first: First place of each block [K]; 0 where padded.
        free: Blocks that have a FREE torsion [K].
        fold: Symmetry number of that torsion [K].
        live: Blocks after the root that are no padding [K].
        rotations: Relabellings (place that each place is replaced by) [S, N]; those of a block in succession.
        rotation_level: Number of turns of the block from which on the relabelling is applied [S]; 0: padding.
        rotation_block: The block [S].
        features: Of each place [N, F].
        neighbours: Places of bonded atoms [N, 4]; padded with the place itself.
        bonded: Which of those are there [N, 4].
        matrix: Coefficients of the linear prediction of z from earlier z [3 N, 3 N].
        square: Coefficients of the squares of earlier z_phi in it [3 N, N].
        intercept: Its constant [3 N].
        scale: Standard deviation around it [3 N].
        log_constant: (3/2) log N - log 8 pi^2 [].
        reach: For each chunk of :data:`CHUNK` blocks, how many atoms any of them sees; of all molecules stacked.
    """

    order: Tensor
    place: Tensor
    mask: Tensor
    parents: Tensor
    has: Tensor
    torsion: Tensor
    sign: Tensor
    two_parents: Tensor
    stiff: Tensor
    block: Tensor
    first: Tensor
    free: Tensor
    fold: Tensor
    live: Tensor
    rotations: Tensor
    rotation_level: Tensor
    rotation_block: Tensor
    features: Tensor
    neighbours: Tensor
    bonded: Tensor
    matrix: Tensor
    square: Tensor
    intercept: Tensor
    scale: Tensor
    log_constant: Tensor
    reach: tuple[int, ...]

    def rows(self, index: Tensor) -> Plan:
        """The plans of the rows of a batch, from stacked plans of its molecules."""
        return Plan(**{name: getattr(self, name)[index] for name in _TENSORS}, reach=self.reach)

    def to(self, device: torch.device | str) -> Plan:
        """The plan on another device."""
        return Plan(**{name: getattr(self, name).to(device) for name in _TENSORS}, reach=self.reach)


_TENSORS = tuple(f.name for f in fields(Plan) if f.name != "reach")


@dataclass(frozen=True)
class Topology:
    """A molecule's order with the names that its linear predictions are looked up by.

    Attributes:
        molecule: The molecule.
        order: The order.
        stiff: Which of r, theta, phi have a coordinate z [N][3].
        names: Names of each coordinate [N][3].
        regressors: Earlier coordinates that predict each stiff one.
        bends: Places of those among them whose square does, too.
        keys: Names of each stiff coordinate together with its regressors, fine and middle.
    """

    molecule: Molecule
    order: Order
    stiff: list[list[bool]]
    names: list[list[Names]]
    regressors: dict[tuple[int, int], list[tuple[int, int]]]
    bends: dict[tuple[int, int], list[int]]
    keys: dict[tuple[int, int], tuple[int, int]]

    @classmethod
    def of(cls, molecule: Molecule) -> Topology:
        """Derives it from the graph."""
        order = placement_order(molecule)
        stiff = [[n > 0, n > 1, p.torsion not in {Torsion.NONE, Torsion.FREE}] for n, p in enumerate(order.placements)]
        names = coordinate_names(molecule, order)
        near = regressors(molecule, order, stiff)
        keys = {(n, q): prediction_keys(names, n, q, helpers) for (n, q), helpers in near.items()}
        squares = {(n, q): bends(order, helpers, n) for (n, q), helpers in near.items()}
        return cls(molecule, order, stiff, names, near, squares, keys)


def make_plan(
    topology: Topology,
    matrix: Tensor | None = None,
    square: Tensor | None = None,
    intercept: Tensor | None = None,
    scale: Tensor | None = None,
) -> Plan:
    """The plan of one molecule, given its predictions; without them, z is its own residual."""
    molecule, order = topology.molecule, topology.order
    n, placements = molecule.n_atoms, order.placements
    matrix = torch.zeros(3 * n, 3 * n) if matrix is None else matrix
    square = torch.zeros(3 * n, n) if square is None else square
    intercept = torch.zeros(3 * n) if intercept is None else intercept
    scale = torch.ones(3 * n) if scale is None else scale
    place = torch.empty(n, dtype=torch.int64)
    place[list(order.atoms)] = torch.arange(n)
    parents = torch.zeros(n, 3, dtype=torch.int64)
    has = torch.zeros(n, 3, dtype=torch.bool)
    for i, p in enumerate(placements):
        parents[i, : len(p.parents)] = torch.tensor(p.parents, dtype=torch.int64)
        has[i, : len(p.parents)] = True
    neighbours = torch.arange(n)[:, None].repeat(1, MAX_NEIGHBOURS)
    bonded = torch.zeros(n, MAX_NEIGHBOURS, dtype=torch.bool)
    for i, atom in enumerate(order.atoms):
        row = molecule.neighbours[atom]
        neighbours[i, : len(row)] = place[list(row)]
        bonded[i, : len(row)] = True
    found = [exchange(molecule, order, block) for block in order.blocks]
    turns = [(k, e, level) for k, e in enumerate(found) if e is not None for level in range(1, e.fold)]
    atoms = torch.tensor(order.atoms)
    return Plan(
        order=atoms,
        place=place,
        mask=torch.ones(n, dtype=torch.bool),
        parents=parents,
        has=has,
        torsion=torch.tensor([int(p.torsion) for p in placements]),
        sign=torch.tensor([float(p.sign) for p in placements]),
        two_parents=torch.tensor([p.two_parents for p in placements]),
        stiff=torch.tensor(topology.stiff),
        block=torch.tensor([k for k, b in enumerate(order.blocks) for _ in range(b.size)]),
        first=torch.tensor([b.first for b in order.blocks]),
        free=torch.tensor([b.free for b in order.blocks]),
        fold=torch.tensor([1.0 if e is None else float(e.fold) for e in found]),
        live=torch.arange(len(order.blocks)) > 0,
        rotations=torch.stack([place[torch.tensor(e.source)[atoms]] for _, e, _ in turns])
        if turns
        else torch.zeros(0, n, dtype=torch.int64),
        rotation_level=torch.tensor([level for _, _, level in turns], dtype=torch.int64),
        rotation_block=torch.tensor([k for k, _, _ in turns], dtype=torch.int64),
        features=torch.from_numpy(atom_features(molecule))[atoms],
        neighbours=neighbours,
        bonded=bonded,
        matrix=matrix,
        square=square,
        intercept=intercept,
        scale=scale,
        log_constant=torch.tensor(1.5, dtype=torch.float64) * torch.tensor(float(n), dtype=torch.float64).log()
        - (8 * torch.tensor(torch.pi, dtype=torch.float64).square()).log(),
        reach=_reach(torch.tensor([b.first for b in order.blocks])),
    )


def stack(plans: Sequence[Plan], n_atoms: int = 0) -> Plan:
    """Stacks plans of several molecules, padded to one size (to ``n_atoms`` at least)."""
    n = max(n_atoms, *(len(p.order) for p in plans))
    k = max(len(p.first) for p in plans)
    s = max(len(p.rotation_level) for p in plans)
    size = {
        "rotations": (s, n),
        "matrix": (3 * n, 3 * n),
        "square": (3 * n, n),
        "intercept": (3 * n,),
        "scale": (3 * n,),
        "log_constant": (),
    }
    size |= dict.fromkeys(("rotation_level", "rotation_block"), (s,))
    size |= dict.fromkeys(("first", "free", "fold", "live"), (k,))
    stacked = {}
    for name in _TENSORS:
        tensors: list[Tensor] = [getattr(p, name) for p in plans]
        shape = size.get(name, (n, *tensors[0].shape[1:]))
        fill = 1.0 if name in {"scale", "sign", "fold"} else 0
        out = torch.full((len(plans), *shape), fill, dtype=tensors[0].dtype)
        for row, tensor in zip(out, tensors, strict=True):
            row[tuple(slice(0, length) for length in tensor.shape)] = tensor
        stacked[name] = out
    here = torch.arange(n)
    for i, p in enumerate(plans):
        # Padding points at itself, so that relabelling and neighbour sums leave it alone.
        for name in ("order", "place"):
            stacked[name][i, len(p.order) :] = here[len(p.order) :]
        stacked["rotations"][i, :, len(p.order) :] = here[len(p.order) :]
        stacked["rotations"][i, len(p.rotation_level) :] = here
    return Plan(**stacked, reach=_reach(stacked["first"].amax(0)))


def _reach(first: Tensor) -> tuple[int, ...]:
    return tuple(max(3, int(chunk.max())) for chunk in first.split(CHUNK))
