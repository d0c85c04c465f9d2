"""What the engine refuses to read, and where its kernel comes from."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app

from tbg_openmm.engine import Unreadable, building, compile_system
from tbg_openmm.engine.splines import bicubic_coefficients
from tbg_openmm.topology import to_topology


def _particles(n=4):
    system = openmm.System()
    for _ in range(n):
        system.addParticle(1.0)
    return system


def _nonbonded(change):
    force = openmm.NonbondedForce()
    for _ in range(4):
        force.addParticle(0.1, 0.1, 0.1)
    change(force)
    return force


def _switched(force):
    force.setNonbondedMethod(force.CutoffNonPeriodic)
    force.setUseSwitchingFunction(True)


def _offset(force):
    force.addGlobalParameter("lambda", 0.0)
    force.addParticleParameterOffset("lambda", 0, 1.0, 0.0, 0.0)


def _periodic_torsion():
    force = openmm.PeriodicTorsionForce()
    force.setUsesPeriodicBoundaryConditions(True)
    return force


def _own_born(expression):
    force = openmm.CustomGBForce()
    force.addPerParticleParameter("charge")
    force.addEnergyTerm(expression, force.SingleParticle)
    for _ in range(4):
        force.addParticle([0.1])
    return force


SUFFIX = "; solventDielectric=78.5; soluteDielectric=1; kappa=0; offset=0.009"


@pytest.mark.parametrize(
    ("force", "reason"),
    [
        (lambda: openmm.CustomBondForce("r"), "it has a CustomBondForce"),
        (lambda: openmm.MonteCarloBarostat(1, 300), "it has a MonteCarloBarostat"),
        (_periodic_torsion, "its PeriodicTorsionForce is periodic"),
        (lambda: _nonbonded(_switched), "a switching function"),
        (lambda: _nonbonded(_offset), "parameter offsets"),
        (lambda: _nonbonded(lambda f: f.setNonbondedMethod(f.PME)), "its NonbondedForce is periodic"),
        (lambda: _own_born("charge"), "none of OpenMM's"),
        (lambda: _own_born("charge" + SUFFIX), "none of OpenMM's hct, obc1, obc2, gbn, gbn2"),
    ],
)
def test_what_is_not_known_is_refused(force, reason):
    system = _particles()
    system.addForce(force())
    with pytest.raises(Unreadable, match=reason):
        compile_system(system)


def test_what_changes_the_space_is_refused():
    for change, reason in (
        (lambda s: s.addConstraint(0, 1, 0.1), "constraints"),
        (lambda s: s.setVirtualSite(0, openmm.TwoParticleAverageSite(1, 2, 0.5, 0.5)), "virtual sites"),
        (lambda s: s.setParticleMass(0, 0.0), "particles without mass"),
    ):
        system = _particles()
        change(system)
        with pytest.raises(Unreadable, match=reason):
            compile_system(system)
    system = _particles()
    for _ in range(2):
        system.addForce(_nonbonded(lambda _: None))
    with pytest.raises(Unreadable, match="more than one NonbondedForce"):
        compile_system(system)


def test_a_changed_expression_is_another_force(nma):
    """One digit of a constant, the ionic strength, the surface: read, or refused, never mistaken."""
    files = app.ForceField("amber14-all.xml", "implicit/obc2.xml")
    system = files.createSystem(to_topology(nma))
    assert compile_system(system).born.surface == 28.3919551
    xml = openmm.XmlSerializer.serialize(system)
    assert "4.85*psi" in xml
    with pytest.raises(Unreadable, match="none of OpenMM's"):
        compile_system(openmm.XmlSerializer.deserialize(xml.replace("4.85*psi", "4.86*psi")))
    assert compile_system(openmm.XmlSerializer.deserialize(xml)).born.gamma[0] == 4.85
    bare = files.createSystem(to_topology(nma), sasaMethod=None)
    assert compile_system(bare).born.surface == 0.0
    with pytest.raises(Unreadable, match="an ionic strength"):
        compile_system(files.createSystem(to_topology(nma), implicitSolventKappa=1.0))


def test_motion_removers_have_no_energy(nma):
    system = app.ForceField("amber14-all.xml").createSystem(to_topology(nma), removeCMMotion=True)
    assert "CMMotionRemover" in {type(force).__name__ for force in system.getForces()}
    compile_system(system)


def test_splines_pass_through_their_points_smoothly():
    grid = np.random.default_rng(0).standard_normal((6, 6))
    c = bicubic_coefficients(grid)
    assert np.allclose(c[..., 0, 0], grid)
    assert np.allclose(c.sum((-1, -2)), np.roll(grid, (-1, -1), (0, 1)))
    # Value, slope and curvature in phi agree on both sides of a line of the grid.
    ends, k = np.ones(4), np.arange(4)
    for weights, start in ((ends, c[:, :, 0]), (k, c[:, :, 1]), (k * (k - 1), 2 * c[:, :, 2])):
        assert np.allclose(np.einsum("k,ijkl->ijl", weights, c), np.roll(start, -1, axis=0))


PROBE = """
import torch
from tbg_openmm.engine import Engine, compile_system
import openmm
system = openmm.System()
force = openmm.HarmonicBondForce()
for _ in range(2):
    system.addParticle(1.0)
