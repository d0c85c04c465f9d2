"""Orders: every amino acid, cap and protonation state; ring blocks; handedness; symmetric blocks."""

from __future__ import annotations

import pytest
import torch

from tbg_autoregressive.exchanges import exchange
from tbg_autoregressive.order import Torsion, placement_order
from tbg_autoregressive.rings import planar_ring_systems
from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule import Molecule
from tbg_core.molecule.residues import ONE_LETTER

# Every amino acid, every cap and protonation state, prolines at both ends; few molecules, for they take time to build.
DIPEPTIDES = ["RD", "NC", "QE", "GH", "IL", "KM", "FV", "PP", "SA", "TW", "YG"]
NAMES = [*DIPEPTIDES, "ACE-HID-HIP-NME", "ACE-ASH-GLH-LYN-NME", "ACE-NME", "ACE-ALA-NH2"]


def test_all_amino_acids_are_among_the_names() -> None:
    assert set("".join(DIPEPTIDES)) == set(ONE_LETTER.values())


@pytest.mark.parametrize("name", NAMES)
def test_every_atom_is_placed_once_from_placed_atoms(molecule, name: str) -> None:
    m = molecule(name)
    order = placement_order(m)
    assert sorted(order.atoms) == list(range(m.n_atoms))
    for n, p in enumerate(order.placements):
        assert len(p.parents) == min(n, 3)
        assert all(q < n for q in p.parents)
        assert len(set(p.parents)) == len(p.parents)
        if n:
            bonded = m.neighbours[p.atom]
            assert order.atoms[p.parents[0]] in bonded
            assert p.two_parents == (n > 2 and order.atoms[p.parents[1]] in bonded)
    assert [b.first for b in order.blocks] == [0, *(b.first + b.size for b in order.blocks[:-1])]
    assert sum(b.size for b in order.blocks) == m.n_atoms
    free = {b.first for b in order.blocks if b.free}
    assert free == {n for n, p in enumerate(order.placements) if p.torsion is Torsion.FREE}


def test_free_torsions_are_the_rotatable_bonds(molecule) -> None:
    m = molecule("TW")
    order = placement_order(m)
    axes = []
    for b in order.blocks:
        if b.free:
            p = order.placements[b.first]
            axes.append({m.atom_names[order.atoms[q]] + str(m.residue_index[order.atoms[q]]) for q in p.parents[:2]})
    expected = [
        {"C0", "CA0"},  # psi
        {"N1", "C0"},  # omega
        {"CA1", "N1"},  # phi
        {"C1", "CA1"},  # carboxylate
        {"CB0", "CA0"},
        {"CB1", "CA1"},
        {"CG1", "CB1"},  # the indole, one block
        {"N0", "CA0"},
        {"CG20", "CB0"},
        {"OG10", "CB0"},
    ]
    assert len(axes) == len(expected)
    assert all(axis in axes for axis in expected)


def test_a_planar_ring_system_is_one_block_and_its_closures_have_two_parents(molecule) -> None:
    m = molecule("TW")
    order = placement_order(m)
    (system,) = planar_ring_systems(m.neighbours)
    assert len(system) == 9
    blocks = {k for k, b in enumerate(order.blocks) for a in order.atoms[b.first : b.first + b.size] if a in system}
    assert len(blocks) == 2  # CG with its own siblings, then the rest with the ring's hydrogens
    ring = order.blocks[max(blocks)]
    assert ring.size == 8 + 6
    assert sum(p.two_parents for p in order.placements[ring.first : ring.first + ring.size]) == 2


def test_proline_closes_with_two_parents_and_a_free_pucker(molecule) -> None:
    m = molecule("PP")
    order = placement_order(m)
    closing = [p for p in order.placements if p.two_parents]
    assert [m.atom_names[p.atom] for p in closing] == ["CG", "CG"]
    assert all(p.torsion is Torsion.FREE for p in closing)


@pytest.mark.parametrize(
    ("name", "folds"),
    [("PP", [2]), ("TW", [2, 3, 3]), ("RD", [2, 2, 2, 2, 2, 3]), ("FV", [2, 2, 3, 3, 3])],
)
def test_symmetric_blocks(molecule, name: str, folds: list[int]) -> None:
    m = molecule(name)
    order = placement_order(m)
    found = [e for e in (exchange(m, order, b) for b in order.blocks) if e is not None]
    assert sorted(e.fold for e in found) == folds
    bonds = {frozenset(b) for b in m.bonds}
    for e in found:
        assert {frozenset(e.source[i] for i in b) for b in m.bonds} == bonds
        assert [m.elements[i] for i in e.source] == list(m.elements)
        power = torch.arange(m.n_atoms)
        for _ in range(e.fold):
            power = torch.tensor(e.source)[power]
        assert sorted(power.tolist()) == list(range(m.n_atoms))


def test_what_cannot_be_placed_is_refused_by_name() -> None:
    diatomic = Molecule("HH", ("H", "H"), ("H1", "H2"), (0, 0), ("HYD",), ((0, 1),), (1.0, 1.0), (0, 0), ())
    with pytest.raises(UnsupportedSystemError, match="HH has 2 atoms"):
        placement_order(diatomic)
    pieces = Molecule(
        "pair",
        ("O", "H", "H", "O"),
        ("O", "H1", "H2", "O2"),
        (0,) * 4,
        ("WAT",),
        ((0, 1), (0, 2)),
        (1.0,) * 4,
        (0,) * 4,
        (),
    )
    with pytest.raises(UnsupportedSystemError, match="in pieces"):
        placement_order(pieces)
