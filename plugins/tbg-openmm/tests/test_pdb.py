"""PDB files: the order of atoms is kept, and everything that is not one whole peptide is refused by name."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tbg_core.errors import UnsupportedSystemError
from tbg_core.testing.system import SystemConformance
from tbg_openmm.config import PdbConfig
from tbg_openmm.pdb import PdbSource, read_pdb
from tbg_openmm.pdb_records import read_records
from tbg_openmm.topology import to_topology


class TestPdbSource(SystemConformance):
    @pytest.fixture(autouse=True)
    def files(self, tmp_path, nma, alanine_dipeptide, pdb_text):
        for name, molecule in (("first.pdb", nma), ("second.ent", alanine_dipeptide)):
            (tmp_path / name).write_text(pdb_text(molecule))
        (tmp_path / "water.pdb").write_text(pdb_text(nma).replace("ACE", "HOH"))
        (tmp_path / "notes.txt").write_text("no molecule")
        (tmp_path / "bytes.pdb").write_bytes(b"\x1f\x8b\xff\x00")
        self.accepted = (str(tmp_path / "first.pdb"), str(tmp_path / "second.ent"))
        self.refused = tuple(str(tmp_path / name) for name in ("water.pdb", "notes.txt", "bytes.pdb"))

    foreign = ("no/such file.pdb", "", "?", "GF", "ACE-ALA-NME")

    def source(self):
        return PdbSource

    def config(self):
        return PdbConfig


def test_the_molecule_of_a_written_file_is_the_same(gf, pdb_text):
    again = read_pdb(pdb_text(gf), "again")
    assert again.key == gf.key
    assert np.abs(again.reference - gf.reference).max() < 6e-5  # the file's last digit is 0.0001 nm


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_atom_order_within_residues_is_kept(alanine_dipeptide, pdb_text, random):
    molecule = alanine_dipeptide
    order = sorted(range(molecule.n_atoms), key=lambda i: (molecule.residue_index[i], random.random()))
    shuffled = read_pdb(pdb_text(molecule, order), "shuffled")
    assert shuffled.atom_names == tuple(molecule.atom_names[i] for i in order)
    assert np.abs(shuffled.reference - molecule.reference[order]).max() < 6e-5
    place = {old: new for new, old in enumerate(order)}
    bonds = {tuple(sorted((place[i], place[j]))) for i, j in molecule.bonds}
    assert set(shuffled.bonds) == bonds
    assert shuffled.formal_charges == tuple(molecule.formal_charges[i] for i in order)


def test_other_spellings_of_residues_and_caps_are_understood(build, pdb_text):
    molecule = build("ACE-HIS-NME")
    text = pdb_text(molecule)
    assert "HIE" in text
    for spelling in (
        text.replace("HIE", "HIS"),
        text.replace("HIE", "HSE"),
        text.replace(" C   NME", " CH3 NME"),
    ):
        assert read_pdb(spelling, "x").key == molecule.key
    assert read_pdb(text.replace("ATOM  ", "HETATM"), "x").key == molecule.key


def test_disulfide_bridges_are_found(build, pdb_text):
    from openmm import app

    molecule = build("ACE-CYS-CYS-NME")
    # Without their hydrogens the two sulfurs are a bridge where they are close.
    first, second = (molecule.atom(residue, "SG") for residue in (1, 2))
    thiols = {molecule.atom(residue, "HG") for residue in (1, 2)}
    kept = [i for i in range(molecule.n_atoms) if i not in thiols]
    molecule.reference[second] = molecule.reference[first] + [0.0, 0.0, 0.2]
    records = read_records(pdb_text(molecule, kept).splitlines())
    from tbg_openmm.pdb import _topology
    from tbg_openmm.topology import from_topology

    bridged = from_topology(_topology(records), np.array([r.position for r in records]), "bridged")
    assert bridged.residue_names == ("ACE", "CYX", "CYX", "NME")
    assert bridged.total_charge == 0
    assert app.ForceField("amber14-all.xml").getUnmatchedResidues(to_topology(bridged)) == []


def _without(text, *words):
    return "\n".join(line for line in text.splitlines() if not any(word in line for word in words))


def _first(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def _line(text, number, change):
    lines = text.splitlines()
    lines[number - 1] = change(lines[number - 1])
    return "\n".join(lines)


REFUSALS = {
    "water": (
        lambda t: t + "HETATM   23  O   HOH A   4       1.000   2.000   3.000\n",
        "residue HOH 4 of chain A: water",
    ),
    "ligand": (
        lambda t: t + "HETATM   23  C1  LIG A   4       1.000   2.000   3.000\n",
        "unknown residue 'LIG'",
    ),
    "nucleotide": (lambda t: t.replace("ALA", " DA"), "unknown residue 'DA'"),
    "altloc": (
        lambda t: _line(t, 5, lambda s: s[:16] + "A" + s[17:]),
        "Line 5, residue ACE 1 of chain A: atom C has",
    ),
    "insertion": (lambda t: _line(t, 9, lambda s: s[:26] + "B" + s[27:]), "insertion code 'B'"),
    "heavy": (lambda t: _without(t, " CB  ALA"), "Residue ALA 2 lacks the heavy atoms CB"),
    "backbone": (lambda t: _without(t, " C   ALA"), "Residue ALA 2 lacks the heavy atoms C."),
    "hydrogen": (lambda t: _without(t, " HB1 ALA"), "Residue ALA 2 lacks 1 hydrogen."),
    "hydrogens": (lambda t: "\n".join(s for s in t.splitlines() if s[76:78] != " H"), "lacks 3 hydrogens"),
    "surplus": (
        lambda t: _first(t, "TER", "ATOM     23  H4  NME A   3       1.000   2.000   3.000\nTER"),
        "Residue NME 3 has 1 hydrogen too many",
    ),
    "models": (lambda t: f"MODEL        1\n{t}ENDMDL\nMODEL        2\n{t}ENDMDL\n", "a second model"),
    "torn": (lambda t: t[: t.index(" HB1 ALA") + 20], "Line 14 is cut short"),
    "letters": (lambda t: _line(t, 3, lambda s: s[:32] + "x" + s[33:]), "Line 3 has no coordinates"),
    "nan": (
        lambda t: _line(t, 3, lambda s: s[:30] + "     nan" + s[38:]),
        "Line 3 has coordinates that are not finite",
    ),
    "element": (lambda t: _line(t, 5, lambda s: s[:76] + "FE" + s[78:]), "element 'FE' does not belong"),
    "twice": (
        lambda t: _line(t, 3, lambda s: s[:12] + " H1 " + s[16:]),
        "atom H1 of residue ACE 1 of chain A occurs twice",
    ),
    "alias": (lambda t: _line(t, 3, lambda s: s[:12] + " HY1" + s[16:]), "another name of H1"),
    "scattered": (
        lambda t: "\n".join([*t.splitlines()[1:-2], t.splitlines()[0]]),
        "residue ACE 1 of chain A begins again",
    ),
    "two names": (lambda t: _line(t, 10, lambda s: s.replace("ALA", "GLY")), "residue 2 is ALA and GLY"),
    "broken": (lambda t: _shifted(t, "NME", 20.0), "chain is broken between residues ALA 2 and NME 3"),
    "stretched": (lambda t: _shifted(t, " CB  ALA", 5.0), "Bonded atoms"),
    "empty": (lambda t: "END\n", "There are no atoms"),
    "two molecules": (
        lambda t: _without(t, "TER", "END") + "\n" + _shifted(t, "ATOM", 30.0).replace(" A ", " B "),
        "The file holds 2 molecules",
    ),
}


def _shifted(text, word, by):
    lines = [
        f"{s[:30]}{float(s[30:38]) + by:8.3f}{s[38:]}" if s.startswith("ATOM") and word in s else s
        for s in text.splitlines()
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_name_the_residue_or_line(case, alanine_dipeptide, pdb_text):
    change, words = REFUSALS[case]
    with pytest.raises(UnsupportedSystemError) as caught:
        read_pdb(change(pdb_text(alanine_dipeptide)), "x")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_state_without_parameters_is_refused_by_name(build, pdb_text):
    molecule = build("ACE-ASH-NME")
    text = _without(pdb_text(molecule), "ACE").replace(" H   ASH", " H1  ASH")
    with pytest.raises(UnsupportedSystemError, match=r"no parameters for residue ASP 2"):
        read_pdb(text, "x")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 5000), st.text(max_size=6))
def test_damage_is_refused_or_harmless_but_never_a_crash(nma, pdb_text, place, garbage):
    text = pdb_text(nma)
    place %= len(text)
    damaged = text[:place] + garbage + text[place + len(garbage) :]
    with suppress(UnsupportedSystemError):
        assert read_pdb(damaged, "x").n_atoms == nma.n_atoms


def test_missing_files_and_folders_are_named(tmp_path):
    for path in (tmp_path / "none.pdb", tmp_path):
        with pytest.raises(UnsupportedSystemError, match="No such file"):
            PdbSource(PdbConfig(path=str(path))).build()