force.addBond(0, 1, 0.1, 100.0)
system.addForce(force)
engine = Engine(compile_system(system))
x = torch.tensor([[[0.0, 0, 0], [0.3, 0, 0]]])
print(engine.backend, round(float(engine.energy(x)), 6), engine.reason)
"""


def probe(**environment):
    return subprocess.Popen(
        [sys.executable, "-c", PROBE],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_processes_may_compile_at_the_same_time(tmp_path):
    processes = [probe(TBG_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2)]
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert out.split() == ["native", "2.0"], err
    made = [path.name for path in (tmp_path / "cache").iterdir()]
    assert len(made) == 1
    assert made[0].startswith("engine-")


OTHER_MACHINE = """
from tbg_openmm.engine import building
building._TUNING = (("{flag}",),)
import openmm, torch
from openmm import app
from tbg_openmm.config import PeptideConfig
from tbg_openmm.engine import Engine, compile_system
from tbg_openmm.peptide import PeptideSource
from tbg_openmm.topology import to_topology
molecule = PeptideSource(PeptideConfig(sequence="ACE-NME")).build()
files = app.ForceField("amber14-all.xml", "implicit/gbn2.xml")
parameters = compile_system(files.createSystem(to_topology(molecule), constraints=None))
x = torch.from_numpy(molecule.reference).expand(21, -1, -1)
rest = (torch.full((21,), 300.0), 20, 0.001, 1.0, (3, torch.arange(21)))
made = [
    Engine(parameters, torch.float64, backend=backend).langevin(x, torch.zeros_like(x), *rest)
    for backend in ("native", "torch")
]
assert all((a - b).abs().max() < 1e-9 for a, b in zip(*made))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="names instruction sets of x86")
@pytest.mark.parametrize("flag", ["-march=x86-64", "-march=haswell"])
def test_processors_with_narrower_vectors(tmp_path, flag):
    if flag == "-march=haswell" and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no AVX2")
    environment = {**os.environ, "TBG_CACHE_DIR": str(tmp_path)}
    code = OTHER_MACHINE.format(flag=flag)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_torn_library_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("TBG_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(building, "_FLAGS", (*building._FLAGS, "-O0"))  # another key, compiled quickly
    first = building.library.__wrapped__()
    assert first.tbg_lanes(0) == 2 * first.tbg_lanes(1)
    torn = tmp_path / "torn.so"
    torn.write_bytes(b"torn")
    source = Path(building.__file__).parent / "native" / "kernel.cpp"
    assert building._load(building.find_compiler(), source, torn).tbg_lanes(0) == first.tbg_lanes(0)


@pytest.mark.parametrize("compiler", ["false", pytest.param("no-such-compiler", marks=pytest.mark.slow)])
def test_without_a_compiler_torch_does_it_and_says_why(tmp_path, compiler):
    out, err = probe(TBG_CACHE_DIR=str(tmp_path), CXX=compiler).communicate(timeout=300)
    assert out.split()[:2] == ["torch", "2.0"], err
    assert compiler in out
    assert not list(Path(tmp_path).iterdir())
