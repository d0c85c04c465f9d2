from __future__ import annotations

import math

import numpy as np
import pytest

from tbg_core.ensemble.recorded_system import RecordedSystem
from tbg_core.errors import ConfigError, TbgError
from tbg_core.molecule.pdb import write_pdb
from tbg_core.observables import available, default_observables, parse_observable
from tbg_core.observables.torsions import torsions

peptide = pytest.importorskip("tbg_openmm.peptide")
config = pytest.importorskip("tbg_openmm.config")


@pytest.fixture(scope="module")
def molecule():
    made = {}

    def get(sequence):
        if sequence not in made:
            made[sequence] = peptide.PeptideSource(config.PeptideConfig(sequence=sequence)).build()
        return made[sequence]

    return get


def noisy(molecule, n=4):
    return molecule.reference + np.random.default_rng(0).normal(scale=0.02, size=(n, molecule.n_atoms, 3))


@pytest.mark.parametrize("sequence", ["ACE-ALA-NME", "RW", "IMP"])
def test_torsions_agree_with_mdtraj(molecule, sequence, tmp_path):
    mdtraj = pytest.importorskip("mdtraj")
    system = molecule(sequence)
    write_pdb(tmp_path / "m.pdb", system)
    trajectory = mdtraj.Trajectory(noisy(system), mdtraj.load(str(tmp_path / "m.pdb")).topology)
    compared = 0
    for kind in ("phi", "psi", "omega", "chi1", "chi2", "chi3", "chi4"):
        atoms, values = getattr(mdtraj, f"compute_{kind}")(trajectory)
        ours = torsions(system, kind)
        if kind != "omega":  # mdtraj knows no omega next to a cap
            assert {tuple(map(int, a)) for a in atoms} == set(ours.values())
        for quadruple, theirs in zip(atoms.tolist(), values.T, strict=True):
            residue = next(r for r, own in ours.items() if own == tuple(quadruple))
            observable = parse_observable(f"{kind}:{residue + 1}", system)
            difference = observable(trajectory.xyz) - theirs
            assert np.abs(np.sin(difference / 2)).max() < 1e-4
            compared += 1
    assert compared >= 2


def test_names_of_the_alanine_dipeptide(molecule):
    ala = molecule("ACE-ALA-NME")
    torsion = ("phi", "psi", "omega:1", "omega:2")
    assert available(ala) == (*torsion, "rg", "end-to-end", "rmsd", "j-hn-ha", "j-hn-cb", "j-hn-c")
    assert [o.name for o in default_observables(ala)] == [*torsion, "rg"]
    phi = parse_observable("phi", ala)
    assert (phi.name, phi.unit, phi.period) == ("phi", "rad", 2 * math.pi)
    assert [ala.atom_names[i] for i in phi.atoms] == ["C", "N", "CA", "C"]
    assert parse_observable("phi:2", ala) == phi
    # The extended reference has trans peptide bonds.
    for omega in ("omega:1", "omega:2"):
        assert abs(parse_observable(omega, ala)(ala.reference[None])[0]) > 2.8


def test_the_first_torsion_is_meant_without_a_residue(molecule):
    system = molecule("RW")
    assert parse_observable("chi1", system).name == "chi1:1"
    assert parse_observable("chi2:2", system).name == "chi2:2"
    assert parse_observable("chi5", system).name == "chi5"
    assert parse_observable("phi", system) == parse_observable("phi:2", system)


def test_every_name_is_read_back_as_itself(molecule):
    system = molecule("RW")
    for name in available(system):
        observable = parse_observable(name, system)
        assert observable.name == name
        assert observable(noisy(system)).shape == (4,)


def test_atoms_by_index_residue_and_name(molecule):
    ala = molecule("ACE-ALA-NME")
    x = noisy(ala)
    n, ca = ala.atom(1, "N"), ala.atom(1, "CA")
    expected = np.linalg.norm(x[:, n] - x[:, ca], axis=1)
    for text in (f"distance:{n},{ca}", "distance:2:N,2:CA", f"distance: {n} , CA", "distance:2:N,CA"):
        observable = parse_observable(text, ala)
        assert observable.name == f"distance:{n},{ca}"
        assert (observable.unit, observable.period) == ("nm", None)
        assert np.allclose(observable(x), expected)
    torsion = parse_observable("torsion:1:C,2:N,2:CA,2:C", ala)
    assert np.array_equal(torsion(x), parse_observable("phi", ala)(x))
    assert torsion.period == 2 * math.pi
    assert parse_observable("angle:2:N,2:CA,2:C", ala).period is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fi", r"'fi' is not an observable.*phi, psi, omega:1, omega:2, rg"),
        ("rg:2", "not an observable"),
        ("rmsd:side", "'side' is no selection of atoms. Use heavy, backbone, all"),
        ("rmsd@nowhere.pdb", "cannot read nowhere.pdb"),
        ("j-hn-ha:1", "no j-hn-ha in residue 1"),
        ("j-hn-ha@pople", "no parameters 'pople'. It has voegeli2007, schmidt1999, hu1997"),
        ("phi:1", "no phi in residue 1.*phi, psi"),
        ("phi:x", "no phi in residue x"),
        ("chi1", "no chi1.*phi, psi"),
        ("distance:1", "names 1 atoms; a distance needs 2"),
        ("distance", "names 0 atoms"),
        ("distance:1,22", "no atom 22.*0 to 21"),
        ("distance:1,-1", "no atom '-1'"),
        ("distance:3,3", "twice"),
        ("distance:2:N,2:CQ", r"Residue 2 \(ALA\) has no atom 'CQ'.*CA"),
        ("distance:9:N,1", "no atom '9:N'.*1 ACE, 2 ALA, 3 NME"),
        ("distance:N,1", "2 atoms are called 'N'"),
    ],
)
def test_errors_say_what_the_molecule_has(molecule, text, message):
    with pytest.raises(TbgError, match=message):
        parse_observable(text, molecule("ACE-ALA-NME"))


def test_other_systems_have_none():
    lattice = RecordedSystem("lattice of spins", "0", (4, 4, 2), 16)
    assert default_observables(lattice) == available(lattice) == ()
    with pytest.raises(ConfigError, match=r"'phi' is not an observable of lattice of spins. It has no named obs"):
        parse_observable("phi", lattice)


def test_texts_cannot_carry_code(molecule, tmp_path):
    """The oversampling of a config is read by this function."""
    file = tmp_path / "cv.py"
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(x): return x[:, 0, 0]\n")
    with pytest.raises(ConfigError, match=r"Python code, which a config cannot carry. .*tbg estimate RUN --observable"):
        parse_observable(f"{file}:f", molecule("ACE-ALA-NME"))
    assert not (tmp_path / "ran").exists()


def test_positions_of_the_wrong_shape_are_refused(molecule):
    ala = molecule("ACE-ALA-NME")
    with pytest.raises(ValueError, match=r"phi needs positions \[n, N, 3\]"):
        parse_observable("phi", ala)(ala.reference)
