from __future__ import annotations

import subprocess
import sys

import pytest

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.residues import (
    AMINO_ACIDS,
    ATOM_TYPES,
    ONE_LETTER,
    THREE_LETTER,
    merged_atom_type,
    merged_name,
    standard_residue,
)


def test_tables():
    assert len(AMINO_ACIDS) == 20
    assert list(AMINO_ACIDS) == sorted(AMINO_ACIDS)
    assert len(ATOM_TYPES) == len(set(ATOM_TYPES)) == 54
    assert sorted(THREE_LETTER) == sorted("ACDEFGHIKLMNPQRSTVWY")
    # The codes that do not begin like the name.
    assert {ONE_LETTER[c] for c in ("ARG", "ASN", "ASP", "GLN", "GLU", "LYS", "PHE", "TRP", "TYR")} == set("RNDQEKFWY")
    assert all(THREE_LETTER[ONE_LETTER[c]] == c for c in AMINO_ACIDS)


@pytest.mark.parametrize(
    ("residue", "atom", "expected"),
    [
        ("ALA", "HB3", "HB"),
        ("GLY", "HA2", "HA"),
        ("LYS", "HZ1", "HZ"),
        ("ILE", "HG12", "HG1"),
        ("LEU", "HD13", "HD1"),
        ("ARG", "HH21", "HH2"),
        ("ASN", "HD22", "HD2"),
        ("ALA", "H3", "H"),
        ("THR", "HG1", "HG"),
        ("PHE", "HD1", "HD1"),
        ("PHE", "HB2", "HB"),
        ("TYR", "HH", "HH"),
        ("TRP", "HZ3", "HZ3"),
        ("HIE", "HE2", "HE2"),
        ("GLU", "OE2", "OE"),
        ("ASP", "OD1", "OD"),
        ("THR", "OG1", "OG1"),
        ("ARG", "NH1", "NH1"),
        ("VAL", "CG2", "CG2"),
        ("ALA", "OXT", "OXT"),
    ],
)
def test_merged_atom_types(residue, atom, expected):
    assert merged_atom_type(residue, atom) == expected


def test_caps_have_merged_names_but_no_type():
    assert merged_name("ACE", "HH31") == "HH3"
    with pytest.raises(UnsupportedSystemError, match="HH31 of residue ACE"):
        merged_atom_type("ACE", "HH31")


def test_variants_belong_to_their_amino_acid():
    assert {standard_residue(v) for v in ("HID", "HIE", "HIP")} == {"HIS"}
    assert standard_residue("ACE") == "ACE"


def test_the_tables_need_no_torch():
    code = "import sys, tbg_core.molecule.residues; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
