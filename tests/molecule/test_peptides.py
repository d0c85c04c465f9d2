"""The canonical domain of real peptides."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from tbg_core.molecule.domain import CanonicalDomain
from tbg_core.molecule.graph import bonds_from_positions, rings, stereocentres
from tbg_core.molecule.residues import merged_atom_type

peptide = pytest.importorskip("tbg_openmm.peptide")
config = pytest.importorskip("tbg_openmm.config")


@pytest.fixture(scope="module")
def peptides():
    made = {}

    def get(sequence):
        if sequence not in made:
            made[sequence] = peptide.PeptideSource(config.PeptideConfig(sequence=sequence)).build()
        return made[sequence]

    return get


def merged(molecule):
    names = molecule.residue_names
    types = [
        (r, merged_atom_type(names[r], n)) for r, n in zip(molecule.residue_index, molecule.atom_names, strict=True)
    ]
    return [types.index(t) for t in types]


def labelled(molecule, atoms):
    return [f"{molecule.residue_names[molecule.residue_index[i]]}:{molecule.atom_names[i]}" for i in atoms]


@pytest.mark.parametrize(
    ("sequence", "expected", "ring_sizes"),
    [
        ("VI", ["VAL:CA", "ILE:CA", "ILE:CB"], []),
        ("LF", ["LEU:CA", "PHE:CA"], [6]),
        ("TP", ["THR:CA", "THR:CB", "PRO:CA"], [5]),
        ("GG", [], []),
    ],
)
def test_stereocentres_and_rings(peptides, sequence, expected, ring_sizes):
    molecule = peptides(sequence)
    assert labelled(molecule, stereocentres(molecule.elements, molecule.neighbours)) == expected
    assert [len(ring) for ring in rings(molecule.neighbours)] == ring_sizes
    assert bonds_from_positions(molecule.elements, molecule.reference) == molecule.bonds


@pytest.mark.parametrize(
    ("sequence", "gain"),
    [
        # NH3, two CH2: 6/3, 2, 2. GG has no stereocentre, so no mirror; O and OXT are distinct.
        ("GG", 2**3),
        # NH3, VAL two methyls, ILE two methyls and one CH2, and the mirror.
        ("VI", 2**6 * 2),
        # NH3, LEU CH2 and two methyls, PHE CH2 (ring atoms are distinct), and the mirror.
        ("LF", 2**5 * 2),
        # NH3, three planar NH2 in GLN and ARG that add nothing, CH2: GLN 2, ARG 3, and the mirror.
        ("QR", 2**6 * 2),
    ],
)
def test_gain_with_merged_atom_types(peptides, sequence, gain):
    molecule = peptides(sequence)
    assert CanonicalDomain(molecule, merged(molecule), True).log_orbit == pytest.approx(math.log(gain))


def test_gain_by_element_counts_swaps_of_whole_branches(peptides):
    """LF: three methyls or NH3 (3 each), the flip of the ring, COO. Swapping LEU's methyls reverses CG."""
    molecule = peptides("LF")
    domain = CanonicalDomain(molecule, [0] * molecule.n_atoms, reflection=True)
    log_group = sum(math.lgamma(n + 1) for n in Counter(molecule.elements).values())
    assert domain.log_orbit == pytest.approx(log_group - math.log(3**3 * 2 * 2) + math.log(2), rel=1e-12)


@pytest.mark.parametrize("sequence", ["VI", "LF", "TP", "GG", "QR"])
@pytest.mark.parametrize("alike", ["merged", "element"])
def test_relabelled_samples_are_folded_back(peptides, sequence, alike):
    molecule = peptides(sequence)
    classes = merged(molecule) if alike == "merged" else [sorted("CHNOS").index(e) for e in molecule.elements]
    domain = CanonicalDomain(molecule, classes, reflection=True)
    rng = np.random.default_rng(4)
    x = molecule.reference + rng.normal(scale=0.003, size=(30, molecule.n_atoms, 3))
    assert domain.contains(x).all()
    raw = x.copy()
    for b in range(len(raw)):
        source = np.arange(molecule.n_atoms)
        for c in set(classes):
            members = np.flatnonzero(np.array(classes) == c)
            source[members] = rng.permutation(members)
        raw[b] = raw[b, source]
    raw[::2] *= -1
    folded = domain.fold(raw)
    assert folded.valid.all()
    assert domain.contains(folded.x).all()
    assert folded.mirrored.any() == bool(stereocentres(molecule.elements, molecule.neighbours))


def test_swapped_methyls_of_leucine_are_righted_with_their_branches(peptides):
    molecule = peptides("LF")
    domain = CanonicalDomain(molecule, [0] * molecule.n_atoms, reflection=False)
    branch = [[molecule.atom(0, n) for n in (f"CD{k}", f"HD{k}1", f"HD{k}2", f"HD{k}3")] for k in (1, 2)]
    x = molecule.reference[None].copy()
    x[0, branch[0] + branch[1]] = x[0, branch[1] + branch[0]]
    assert not domain.contains(x)[0]
    folded = domain.fold(x)
    assert folded.valid.all()
    assert domain.contains(folded.x).all()
    carbons = [branch[0][0], branch[1][0]]
    assert np.array_equal(folded.x[0, carbons], molecule.reference[carbons])
