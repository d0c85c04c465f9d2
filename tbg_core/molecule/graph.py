"""Bond graphs: from coordinates, and what follows from their topology alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tbg_core.molecule.matching import is_automorphic, refine

if TYPE_CHECKING:
    from numpy.typing import NDArray

Neighbours = Sequence[Sequence[int]]
"""Bonded atoms of each atom [N], ascending."""

# Covalent radii in nm (Cordero et al. 2008), for the pairs that the rule for H, C, N, O, S does not cover.
_RADII = {
    "H": 0.031,
    "B": 0.084,
    "C": 0.076,
    "N": 0.071,
    "O": 0.066,
    "F": 0.057,
    "Si": 0.111,
    "P": 0.107,
    "S": 0.105,
    "Cl": 0.102,
    "Se": 0.120,
    "Br": 0.120,
    "I": 0.139,
}
_STRETCH = 1.25
_PEPTIDE_ELEMENTS = frozenset({"H", "C", "N", "O", "S"})
_CHUNK = 2048


def bond_cutoff(a: str, b: str, *, heteroatoms: bool = False) -> float:
    """Distance below which two atoms count as bonded, nm.

    The rule is that of Klein & Noe 2024: a pair with H 0.14, else with S 0.22, else with C 0.18, else never
    (N-N, N-O, O-O). It differs where the rule would cut into thermal vibrations: S-H 0.16 (at 300 K an S-H
    bond is 0.134 +- 0.003 nm, and 0.14 would lose one in forty) and S-S 0.24; and two H are never bonded
    beyond 0.10. Pairs with an element other than H, C, N, O, S get 1.25 times the sum of their covalent
    radii.

    Args:
        a: Element symbol.
        b: Element symbol.
        heteroatoms: True for a molecule in which such a pair (N-N, N-O, O-O) is bonded; then 0.18.

    Returns:
        The cut-off, 0 for never.
    """
    pair = {a, b}
    if not pair <= _PEPTIDE_ELEMENTS:
        return _STRETCH * (_RADII.get(a, 0.15) + _RADII.get(b, 0.15))
    if "H" in pair:
        return 0.10 if a == b else 0.16 if "S" in pair else 0.14
    if "S" in pair:
        return 0.24 if a == b else 0.22
    if "C" in pair or heteroatoms:
        return 0.18
    return 0.0


def bond_cutoffs(elements: Sequence[str], bonds: Iterable[tuple[int, int]] = ()) -> NDArray[np.float64]:
    """Bond cut-off of each pair of atoms [N, N], nm; the diagonal is 0.

    Args:
        elements: Element symbols [N].
        bonds: Bonds of the molecule, if known: they say which pairs of heteroatoms can be bonded at all.
    """
    joined = {frozenset((elements[i], elements[j])) for i, j in bonds}
    table = {
        (a, b): bond_cutoff(a, b, heteroatoms=frozenset((a, b)) in joined) for a in set(elements) for b in set(elements)
    }
    cutoffs = np.array([[table[a, b] for b in elements] for a in elements], dtype=np.float64)
    np.fill_diagonal(cutoffs, 0.0)
    return cutoffs


def bond_graphs(x: NDArray[np.floating], cutoffs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Bond graph of each conformation.

    Args:
        x: Positions [B, N, 3], nm. Atoms that are not finite have no bonds.
        cutoffs: Bond cut-offs [N, N] of :func:`bond_cutoffs`, nm.

    Returns:
        Adjacency matrices [B, N, N].
    """
    x = np.asarray(x, dtype=np.float64)
    result = np.empty((len(x), x.shape[1], x.shape[1]), dtype=np.bool_)
    squared = cutoffs**2
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, len(x), _CHUNK):
            rows = x[start : start + _CHUNK]
            distance = np.zeros(result[start : start + _CHUNK].shape)
            for k in range(3):  # one component at a time: no [B, N, N, 3] array
                distance += (rows[:, :, None, k] - rows[:, None, :, k]) ** 2
            np.less(distance, squared, out=result[start : start + _CHUNK])
    return result


