"""States split into coarse coordinates s and fine ones, and put together again; exact, with the volume element.

Of a molecule, s are torsions that the placement order of ``tbg-autoregressive`` has as free ones. The others are
*rotors*, angles on the circle folded by their symmetry (three positions of a methyl group are one), and *stiff*
coordinates, unbounded: bonds, angles, bounded torsions, and torsions about a bond between two planar atoms, which stay
near trans.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from typing_extensions import override

from tbg_autoregressive.coordinates import gather, internals
from tbg_autoregressive.plan import Topology, make_plan, stack
from tbg_coarse.growth import Growth
from tbg_core.contracts.system import Euclidean
from tbg_core.errors import ConfigError, UnsupportedSystemError
from tbg_core.molecule import Molecule
from tbg_core.observables import parse_observable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_core.contracts.system import System
    from tbg_core.observables.observable import Observable

_PLANAR = 3
"""Neighbours of a planar atom."""
_MOST = 2
"""Coarse coordinates at a time: their density is one on a grid."""


def wrap(angle: Tensor) -> Tensor:
    """The same angle in [-pi, pi)."""
    return torch.remainder(angle + math.pi, 2.0 * math.pi) - math.pi


@dataclass(frozen=True)
class Parts:
    """A batch of states in parts.

    Attributes:
        coarse: s [B, d]; radians for torsions.
        rotors: Folded torsions on the circle [B, T], radians.
        stiff: Unbounded coordinates [B, D].
        log_volume: log of dx / (ds d(rotors) d(stiff)) [B]; rotations and permutations of a rotor integrated over.
        inside: False where a state is off the support [B].
    """

    coarse: Tensor
    rotors: Tensor
    stiff: Tensor
    log_volume: Tensor
    inside: Tensor


class Coordinates(ABC):
    """The split of one system.

    Attributes:
        names: Of the coarse coordinates.
        periodic: Whether they are angles.
        rotors: Number T of rotors.
        stiff: Number D of stiff coordinates.
    """

    names: tuple[str, ...]
    periodic: bool
    rotors: int
    stiff: int

    @abstractmethod
    def split(self, x: Tensor) -> Parts:
        """Parts of states [B, *event]; differentiable."""

    @abstractmethod
    def join(self, coarse: Tensor, rotors: Tensor, stiff: Tensor, turn: Tensor) -> Tensor:
        """States [B, *event]; differentiable.

        Args:
            coarse: s [B, d].
            rotors: [B, T].
            stiff: [B, D].
            turn: Uniform variates [B, T] that choose among the equivalent positions of each rotor.
        """


class VectorCoordinates(Coordinates):
    """A point in R^d: some of its coordinates are coarse, the others stiff."""

    periodic = False
    rotors = 0

    def __init__(self, dim: int, chosen: Sequence[int], names: tuple[str, ...]) -> None:
        self.names = names
        others = [i for i in range(dim) if i not in chosen]
        self.stiff = len(others)
        self._order = torch.tensor([*chosen, *others])
        self._coarse = len(chosen)

    @override
    def split(self, x: Tensor) -> Parts:
        moved = x[:, self._order]
        zero = torch.zeros(len(x), dtype=x.dtype)
        coarse, stiff = moved[:, : self._coarse], moved[:, self._coarse :]
        return Parts(coarse, x[:, :0], stiff, zero, torch.ones(len(x), dtype=torch.bool))

    @override
    def join(self, coarse: Tensor, rotors: Tensor, stiff: Tensor, turn: Tensor) -> Tensor:
        return torch.cat([coarse, stiff], dim=1)[:, self._order.argsort()]


class MolecularCoordinates(Coordinates):
    """Internal coordinates of a molecule, in the order and with the volume elements of ``tbg-autoregressive``."""

    periodic = True

    def __init__(self, molecule: Molecule, torsions: Sequence[Observable]) -> None:
        topology = Topology.of(molecule)
        placements, blocks = topology.order.placements, topology.order.blocks
        self._plan = stack([make_plan(topology)])
        free = {b.first: k for k, b in enumerate(blocks) if b.free}
        atoms = {n: tuple(topology.order.atoms[p] for p in (n, *placements[n].parents)) for n in free}
        self.names = tuple(o.name for o in torsions)
        coarse = [_place(o, atoms, molecule) for o in torsions]
        rest = [n for n in free if n not in coarse]
        neighbours = molecule.neighbours
        planar = [n for n in rest if all(len(neighbours[a]) == _PLANAR for a in atoms[n][1:3])]
        rotors = [n for n in rest if n not in planar]
        self.rotors = len(rotors)
        self._coarse, self._rotors, self._planar = (
            torch.tensor(p, dtype=torch.int64) for p in (coarse, rotors, planar)
        )
        self._fold = torch.tensor([float(self._plan.fold[0, free[n]]) for n in rotors], dtype=torch.float64)
        self._bounded = torch.tensor(topology.stiff).flatten()
        self.stiff = int(self._bounded.sum()) + len(planar)
        self._growth = Growth(placements)

    @override
    def split(self, x: Tensor) -> Parts:
        plan = self._plan.rows(torch.zeros(len(x), dtype=torch.int64))
        y = gather(x, plan.order)
        found = internals(y - y[:, :1], plan)
        # A planar bond is trans or nearly so: its torsion is measured from pi.
        half = 0.5 * (wrap(found.phi[:, self._planar] - math.pi) + math.pi)
        half = half.clamp(1e-12, math.pi - 1e-12)
        log_volume = found.log_volume - plan.log_constant + (2.0 * torch.sin(half)).log().sum(1)
        stiff = torch.cat([found.z.flatten(1)[:, self._bounded], torch.tan(0.5 * half).log()], dim=1)
        rotors = wrap(self._fold * found.phi[:, self._rotors])
        return Parts(found.phi[:, self._coarse], rotors, stiff, log_volume, found.inside)

    @override
    def join(self, coarse: Tensor, rotors: Tensor, stiff: Tensor, turn: Tensor) -> Tensor:
        size, n = len(coarse), self._plan.order.shape[1]
        bounded = self.stiff - len(self._planar)
        z = stiff.new_zeros(size, 3 * n).masked_scatter(self._bounded.expand(size, -1), stiff[:, :bounded])
        phi = stiff.new_zeros(size, n).index_copy(1, self._coarse, coarse)
        phi = phi.index_copy(1, self._rotors, (rotors + 2.0 * math.pi * torch.floor(turn * self._fold)) / self._fold)
        phi = phi.index_copy(1, self._planar, 4.0 * torch.atan(stiff[:, bounded:].exp()))
        y = self._growth(z.view(size, n, 3), phi)
        x = gather(y, self._plan.place.expand(size, -1))
        return x - x.mean(dim=1, keepdim=True)


def split_coordinates(system: System, cvs: Sequence[str]) -> Coordinates:
    """The split of a system by the observables that the user names as coarse coordinates.

    Raises:
        ConfigError: If one of them cannot be a coarse coordinate; lists those that can.
        UnsupportedSystemError: If the system is neither a molecule nor a point in R^d.
    """
    if not 1 <= len(cvs) <= _MOST or len(set(cvs)) < len(cvs):
        raise ConfigError("coarse coordinates are one or two different ones.", fix="E.g. --cv phi,psi.")
    if isinstance(system, Molecule):
        return MolecularCoordinates(system, [parse_observable(name, system) for name in cvs])
    if isinstance(system.space, Euclidean):
        dim = system.space.size
        known = {f"x:{i}": i for i in range(dim)}
        if len(cvs) == dim or not set(cvs) <= set(known):
            raise ConfigError(
                f"{', '.join(cvs)} cannot be coarse coordinates of {system.name}.",
                fix=f"Name fewer than {dim} of {', '.join(known)}.",
            )
        return VectorCoordinates(dim, [known[name] for name in cvs], tuple(cvs))
    raise UnsupportedSystemError(
        f"{system.name} is neither a molecule nor a point in R^d.", fix="Choose another model."
    )


def _place(observable: Observable, atoms: dict[int, tuple[int, ...]], molecule: Molecule) -> int:
    """The place whose free torsion an observable is."""
    for place, four in atoms.items():
        if observable.atoms in {four, four[::-1]}:
            return place
    known = "; ".join("torsion:" + ",".join(map(str, four)) for four in atoms.values())
    raise ConfigError(
        f"{observable.name} is not one of the torsions that {molecule.name} is built by.",
        fix=f"phi, psi, omega and chi angles are; all of them: {known}.",
    )
