"""Planar ring systems and symmetric blocks of a bond graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.molecule.graph import rings

if TYPE_CHECKING:
    from collections.abc import Sequence

PLANAR = 3
"""Most neighbours of an atom in a planar ring."""


def planar_ring_systems(neighbours: Sequence[Sequence[int]]) -> tuple[frozenset[int], ...]:
    """Rings without tetrahedral atoms, joined where they share atoms (phenyl, imidazole, indole, ...).

    Args:
        neighbours: Bonded atoms of each atom [N].
    """
    systems: list[set[int]] = []
    for ring in rings(neighbours):
        if any(len(neighbours[i]) > PLANAR for i in ring):
            continue
        joined = set(ring)
        for system in [s for s in systems if s & joined]:
            joined |= system
            systems.remove(system)
        systems.append(joined)
    return tuple(sorted((frozenset(s) for s in systems), key=min))