def bonds_from_positions(elements: Sequence[str], positions: NDArray[np.floating]) -> tuple[tuple[int, int], ...]:
    """Bonds (i, j), i < j, sorted, of one conformation [N, 3], nm."""
    graph = bond_graphs(np.asarray(positions)[None], bond_cutoffs(elements))[0]
    return tuple((int(i), int(j)) for i, j in np.argwhere(np.triu(graph)))


def neighbour_table(n_atoms: int, bonds: Iterable[tuple[int, int]]) -> tuple[tuple[int, ...], ...]:
    """Bonded atoms of each atom, ascending."""
    table: list[list[int]] = [[] for _ in range(n_atoms)]
    for i, j in bonds:
        table[i].append(j)
        table[j].append(i)
    return tuple(tuple(sorted(row)) for row in table)


def adjacency_matrix(neighbours: Neighbours) -> NDArray[np.bool_]:
    """Adjacency matrix [N, N]."""
    matrix = np.zeros((len(neighbours), len(neighbours)), dtype=np.bool_)
    for i, row in enumerate(neighbours):
        matrix[i, list(row)] = True
    return matrix


def topological_distances(neighbours: Neighbours) -> NDArray[np.int64]:
    """Number of bonds on the shortest path between each pair of atoms [N, N]; -1 if there is none."""
    distances = np.full((len(neighbours), len(neighbours)), -1, dtype=np.int64)
    for start, row in enumerate(distances):
        row[start] = 0
        queue = deque([start])
        while queue:
            i = queue.popleft()
            for j in neighbours[i]:
                if row[j] < 0:
                    row[j] = row[i] + 1
                    queue.append(j)
    return distances


def connected_components(neighbours: Neighbours) -> tuple[tuple[int, ...], ...]:
    """Atoms of each connected part, ascending, ordered by their first atoms."""
    reached = topological_distances(neighbours) >= 0
    return tuple(tuple(int(j) for j in np.flatnonzero(row)) for i, row in enumerate(reached) if np.argmax(row) == i)


def is_connected(neighbours: Neighbours) -> bool:
    """True if every atom is bonded to every other one by some path."""
    return len(connected_components(neighbours)) <= 1


def rings(neighbours: Neighbours) -> tuple[tuple[int, ...], ...]:
    """A minimum cycle basis: atoms of each ring in order along it, starting at its lowest atom; sorted."""
    import networkx as nx

    graph = nx.Graph()
    graph.add_edges_from((i, j) for i, row in enumerate(neighbours) for j in row if i < j)
    found = []
    # Chains that end lead nowhere, and the search visits every atom for each ring.
    for cycle in nx.minimum_cycle_basis(nx.k_core(graph, 2)):
        lowest = min(cycle)
        members = set(cycle)
        ordered = [lowest, min(j for j in neighbours[lowest] if j in members)]
        while len(ordered) < len(cycle):
            ordered.append(next(j for j in neighbours[ordered[-1]] if j in members and j not in ordered))
        found.append(tuple(ordered))
    return tuple(sorted(found, key=lambda ring: (len(ring), ring)))


def automorphism_orbits(elements: Sequence[object], neighbours: Neighbours) -> tuple[int, ...]:
    """Which atoms the symmetries of the bond graph exchange.

    Args:
        elements: Element symbols, or any other colours that symmetries keep [N].
        neighbours: Bonded atoms of each atom [N].

    Returns:
        Orbit of each atom [N], named by the lowest atom in it.
    """
    cells = refine(neighbours, elements)
    orbit = list(range(len(elements)))
    leaders: dict[int, list[int]] = {}
    for i, cell in enumerate(cells):
        # Refinement never separates equivalent atoms; that it joins only these is checked.
        for leader in leaders.setdefault(cell, []):
            if is_automorphic(neighbours, cells, leader, i):
                orbit[i] = leader
                break
        else:
            leaders[cell].append(i)
    return tuple(orbit)


def stereocentres(elements: Sequence[str], neighbours: Neighbours) -> tuple[int, ...]:
    """Atoms with four neighbours in four distinct automorphism orbits, ascending.

    CA of all amino acids but Gly, CB of Ile and Thr; not the prochiral CB of Val and CG of Leu.
    """
    orbit = automorphism_orbits(elements, neighbours)
    return tuple(i for i, row in enumerate(neighbours) if len(row) == 4 and len({orbit[j] for j in row}) == 4)
