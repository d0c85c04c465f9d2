from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from tbg_core.molecule.graph import (
    adjacency_matrix,
    automorphism_orbits,
    bond_cutoff,
    bond_cutoffs,
    bond_graphs,
    bonds_from_positions,
    connected_components,
    is_connected,
    neighbour_table,
    rings,
    stereocentres,
    topological_distances,
)
from tbg_core.molecule.matching import isomorphisms, refine

RING_OF_SIX = neighbour_table(6, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)])


@pytest.mark.parametrize(
    ("pair", "cutoff"),
    [
        ("HC", 0.14),
        ("HO", 0.14),
        ("HS", 0.16),
        ("SC", 0.22),
        ("SS", 0.24),
        ("CC", 0.18),
        ("CN", 0.18),
        ("NO", 0),
        ("OO", 0),
    ],
)
def test_cutoffs_of_element_pairs(pair, cutoff):
    assert bond_cutoff(*pair) == bond_cutoff(*pair[::-1]) == cutoff


def test_heteroatoms_are_bonded_only_in_molecules_that_have_such_bonds(build):
    peroxide = build("peroxide")
    assert bond_cutoffs(peroxide.elements)[0, 1] == 0
    assert bond_cutoffs(peroxide.elements, peroxide.bonds)[0, 1] == 0.18


@pytest.mark.parametrize("name", ["water", "ethane", "acetate", "cyclopropane", "equal", "alanine"])
def test_bonds_are_found_from_coordinates(build, name):
    molecule = build(name)
    assert bonds_from_positions(molecule.elements, molecule.reference) == molecule.bonds


def test_bond_graphs_of_a_batch_agree_with_pairwise_distances(alanine):
    rng = np.random.default_rng(0)
    x = alanine.reference + rng.normal(scale=0.03, size=(50, 22, 3))
    cutoffs = bond_cutoffs(alanine.elements)
    expected = np.linalg.norm(x[:, :, None] - x[:, None], axis=-1) < cutoffs
    assert np.array_equal(bond_graphs(x, cutoffs), expected)
    assert expected.sum(axis=(1, 2)).std() > 0  # the batch really has different graphs


def test_an_atom_that_is_not_finite_has_no_bonds(alanine):
    x = alanine.reference.copy()
    x[4] = np.nan
    graph = bond_graphs(x[None], bond_cutoffs(alanine.elements))[0]
    assert not graph[4].any()
    assert graph.sum() == 2 * (len(alanine.bonds) - len(alanine.neighbours[4]))


def test_distances_components_and_connectivity_agree_with_networkx(alanine):
    broken = [bond for bond in alanine.bonds if bond != (4, 6)]
    table = neighbour_table(22, broken)
    graph = nx.Graph(broken)
    distances = topological_distances(table)
    for i, lengths in nx.all_pairs_shortest_path_length(graph):
        assert all(distances[i, j] == lengths.get(j, -1) for j in range(22))
    assert not is_connected(table)
    assert is_connected(alanine.neighbours)
    assert {frozenset(c) for c in connected_components(table)} == {frozenset(c) for c in nx.connected_components(graph)}


def test_rings_are_listed_along_the_ring(build):
    assert rings(build("cyclopropane").neighbours) == ((0, 3, 6),)
    assert rings(build("alanine").neighbours) == ()
    naphthalene = neighbour_table(10, [*((i, (i + 1) % 10) for i in range(9)), (0, 9), (4, 9)])
    assert rings(naphthalene) == ((0, 1, 2, 3, 4, 9), (4, 5, 6, 7, 8, 9))


def test_orbits_of_alanine_dipeptide(alanine):
    orbits = automorphism_orbits(alanine.elements, alanine.neighbours)
    groups = {frozenset(i for i, o in enumerate(orbits) if o == orbit) for orbit in orbits}
    assert {g for g in groups if len(g) > 1} == {
        frozenset({1, 2, 3}),
        frozenset({11, 12, 13}),
        frozenset({19, 20, 21}),
    }


def test_orbits_are_exact_where_colour_refinement_is_not():
    # A triangle beside a hexagon: all atoms have two equal neighbours, but a triangle is no hexagon.
    bonds = [(0, 1), (1, 2), (0, 2), *((3 + i, 3 + (i + 1) % 6) for i in range(6))]
    table = neighbour_table(9, bonds)
    assert set(refine(table, "C" * 9)) == {0}
    assert automorphism_orbits("C" * 9, table) == (0, 0, 0, 3, 3, 3, 3, 3, 3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("methane", ()),
        ("fluoropropane", ()),
        ("chlorofluoroethane", (0,)),
        ("two-centres", (0, 1)),
        ("alanine", (8,)),
    ],
)
def test_stereocentres_have_four_different_neighbours(build, name, expected):
    molecule = build(name)
    assert stereocentres(molecule.elements, molecule.neighbours) == expected


@pytest.mark.parametrize("colours", ["CCCCCC", "CNCNCN", "CCCCCN"])
def test_isomorphisms_agree_with_networkx(colours):
    graph = nx.Graph([(i, j) for i, row in enumerate(RING_OF_SIX) for j in row])
    nx.set_node_attributes(graph, dict(enumerate(colours)), "c")
    matcher = nx.isomorphism.GraphMatcher(graph, graph, node_match=lambda a, b: a["c"] == b["c"])
    expected = {tuple(m[i] for i in range(6)) for m in matcher.isomorphisms_iter()}
    found = list(isomorphisms(RING_OF_SIX, colours, RING_OF_SIX, colours))
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_no_isomorphism_between_different_graphs():
    path = neighbour_table(6, [(i, i + 1) for i in range(5)])
    assert not list(isomorphisms(RING_OF_SIX, "CCCCCC", path, "CCCCCC"))


def test_adjacency_matrix_is_symmetric(alanine):
    matrix = adjacency_matrix(alanine.neighbours)
    assert np.array_equal(matrix, matrix.T)
    assert matrix.sum() == 2 * len(alanine.bonds)
