from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from tbg_core.errors import StorageError
from tbg_core.molecule.pdb import pdb_text, write_pdb

app = pytest.importorskip("openmm.app")


def test_openmm_reads_the_same_molecule(alanine):
    pdb = app.PDBFile(io.StringIO(pdb_text(alanine, alanine.reference)))
    atoms = list(pdb.topology.atoms())
    assert tuple(a.element.symbol for a in atoms) == alanine.elements
    # OpenMM gives the hydrogens of caps its own names.
    heavy = [i for i, element in enumerate(alanine.elements) if element != "H"]
    assert [atoms[i].name for i in heavy] == [alanine.atom_names[i] for i in heavy]
    assert tuple(a.residue.index for a in atoms) == alanine.residue_index
    assert tuple(r.name for r in pdb.topology.residues()) == alanine.residue_names
    bonds = {tuple(sorted((a.index, b.index))) for a, b in pdb.topology.bonds()}
    assert bonds == set(alanine.bonds)
    assert np.abs(pdb.getPositions(asNumpy=True)._value - alanine.reference).max() <= 5.1e-5


def test_a_nonstandard_residue_keeps_its_bonds(build):
    meso = build("meso")
    pdb = app.PDBFile(io.StringIO(pdb_text(meso, meso.reference)))
    assert [a.element.symbol for a in pdb.topology.atoms()] == list(meso.elements)
    assert {tuple(sorted((a.index, b.index))) for a, b in pdb.topology.bonds()} == set(meso.bonds)


def test_columns(build):
    acetate = build("acetate")
    lines = pdb_text(acetate, np.full((7, 3), -1.25)).splitlines()
    assert lines[0] == "TITLE     acetate"
    assert lines[1] == "HETATM    1  C1  LIG A   1     -12.500 -12.500 -12.500  1.00  0.00           C"
    assert lines[4] == "HETATM    4  O2  LIG A   1     -12.500 -12.500 -12.500  1.00  0.00           O1-"
    assert lines[8] == "TER       8      LIG A   1"
    assert lines[9] == "CONECT    1    2    5    6    7"
    assert lines[-1] == "END"


def test_several_conformations_are_models(alanine, tmp_path):
    x = np.stack([alanine.reference, -alanine.reference, 2 * alanine.reference])
    write_pdb(tmp_path / "models.pdb", alanine, x)
    pdb = app.PDBFile(str(tmp_path / "models.pdb"))
    assert pdb.getNumFrames() == 3
    for i in range(3):
        assert np.abs(pdb.getPositions(asNumpy=True, frame=i)._value - x[i]).max() <= 5.1e-5


def test_mdtraj_reads_it(alanine, tmp_path):
    mdtraj = pytest.importorskip("mdtraj")
    write_pdb(tmp_path / "a.pdb", alanine)
    trajectory = mdtraj.load(str(tmp_path / "a.pdb"))
    assert {tuple(sorted((a.index, b.index))) for a, b in trajectory.topology.bonds} == set(alanine.bonds)
    assert np.degrees(mdtraj.compute_phi(trajectory)[1][0, 0]) == pytest.approx(-75, abs=0.1)


def test_what_does_not_fit_is_refused(alanine, tmp_path):
    with pytest.raises(StorageError, match="not finite"):
        pdb_text(alanine, np.full((22, 3), np.nan))
    with pytest.raises(StorageError, match="does not fit"):
        pdb_text(alanine, np.full((22, 3), 1000.0))
    with pytest.raises(StorageError, match="columns"):
        pdb_text(replace(alanine, atom_names=("CH3XX", *alanine.atom_names[1:])), alanine.reference)
    with pytest.raises(StorageError, match="no reference"):
        write_pdb(tmp_path / "a.pdb", replace(alanine, reference=None))
    with pytest.raises(ValueError, match=r"\[22, 3\]"):
        pdb_text(alanine, np.zeros((3, 3)))
