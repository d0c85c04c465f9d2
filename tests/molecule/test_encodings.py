"""Encodings follow from the topology and reproduce the paper's tables."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.errors import ConfigError, UnsupportedSystemError
from tbg_core.loading import load_system
from tbg_core.molecule import encodings
from tbg_core.molecule.config import EncodingConfig
from tbg_core.molecule.encoder import AtomEncoder, adapt


@pytest.fixture(scope="module")
def alanine_dipeptide():
    return load_system("ACE-ALA-NME")


def test_alanine_dipeptide_backbone_has_the_papers_nine_classes(alanine_dipeptide):
    """REFERENCE: H, methyl/side-chain C, (unused), O, and five backbone atoms of their own."""
    features = encodings.backbone(alanine_dipeptide)
    assert features.shape == (22, 9)
    own = features[:, 4:]
    names = {alanine_dipeptide.atom_names[i] for i in np.flatnonzero(own.any(1))}
    assert own.sum() == 5
    assert names == {"C", "N", "CA"}
    assert not features[:, 2].any()
    assert (features.sum(1) == 1).all()


def test_alanine_dipeptide_full_merges_only_methyl_hydrogens(alanine_dipeptide):
    classes = encodings.classes(encodings.full(alanine_dipeptide))
    shared = [np.flatnonzero(classes == c) for c in np.unique(classes) if (classes == c).sum() > 1]
    assert sorted(len(group) for group in shared) == [3, 3, 3]
    for group in shared:
        assert {alanine_dipeptide.elements[i] for i in group} == {"H"}
        parents = {alanine_dipeptide.neighbours[i] for i in group}
        assert len(parents) == 1


@pytest.mark.parametrize(("encode", "size"), [(encodings.element, 5), (encodings.backbone, 13), (encodings.full, 76)])
def test_dipeptide_encodings_have_the_papers_sizes(encode, size):
    molecule = load_system("GF")
    assert encode(molecule).shape == (molecule.n_atoms, size)


def test_encodings_follow_atoms_through_a_reordering(alanine_dipeptide):
    """A file with another atom order gives the same rows in that order: no index is an identity."""
    from dataclasses import replace

    order = np.random.default_rng(0).permutation(22)
    # Residues must not decrease, so atoms are shuffled within residues.
    order = np.concatenate([[i for i in order if alanine_dipeptide.residue_index[i] == r] for r in range(3)])
    place = {int(old): new for new, old in enumerate(order)}
    shuffled = replace(
        alanine_dipeptide,
        elements=tuple(alanine_dipeptide.elements[i] for i in order),
        atom_names=tuple(alanine_dipeptide.atom_names[i] for i in order),
        residue_index=tuple(alanine_dipeptide.residue_index[i] for i in order),
        bonds=tuple(sorted(tuple(sorted((place[i], place[j]))) for i, j in alanine_dipeptide.bonds)),
    )
    assert np.array_equal(encodings.element(shuffled), encodings.element(alanine_dipeptide)[order])
    before = encodings.classes(encodings.full(alanine_dipeptide))[order]
    after = encodings.classes(encodings.full(shuffled))
    assert np.array_equal(before[:, None] == before, after[:, None] == after)


def test_a_tripeptide_is_refused_by_the_dipeptide_encoding():
    with pytest.raises(UnsupportedSystemError, match="3 residues"):
        encodings.full(load_system("AAA"))


@pytest.mark.parametrize("encoding", ["backbone", "full"])
def test_a_network_for_dipeptides_refuses_a_capped_peptide_though_its_columns_are_as_many(encoding):
    capped = load_system("ACE-MET-ALA-NME")
    size = encodings.ENCODINGS[encoding](capped).shape[1]
    assert (encoding, size) in {("backbone", 13), ("full", capped.n_atoms)}
    trained = EncodingConfig(encoding=encoding, n_features=size, seen=())
    with pytest.raises(UnsupportedSystemError, match=r"not the kind of molecule .*uncapped peptides only") as caught:
        AtomEncoder(trained).features(capped)
    assert caught.value.fix
    alone = adapt(EncodingConfig(encoding=encoding), [capped])
    assert AtomEncoder(alone).features(capped).shape[1] == size
    elements = adapt(EncodingConfig(encoding="element"), [load_system("GF")])
    assert AtomEncoder(elements).features(capped).shape == (capped.n_atoms, 5)


def test_a_trained_network_adds_the_kinds_of_atoms_of_further_molecules_to_its_own():
    glycine = adapt(EncodingConfig(encoding="full"), [load_system("GG")])
    both = adapt(glycine, [load_system("AA")])
    assert set(both.seen) == set(glycine.seen) | set(adapt(EncodingConfig(encoding="full"), [load_system("AA")]).seen)
    assert AtomEncoder(both).coverage(load_system("GA")) == 1.0
    assert both.n_features == glycine.n_features
    one = adapt(EncodingConfig(encoding="full"), [load_system("ACE-NME")])
    assert adapt(one, [load_system("ACE-NME")]) == one
    with pytest.raises(ConfigError, match="means one molecule, and there are several"):
        adapt(one, [load_system("ACE-ALA-NME")])


def test_coverage_is_the_share_of_atoms_whose_kind_was_in_training():
    trained = adapt(EncodingConfig(encoding="full"), [load_system("GA"), load_system("AG")])
    encoder = AtomEncoder(trained)
    assert encoder.coverage(load_system("GG")) == 1.0  # glycine was seen first and last
    serine = load_system("GS")
    seen = sum(residue == "GLY" for residue in (serine.residue_names[i] for i in serine.residue_index))
    assert encoder.coverage(serine) == seen / serine.n_atoms
    with pytest.raises(UnsupportedSystemError):
        encoder.coverage(load_system("GGG"))
    assert AtomEncoder(trained.model_copy(update={"seen": None})).coverage(serine) is None
