"""Names of internal coordinates by their chemical surroundings: the types of a small force field.

Two coordinates with one name are taken to have the same stiffness and the same mean. Names are hashes of what lies
within two bonds, without residue or atom names, so that they carry over to molecules never seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tbg_autoregressive.order import Torsion
from tbg_core.molecule.graph import rings, topological_distances

if TYPE_CHECKING:
    from tbg_autoregressive.order import Order
    from tbg_core.molecule import Molecule

NEAR = 2
"""Coordinates of atoms up to so many bonds away help to predict one."""


def digest(*content: object) -> int:
    """A 63-bit hash of plain data, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(repr(content).encode(), digest_size=8).digest(), "little") >> 1


def environments(molecule: Molecule, radius: int) -> list[list[int]]:
    """Hash of the surroundings of each atom within 0, 1, ..., ``radius`` bonds [radius + 1][N]."""
    smallest = [0] * molecule.n_atoms
    for ring in sorted(rings(molecule.neighbours), key=len, reverse=True):
        for i in ring:
            smallest[i] = len(ring)
    levels = [
        [
            digest(e, len(row), size)
            for e, row, size in zip(molecule.elements, molecule.neighbours, smallest, strict=True)
        ]
    ]
    for _ in range(radius):
        last = levels[-1]
        levels.append([digest(last[i], sorted(last[j] for j in row)) for i, row in enumerate(molecule.neighbours)])
    return levels


@dataclass(frozen=True)
class Names:
    """What one coordinate is called, from the closest look at its surroundings to the most distant.

    Attributes:
        fine: By all within two bonds.
        middle: By all within one bond.
        near: By its atom's neighbours and the bare kind of its parent: enough for a helper of a middle look.
        coarse: By the kinds of its atom and of two others.
    """

    fine: int
    middle: int
    near: int
    coarse: int


def coordinate_names(molecule: Molecule, order: Order) -> list[list[Names]]:
    """Names of the three coordinates of each place [N][3]."""
    level = environments(molecule, 2)
    names = []
    for p in order.placements:
        around = [order.atoms[q] for q in p.parents]
        kind = (int(p.torsion), p.sign, p.two_parents, len(around))
        looks = [
            (kind, level[2][p.atom], [level[1][i] for i in around]),
            (kind, level[1][p.atom], [level[1][i] for i in around]),
            (kind[:3], level[1][p.atom], [level[0][i] for i in around[:1]]),
            (kind, level[0][p.atom], [level[0][i] for i in around[:2]]),
        ]
        names.append([Names(*(digest(q, look) for look in looks)) for q in range(3)])
    return names


def prediction_keys(names: list[list[Names]], n: int, q: int, helpers: list[tuple[int, int]]) -> tuple[int, int]:
    """Names of a coordinate together with its helpers: at a close look, and at one that more molecules share."""
    name, others = names[n][q], [names[m][s] for m, s in helpers]
    return digest(name.fine, [o.fine for o in others]), digest(name.middle, [o.near for o in others])


def regressors(
    molecule: Molecule, order: Order, stiff: list[list[bool]]
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """For each stiff coordinate (place, component) the earlier ones that may help to predict it, in order.

    They are those of the same block and of atoms that are at most :data:`NEAR` bonds away.
    """
    distance = topological_distances(molecule.neighbours)
    block = [k for k, b in enumerate(order.blocks) for _ in range(b.size)]
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for n, p in enumerate(order.placements):
        near = [m for m in range(n + 1) if block[m] == block[n] or distance[p.atom, order.placements[m].atom] <= NEAR]
        for q in range(3):
            if stiff[n][q]:
                found[n, q] = [(m, s) for m in near for s in range(3) if stiff[m][s] and (m, s) < (n, q)]
    return found


def bends(order: Order, helpers: list[tuple[int, int]], place: int) -> list[int]:
    """Places among the regressors of a coordinate at ``place`` whose torsion bends a plane of the same block.

    Leaving the plane shortens a ring in it, whichever way: bonds and angles depend on the square of such a torsion.
    For an indole that is worth half a nat; everywhere else second order was found to be worth nothing.
    """
    block = next(b for b in reversed(order.blocks) if b.first <= place)
    planar = {Torsion.OPPOSITE, Torsion.INSIDE}
    return [m for m, q in helpers if q == 2 and m >= block.first and order.placements[m].torsion in planar]
