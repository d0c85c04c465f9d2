"""What counts as a peptide, and what is refused by name."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.residues import AMINO_ACIDS, THREE_LETTER
from tbg_openmm.config import PeptideConfig
from tbg_openmm.peptide import PeptideSource
from tbg_openmm.sequence import parse_sequence


@given(st.lists(st.sampled_from(sorted(THREE_LETTER)), min_size=2, max_size=12))
def test_one_letter_sequences_and_codes_mean_the_same(letters):
    codes = [THREE_LETTER[letter] for letter in letters]
    residues = parse_sequence("".join(letters))
    assert [residue.amino_acid for residue in residues] == codes
    assert parse_sequence("-".join(codes)) == residues


@given(st.text(max_size=20))
def test_any_text_is_understood_or_refused(text):
    options = PeptideSource.parse(text)
    if options is None:
        with pytest.raises(UnsupportedSystemError):
            parse_sequence(text)
        return
    with suppress(UnsupportedSystemError):
        assert len(parse_sequence(text)) >= 2


@pytest.mark.parametrize("text", ["GF", "A", "AXG", "ACE-ALA-NME", "alanine-dipeptide", "gf", "ace-ala-nme"])
def test_texts_with_the_form_of_a_peptide_are_claimed(text):
    assert PeptideSource.parse(text) == {"sequence": text}


@pytest.mark.parametrize("text", ["AX1", "", "double-well", "dw4", "x.pdb", "GF GF", "mueller-brown", "GF-", "Ä"])
def test_other_texts_are_left_to_other_sources(text):
    assert PeptideSource.parse(text) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("AXG", "Unknown residue 'X' at position 2"),
        ("gf", "capitals, got 'gf'. Write 'GF'"),
        ("ace-ala-nme", "Write 'ACE-ALA-NME'"),
        ("ACE-XYZ-NME", "Unknown residue XYZ at position 2"),
        ("ALA-ACE", "ACE caps the start"),
        ("NME-ALA", "NME caps the end"),
        ("ACE-CYX-NME", "Give a PDB file for a disulfide"),
        ("G", "no free amino acids"),
        ("ASH-GLY", "no charged terminus on residue ASH"),
        ("GLY-LYN", "no charged terminus on residue LYN"),
    ],
)
def test_refusals_name_the_residue_and_the_way_out(text, words):
    with pytest.raises(UnsupportedSystemError) as caught:
        PeptideSource(PeptideConfig(sequence=text)).build()
    assert words in str(caught.value)


def test_histidine_is_protonated_on_the_epsilon_nitrogen_unless_said():
    assert [residue.variant for residue in parse_sequence("HGH")] == ["HIE", None, "HIE"]
    assert [residue.variant for residue in parse_sequence("ACE-HID-HIP-NME")] == [None, "HID", "HIP", None]
    assert {residue.amino_acid for residue in parse_sequence("-".join(AMINO_ACIDS))} == set(AMINO_ACIDS)
