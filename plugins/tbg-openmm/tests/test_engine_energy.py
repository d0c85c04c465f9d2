"""The engine against OpenMM's Reference platform, over every combination of forces that it reads."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import openmm
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openmm import app, unit

from tbg_openmm.engine import Engine, compile_system
from tbg_openmm.engine.torch_energy import TorchEnergy
from tbg_openmm.topology import to_topology

BACKENDS = ("native", "torch")
SOLVENTS = ("hct", "obc1", "obc2", "gbn", "gbn2")
# (relative to the sum of absolute terms, absolute up to 41 atoms; forces relative to the largest)
TOLERANCE = {torch.float64: (1e-11, 1e-8, 1e-11), torch.float32: (1e-6, 2e-3, 5e-6)}


def system_of(molecule, files, cutoff_nm=None):
    method = app.NoCutoff if cutoff_nm is None else app.CutoffNonPeriodic
    options = {} if cutoff_nm is None else {"nonbondedCutoff": cutoff_nm * unit.nanometer}
    return app.ForceField(*files).createSystem(
        to_topology(molecule), nonbondedMethod=method, constraints=None, rigidWater=False, **options
    )


def magnitude(parameters, x):
    """Sum of the absolute terms of each row."""
    terms = TorchEnergy(parameters, torch.float64, torch.device("cpu")).terms(x.double().permute(2, 1, 0))
    return sum(term.abs().sum(0) for term in terms)


def check(system, x, by_reference, backends=BACKENDS, dtypes=tuple(TOLERANCE)):
    """Compares at positions in single precision, which both see exactly."""
    parameters, x = compile_system(system), x.float()
    energies, forces = by_reference(system, x)
    scale = magnitude(parameters, x)
    for backend in backends:
        for dtype in dtypes:
            relative, absolute, force = TOLERANCE[dtype]
            u, f = Engine(parameters, dtype, backend=backend).energy_and_forces(x)
            error = (u - energies).abs()
            assert (error <= relative * scale).all(), (backend, dtype, error, scale)
            if parameters.n_atoms <= 41:
                assert (error <= absolute).all(), (backend, dtype, error)
            assert (f - forces).abs().max() <= force * forces.abs().max(), (backend, dtype)


@pytest.mark.parametrize("cutoff", [None, 0.9], ids=["no-cutoff", "cutoff"])
@pytest.mark.parametrize("solvent", [*SOLVENTS, "native-obc"])
def test_implicit_solvents(gf, engine_frames, by_reference, solvent, cutoff):
    files = ("amber14-all.xml", f"implicit/{solvent}.xml")
    if solvent == "native-obc":
        files = ("amber99sbildn.xml", "amber99_obc.xml")
    # 0.9 nm cuts pairs of this molecule; the reaction field's dielectric is 1 with the implicit files.
    system = system_of(gf, files, cutoff)
    check(system, engine_frames(gf, compile_system(system), 4), by_reference)


@pytest.mark.parametrize("dielectric", [1.0, 78.3])
def test_reaction_fields(gf, engine_frames, by_reference, dielectric):
    system = system_of(gf, ("amber14-all.xml",), 0.7)
    force = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    assert force.getReactionFieldDielectric() == 78.3
    force.setReactionFieldDielectric(dielectric)
    check(system, engine_frames(gf, compile_system(system), 4), by_reference)


def test_correction_maps_of_a_real_force_field(gf, engine_frames, by_reference):
    system = system_of(gf, ("amber19-all.xml", "implicit/gbn2.xml"))
    assert len(compile_system(system).cmaps.atoms) == 0  # a dipeptide has no residue with both dihedrals


@pytest.mark.slow
def test_correction_maps_of_a_longer_peptide(build, engine_frames, by_reference):
    molecule = build("AGW")
    system = system_of(molecule, ("amber19-all.xml", "implicit/gbn2.xml"))
    parameters = compile_system(system)
    assert len(parameters.cmaps.atoms) == 1
    check(system, engine_frames(molecule, parameters, 8), by_reference)


def chain(n=8, seed=0):
    """n atoms along a crooked chain [12, n, 3], and an empty System of them."""
    random = np.random.default_rng(seed)
    steps = random.standard_normal((12, n, 3))
    steps /= np.linalg.norm(steps, axis=-1, keepdims=True)
    system = openmm.System()
    for i in range(n):
        system.addParticle(1.0 + i)
    return system, torch.from_numpy(0.15 * steps.cumsum(axis=1))


def test_torsions_of_any_phase_and_periodicity(by_reference):
    system, x = chain()
    force = openmm.PeriodicTorsionForce()
    random = np.random.default_rng(1)
    for n in (1, 2, 3, 4, 5, 6, 9, 12):
        force.addTorsion(*random.permutation(8)[:4].tolist(), n, random.uniform(-4, 4), random.normal(0, 20))
    # The same dihedral twice, once from the other end.
    force.addTorsion(0, 1, 2, 3, 2, 0.7, 5.0)
    force.addTorsion(3, 2, 1, 0, 3, -0.4, 7.0)
    system.addForce(force)
    assert len(compile_system(system).torsions.atoms) == 9
    check(system, x, by_reference)


def test_ryckaert_bellemans_torsions(by_reference):
    system, x = chain(seed=2)
    force = openmm.RBTorsionForce()
    random = np.random.default_rng(3)
    for start in range(5):
        force.addTorsion(start, start + 1, start + 2, start + 3, *random.normal(0, 10, 6).tolist())
    system.addForce(force)
    check(system, x, by_reference)


def test_correction_maps(by_reference):
    system, x = chain(seed=4)
    force = openmm.CMAPTorsionForce()
    random = np.random.default_rng(5)
    for size in (7, 24):
        force.addMap(size, random.normal(0, 10, size * size).tolist())
    force.addTorsion(0, 0, 1, 2, 3, 1, 2, 3, 4)
    force.addTorsion(1, 2, 3, 4, 5, 3, 4, 5, 6)
    force.addTorsion(1, 7, 6, 5, 4, 3, 2, 1, 0)
    system.addForce(force)
    check(system, x, by_reference)


def test_bonds_and_angles_far_from_rest(by_reference):
    system, x = chain(seed=6)
    bonds, angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    for i, j in pairwise(range(8)):
        bonds.addBond(i, j, 0.1 + 0.01 * i, 1e5)
        if j < 7:
            angles.addAngle(i, j, j + 1, 0.3 * j, 300.0)
    system.addForce(bonds)
    system.addForce(angles)
    check(system, x, by_reference)


@pytest.mark.parametrize("cutoff", [None, 0.4])
def test_nonbonded_exceptions(by_reference, cutoff):
    system, x = chain(seed=8)
    force = openmm.NonbondedForce()
    random = np.random.default_rng(9)
    for _ in range(8):
        force.addParticle(random.normal(), random.uniform(0.05, 0.1), random.uniform(0, 1))
    force.addException(0, 1, 0.0, 1.0, 0.0)
    force.addException(3, 2, 0.4, 0.12, 0.3)
    force.addException(0, 7, -0.4, 0.1, 0.0)  # beyond the cutoff in some rows: exceptions are not cut
    if cutoff:
        force.setNonbondedMethod(force.CutoffNonPeriodic)
        force.setCutoffDistance(cutoff)
    system.addForce(force)
    check(system, x, by_reference)


@pytest.mark.parametrize("kind", ["custom", "native"])
def test_atoms_inside_each_other(by_reference, kind):
    """Where one atom engulfs another one, the native force and the custom ones differ, and so must the engine."""
    system, x = chain(n=6, seed=10)
    x = 0.25 * x
    scales, radii = (1.1, 0.8, 1.3, 0.9, 1.2, 0.7), (0.17, 0.08, 0.2, 0.12, 0.08, 0.19)
    if kind == "native":
        force = openmm.GBSAOBCForce()
        for k in range(6):
            force.addParticle((-1) ** k * 0.4, radii[k], scales[k])
    else:
        from openmm.app.internal.customgbforces import GBSAHCTForce

        force = GBSAHCTForce(SA="ACE")
        for k in range(6):
            force.addParticle([(-1) ** k * 0.4, radii[k], scales[k]])
        force.finalize()
    system.addForce(force)
    parameters = compile_system(system)
    r = (x[:, :, None] - x[:, None]).norm(dim=-1)
    inside = parameters.born.scaled_radii[None, None, :] - r.numpy() > parameters.born.offset_radii[None, :, None]
    assert inside[:, ~np.eye(6, dtype=bool)].any()
    energies, _ = by_reference(system, x)
    # Born radii of such heaps come out close to infinite, or negative: energies without sense, and without digits.
    check(system, x[energies.abs() < 1e3], by_reference, dtypes=[torch.float64])


LETTERS = "ACDEFGHIKLMNPQRSTVWY"
RESIDUES = ["ALA", "ARG", "ASN", "ASP", "CYS", "GLN", "GLU", "GLY", "HIE", "ILE"]
RESIDUES += ["LEU", "LYS", "MET", "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL"]
PROTONATION = ["HID", "HIP", "ASH", "GLH", "LYN"]
ZWITTERIONS = st.text(LETTERS, min_size=2, max_size=3)
CAPPED = st.tuples(st.just("ACE"), st.sampled_from(RESIDUES + PROTONATION), st.sampled_from(["NME", "NH2"])).map(
    "-".join
)
FILES = st.sampled_from(
    [("amber14-all.xml", f"implicit/{s}.xml") for s in SOLVENTS] + [("amber99sbildn.xml", "amber99_obc.xml")]
)
MOLECULES = {
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    "deadline": None,
    "derandomize": True,
}


def check_molecule(build, engine_frames, by_reference, text, files, cutoff):
    molecule = build(text)
    system = system_of(molecule, files, cutoff)
    check(system, engine_frames(molecule, compile_system(system), 3), by_reference, ["native"])


@settings(**MOLECULES, max_examples=3)
@given(text=CAPPED, files=FILES, cutoff=st.sampled_from([None, 2.0]))
def test_some_molecules(build, engine_frames, by_reference, text, files, cutoff):
    check_molecule(build, engine_frames, by_reference, text, files, cutoff)


@pytest.mark.slow
@settings(**MOLECULES, max_examples=40)
@given(text=CAPPED | ZWITTERIONS, files=FILES, cutoff=st.sampled_from([None, 0.8, 2.0]))
def test_random_molecules(build, engine_frames, by_reference, text, files, cutoff):
    check_molecule(build, engine_frames, by_reference, text, files, cutoff)


@pytest.mark.slow
@pytest.mark.parametrize("residue", RESIDUES + PROTONATION)
def test_every_amino_acid(build, engine_frames, by_reference, residue):
    files = ("amber14-all.xml", "implicit/gbn2.xml")
    check_molecule(build, engine_frames, by_reference, f"ACE-{residue}-NME", files, 2.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_forces_by_finite_differences(gf, near_reference, backend):
    system = system_of(gf, ("amber14-all.xml", "implicit/gbn2.xml"), 0.9)
    engine = Engine(compile_system(system), torch.float64, backend=backend)
    x = near_reference(gf, 1)
    random = np.random.default_rng(12)
    directions = torch.from_numpy(random.standard_normal((5, *x.shape[1:])))
    step = 1e-6
    slope = (engine.energy(x + step * directions) - engine.energy(x - step * directions)) / (2 * step)
    _, forces = engine.energy_and_forces(x)
    exact = -(forces * directions).flatten(1).sum(1)
    assert (slope - exact).abs().max() < 1e-6 * exact.abs().max()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_depends_on_itself_alone(gf, near_reference, backend, dtype):
    parameters = compile_system(system_of(gf, ("amber14-all.xml", "implicit/obc1.xml"), 2.0))
    x = near_reference(gf, 150)
    engine = Engine(parameters, dtype, backend=backend)
    u, f = engine.energy_and_forces(x)
    for rows in (slice(0, 1), slice(3, 20), slice(149, None), slice(None, None, -1)):
        alone_u, alone_f = engine.energy_and_forces(x[rows] if rows.step is None else x.flip(0))
        assert torch.equal(alone_u, u[rows] if rows.step is None else u.flip(0))
        assert torch.equal(alone_f, f[rows] if rows.step is None else f.flip(0))
    threaded = Engine(parameters, dtype, backend=backend, threads=3).energy_and_forces(x)
    assert torch.equal(threaded[0], u)
    assert torch.equal(threaded[1], f)
    spoiled = x.clone()
    spoiled[7, 3, 1], spoiled[8, 0], spoiled[9] = math.nan, spoiled[8, 1], math.inf
    bad_u, bad_f = engine.energy_and_forces(spoiled)
    assert torch.isnan(bad_u[7:10]).all()
    assert torch.isnan(bad_f[7:10]).all()
    others = [i for i in range(150) if i not in {7, 8, 9}]
    assert torch.equal(bad_u[others], u[others])
    assert torch.equal(bad_f[others], f[others])
    assert [len(part) for part in engine.energy_and_forces(x[:0])] == [0, 0]
