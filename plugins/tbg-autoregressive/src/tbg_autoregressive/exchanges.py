"""Rotations of a block that a molecule cannot tell from the identity: methyl hydrogens, carboxylate oxygens, phenyl.

The target density is the same after such a relabelling, so the density of the block's torsion is given the same
symmetry, p(phi) = p(phi + 2 pi / s), and training data may be relabelled at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from tbg_core.molecule.matching import isomorphisms, refine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tbg_autoregressive.order import Block, Order
    from tbg_core.molecule import Molecule

_TRIES = 64


@dataclass(frozen=True)
class Exchange:
    """The symmetry of one block.

    Attributes:
        fold: s: 3 for the hydrogens of a methyl group, 2 for a carboxylate or a phenyl ring.
        source: Atom that each atom [N] is replaced by in a rotation by 2 pi / s.
    """

    fold: int
    source: tuple[int, ...]


def exchange(molecule: Molecule, order: Order, block: Block) -> Exchange | None:
    """The symmetry of a block with a FREE torsion about one bond; None if it has none."""
    first = order.placements[block.first]
    if not block.free or first.two_parents:
        return None
    centre = order.placements[first.parents[0]].atom
    placed = {p.atom for p in order.placements[: block.first]}
    moving = [a for a in molecule.neighbours[centre] if a not in placed]
    moving.sort(key=lambda a: a != first.atom)
    if len(moving) < 2 or len(moving) + 1 != len(molecule.neighbours[centre]):
        return None
    # Everything but the branches that rotate stays where it is.
    branch = _reachable(molecule, moving, centre)
    colours = [(molecule.elements[i], -1 if i in branch else i) for i in range(molecule.n_atoms)]
    cells = refine(molecule.neighbours, colours)
    if len({cells[a] for a in moving}) > 1:
        return None
    image = {a: moving[(k + 1) % len(moving)] for k, a in enumerate(moving)}
    rank = {a: k for k, a in enumerate(moving)}
    start = [(cells[i], rank.get(i, -1)) for i in range(molecule.n_atoms)]
    inverse = {b: a for a, b in image.items()}
    end = [(cells[i], rank.get(inverse.get(i, -1), -1)) for i in range(molecule.n_atoms)]
    found: Iterator[tuple[int, ...]] = isomorphisms(molecule.neighbours, start, molecule.neighbours, end)
    for candidate in islice(found, _TRIES):
        if _keeps_handedness(molecule, candidate):
            return Exchange(len(moving), candidate)
    return None


def _reachable(molecule: Molecule, start: list[int], blocked: int) -> set[int]:
    seen, queue = set(start), list(start)
    for i in queue:
        for j in molecule.neighbours[i]:
            if j != blocked and j not in seen:
                seen.add(j)
                queue.append(j)
    return seen


def _keeps_handedness(molecule: Molecule, image: tuple[int, ...]) -> bool:
    """Whether a relabelling takes right labels to right labels."""
    by_centre = {h.centre: h for h in molecule.handedness}
    for label in molecule.handedness:
        other = by_centre[image[label.centre]]
        places = [other.neighbours.index(image[j]) for j in label.neighbours]
        odd = sum(places[i] > places[j] for i in range(4) for j in range(i + 1, 4)) % 2
        if other.sign != (-label.sign if odd else label.sign):
            return False
    return True
