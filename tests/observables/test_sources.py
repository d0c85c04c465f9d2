"""The sources of the core: conformance, and agreement with mdtraj."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np
import pytest

from tbg_core.errors import StorageError
from tbg_core.loading import load_system
from tbg_core.molecule.pdb import read_positions, write_pdb
from tbg_core.observables import parse_observable, rmsd_from
from tbg_core.observables.config import InternalCoordinatesConfig, JCouplingsConfig, ShapeConfig, TorsionsConfig
from tbg_core.observables.internal import InternalCoordinates
from tbg_core.observables.karplus import CURVES, JCouplings
from tbg_core.observables.named_torsions import Torsions
from tbg_core.observables.shape import Shape
from tbg_core.observables.superposition import rmsd
from tbg_core.testing import ObservableConformance

pytest.importorskip("tbg_openmm")


tripeptide = lru_cache(maxsize=1)(lambda: load_system("ARW"))


@pytest.fixture(scope="module")
def peptide():
    return tripeptide()


def noisy(system, n=6, scale=0.03):
    return system.reference + np.random.default_rng(1).normal(scale=scale, size=(n, system.n_atoms, 3))


class OfPeptide(ObservableConformance):
    def system(self):
        return tripeptide()

    def states(self):
        return noisy(tripeptide())


class TestTorsions(OfPeptide):
    refused = ("phi:1", "chi1:1", "omega:x")
    foreign = ("", "torsion:0,1,2,3", "rg", "phis")

    def make(self):
        return Torsions(TorsionsConfig())


class TestInternalCoordinates(OfPeptide):
    texts = ("distance:0,5", "angle:1:N,1:CA,1:C", "torsion:1:N,1:CA,1:C,2:N")
    foreign = ("", "phi", "distances:1,2")
    refused = ("distance:0", "angle:0,1,1", "torsion:0,1,2,9999")

    def make(self):
        return InternalCoordinates(InternalCoordinatesConfig())


class TestShape(OfPeptide):
    texts = ("rmsd:all", "rmsd:backbone")
    foreign = ("", "rg:2", "phi", "rms")
    refused = ("rmsd:ring",)

    def make(self):
        return Shape(ShapeConfig())


class TestJCouplings(OfPeptide):
    texts = ("j-hn-ha:2@hu1997", "j-hn-ha:3@schmidt1999")
    foreign = ("", "j", "phi")
    refused = ("j-hn-ha:1", "j-hn-c:2@hu1997")

    def make(self):
        return JCouplings(JCouplingsConfig())


@pytest.fixture(scope="module")
def trajectory(peptide, tmp_path_factory):
    mdtraj = pytest.importorskip("mdtraj")
    path = tmp_path_factory.mktemp("mdtraj") / "m.pdb"
    write_pdb(path, peptide)
    return mdtraj.Trajectory(noisy(peptide), mdtraj.load(str(path)).topology)


def test_distances_angles_and_size_agree_with_mdtraj(peptide, trajectory):
    import mdtraj

    x = trajectory.xyz
    pairs, triples = [[0, 9], [3, 30]], [[0, 9, 4], [3, 30, 8]]
    for pair, theirs in zip(pairs, mdtraj.compute_distances(trajectory, pairs).T, strict=True):
        assert np.allclose(parse_observable(f"distance:{pair[0]},{pair[1]}", peptide)(x), theirs, atol=1e-6)
    for triple, theirs in zip(triples, mdtraj.compute_angles(trajectory, triples).T, strict=True):
        ours = parse_observable(f"angle:{','.join(map(str, triple))}", peptide)(x)
        assert np.allclose(ours, theirs, atol=1e-4)
    masses = np.array(peptide.masses)
    centre = np.einsum("n,fnk->fk", masses / masses.sum(), x.astype(np.float64))
    # mdtraj measures the deviations from the mean position even where it weights them by mass.
    offset = np.sum((centre - x.mean(axis=1)) ** 2, axis=1)
    theirs = mdtraj.compute_rg(trajectory, masses=masses)
    assert np.allclose(np.sqrt(parse_observable("rg", peptide)(x) ** 2 + offset), theirs, atol=1e-6)


@pytest.mark.parametrize("selection", ["heavy", "backbone", "all"])
def test_rmsd_agrees_with_mdtraj(peptide, trajectory, selection):
    import mdtraj

    frame = trajectory.xyz[4]
    observable = rmsd_from(peptide, frame, selection)
    theirs = mdtraj.rmsd(trajectory, trajectory, frame=4, atom_indices=np.array(observable.atoms))
    assert np.allclose(observable(trajectory.xyz), theirs, atol=2e-4)  # theirs is computed in single precision
    assert observable(trajectory.xyz)[4] < 1e-7


def test_rmsd_of_a_molecule_and_its_mirror_image_is_not_zero(peptide):
    assert rmsd(-peptide.reference, peptide.reference) > 0.01
    # A rotation by any angle about any axis, and a shift, are taken out.
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    assert rmsd(peptide.reference @ turn.T + 5.0, peptide.reference) < 1e-7


def test_rmsd_is_the_smallest_over_rotations(peptide):
    """Against a numerical minimum over rotation vectors."""
    from scipy.optimize import minimize
    from scipy.spatial.transform import Rotation

    a, b = (x - x.mean(axis=0) for x in noisy(peptide, 2, scale=0.2))

    def deviation(v):
        return np.sqrt(np.mean(np.sum((Rotation.from_rotvec(v).apply(a) - b) ** 2, axis=1)))

    best = min(minimize(deviation, v, tol=1e-12).fun for v in ([0.0, 0, 0], [2.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]))
    assert rmsd(a, b) == pytest.approx(best, abs=1e-7)


def test_rmsd_from_a_file_whose_atoms_are_in_another_order(peptide, tmp_path):
    x = noisy(peptide)
    file = tmp_path / "frame.pdb"
    write_pdb(file, peptide, x[2])
    lines = file.read_text().splitlines()
    atoms = [line for line in lines if line.startswith("ATOM")]
    first = [line for line in atoms if int(line[22:26]) == 1]
    shuffled = [*reversed(first), *atoms[len(first) :]]
    file.write_text("\n".join([*shuffled, "ENDMDL", "END"]))
    assert np.allclose(read_positions(file, peptide), x[2], atol=5e-5)
    assert parse_observable(f"rmsd:all@{file}", peptide)(x)[2] < 1e-4
    with pytest.raises(StorageError, match=r"no conformation of GF.*atoms are missing"):
        parse_observable(f"rmsd@{file}", load_system("GF"))


@pytest.mark.parametrize(
    ("kind", "parameters", "theirs"),
    [
        ("j-hn-ha", "voegeli2007", ("compute_J3_HN_HA", "Bax2007")),
        ("j-hn-ha", "schmidt1999", ("compute_J3_HN_HA", "Ruterjans1999")),
        ("j-hn-ha", "hu1997", ("compute_J3_HN_HA", "Bax1997")),
        ("j-hn-cb", "voegeli2007", ("compute_J3_HN_CB", "Bax2007")),
        ("j-hn-c", "voegeli2007", ("compute_J3_HN_C", "Bax2007")),
    ],
)
def test_couplings_agree_with_mdtraj(peptide, trajectory, kind, parameters, theirs):
    from mdtraj.nmr import scalar_couplings

    name, model = theirs
    phi_atoms, values = getattr(scalar_couplings, name)(trajectory, model=model)
    uncertainty = getattr(scalar_couplings, f"{name.removeprefix('compute_')}_uncertainties")[model]
    assert len(phi_atoms) == 2
    for atoms, expected in zip(phi_atoms.tolist(), values.T, strict=True):
        residue = peptide.residue_index[atoms[2]] + 1
        observable = parse_observable(f"{kind}:{residue}@{parameters}", peptide)
        assert list(observable.atoms) == atoms
        assert np.allclose(observable(trajectory.xyz), expected, atol=1e-3)
        assert observable.model_error == uncertainty == CURVES[kind][parameters].sigma
        assert observable.source
        assert observable.unit == "Hz"


def test_couplings_are_there_where_their_atoms_are():
    system = load_system("AGPA")
    listed = {n for n in JCouplings(JCouplingsConfig()).names(system) if n.startswith("j-hn-ha")}
    assert listed == {"j-hn-ha"}  # of residue 4 alone: glycine has no HA, proline no HN
    assert parse_observable("j-hn-ha:4", system) == parse_observable("j-hn-ha", system)


def test_the_extended_chain_is_long(peptide):
    assert peptide.reference is not None
    length = parse_observable("end-to-end", peptide)
    assert 0.5 < length(peptide.reference[None])[0] < 0.8  # two virtual bonds of 0.38 nm
    assert [peptide.atom_names[i] for i in length.atoms] == ["CA", "CA"]


def test_a_molecule_without_reference_has_no_rmsd_from_it(peptide):
    bare = dataclasses.replace(peptide, reference=None)
    assert "rmsd" not in Shape(ShapeConfig()).names(bare)
