"""The energy: equal to OpenMM's own, safe, and the same whoever computes it."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal

import numpy as np
import openmm
import pytest
import torch
from openmm import app, unit
from pydantic import ValidationError

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.contracts.system import Euclidean
from tbg_core.errors import EnergyError
from tbg_core.testing.energy import EnergyConformance
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import OpenMMConfig
from tbg_openmm.forcefield import bundled_file, load_forcefield, refuse_unsupported
from tbg_openmm.platforms import choose_platform
from tbg_openmm.topology import to_topology

STATE = ThermodynamicState(300.0)


class TestReference(EnergyConformance):
    step = 1e-6

    @pytest.fixture(autouse=True)
    def molecule(self, nma, near_reference):
        self.nma, self.near = nma, near_reference

    def make(self):
        return OpenMMBackend(OpenMMConfig(platform="Reference"))

    def system(self):
        return self.nma

    def states(self):
        return self.near(self.nma, 5)


class TestSinglePrecision(TestReference):
    """The CPU platform computes in single precision."""

    step = 1e-3
    gradient_rtol = 2e-2
    u_atol = 2e-3

    def make(self):
        return OpenMMBackend(OpenMMConfig(platform="CPU", preset="amber14-obc1-310K"))


class TestWorkers(TestReference):
    def make(self):
        return OpenMMBackend(OpenMMConfig(platform="Reference", workers=2))

    # Of the tests that start processes, one is enough.
    test_gradient_by_finite_differences = None
    test_autograd_gives_the_same_gradient = None
    test_translation_changes_nothing = None
    test_energy_and_gradient_are_float64 = None
    test_rows_do_not_depend_on_the_batch = None
    test_evaluations_are_counted = None


@pytest.mark.parametrize(
    ("text", "preset", "files", "method", "temperature"),
    [
        (
            "ACE-ALA-NME",
            "amber99sbildn-obc-300K",
            ("amber99sbildn.xml", "amber99_obc.xml"),
            app.NoCutoff,
            300.0,
        ),
        ("GF", "amber14-obc1-310K", ("amber14-all.xml", "implicit/obc1.xml"), app.CutoffNonPeriodic, 310.0),
    ],
)
def test_presets_are_what_openmm_computes_from_the_named_files(
    build, near_reference, text, preset, files, method, temperature
):
    molecule = build(text)
    x = near_reference(molecule, 3)
    topology = app.Topology()
    chain = topology.addChain()
    residues = [topology.addResidue(name, chain) for name in molecule.residue_names]
    atoms = [
        topology.addAtom(name, app.Element.getBySymbol(symbol), residues[r])
        for name, symbol, r in zip(molecule.atom_names, molecule.elements, molecule.residue_index, strict=True)
    ]
    for i, j in molecule.bonds:
        topology.addBond(atoms[i], atoms[j])
    system = app.ForceField(*files).createSystem(
        topology, nonbondedMethod=method, nonbondedCutoff=2 * unit.nanometer, constraints=None
    )
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    backend = OpenMMBackend(OpenMMConfig(platform="Reference"))
    assert backend.default_temperature_K(molecule) == temperature
    with backend.bind(molecule, ThermodynamicState(temperature)) as target:
        u, gradient = target.energy_and_grad(x)
        kT = 8.31446261815324e-3 * temperature
        for i in range(len(x)):
            context.setPositions(x[i].numpy())
            state = context.getState(getEnergy=True, getForces=True)
            energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
            forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
            assert float(u[i]) == energy / kT
            assert np.array_equal(gradient[i].numpy(), -forces / kT)
        described = target.describe()
    assert described["preset"] == preset
    assert described["forcefield"] == list(files)
    assert described["openmm_version"] == openmm.Platform.getOpenMMVersion()
    assert described["platform"] == "Reference"


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_hopeless_conformations_stay_alone(nma, near_reference, platform):
    x = near_reference(nma, 6)
    x[0, 3] = math.inf
    x[1, 2, 0] = 1e300
    x[2, 1] = x[2, 0]
    x[3, 0, 0] = 2e4
    x[4] = 0.0
    config = OpenMMConfig(platform=platform, preset="amber14-obc1-310K")
    with OpenMMBackend(config).bind(nma, STATE) as target:
        u, gradient = target.energy_and_grad(x)
        good = target.reduced_energy(x[5:])
    assert not torch.isfinite(u[:2]).any()
    assert not torch.isfinite(u[3])
    assert not bool((u[2:5] < 1e4).any())  # nan, infinite or huge, never plausible
    assert torch.isfinite(gradient).all()
    assert u[5] == good[0]


def test_the_platform_is_chosen_by_size_and_force(nma):
    backend = OpenMMBackend(OpenMMConfig())
    with backend.bind(nma, STATE) as target:
        assert target.platform.name == "Reference"
    with OpenMMBackend(OpenMMConfig(preset="amber14-obc1-310K")).bind(nma, STATE) as target:
        assert target.platform.name != "Reference"
    missing = next(n for n in ("CUDA", "HIP", "OpenCL") if n not in _platforms())
    with pytest.raises(EnergyError, match=f"no platform {missing} here; it has Reference"):
        choose_platform(target.openmm_system, missing, "mixed")


def _platforms():
    return [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]


def test_workers_give_the_same_bits_and_end(nma, near_reference):
    x = near_reference(nma, 70)
    with OpenMMBackend(OpenMMConfig(evaluator="openmm")).bind(nma, STATE) as target:
        u, gradient = target.energy_and_grad(x)
    before = set(multiprocessing.active_children())
    target = OpenMMBackend(OpenMMConfig(evaluator="openmm", workers=2)).bind(nma, STATE)
    with target:
        shared_u, shared_gradient = target.energy_and_grad(x)
        assert torch.equal(u, shared_u)
        assert torch.equal(gradient, shared_gradient)
        assert len(target.reduced_energy(x[:0])) == 0
        workers = set(multiprocessing.active_children()) - before
        assert len(workers) == 2
        # A worker that is killed costs a restart, not the run.
        os.kill(next(iter(workers)).pid, signal.SIGKILL)
        assert torch.equal(target.reduced_energy(x), u)
    target.close()
    assert set(multiprocessing.active_children()) <= before


def test_workers_that_keep_dying_are_an_error(nma, near_reference):
    with OpenMMBackend(OpenMMConfig(evaluator="openmm", workers=1)).bind(nma, STATE) as target:
        # A System that no worker can read ends each of them as it starts.
        _, platform = target._evaluator._arguments
        target._evaluator._arguments = ("<System/>", platform)
        with pytest.raises(EnergyError, match="died twice while evaluating 2 conformations"):
            target.reduced_energy(near_reference(nma, 2))


HOSTILE = """<ForceField><Script>
import pathlib
pathlib.Path({marker!r}).write_text("executed")
</Script></ForceField>"""


def test_force_fields_from_elsewhere_are_not_executed(nma, tmp_path, monkeypatch):
    marker, script = tmp_path / "marker", tmp_path / "amber99_obc.xml"
    script.write_text(HOSTILE.format(marker=str(marker)))
    hostile = [str(script), "../../../../" + str(script), "amber14/../../../../x.xml", "no-such.xml"]
    hostile += ["residues.xml/../../modeller.py", "", ".", "test.pdb"]
    for name in hostile:
        with pytest.raises(EnergyError, match="can execute code"):
            load_forcefield((name,))
    # A file of the same name in the working directory does not stand in for the bundled one.
    monkeypatch.chdir(tmp_path)
    assert bundled_file("amber99_obc.xml").parent.name == "data"
    with OpenMMBackend(OpenMMConfig()).bind(nma, STATE) as target:
        assert torch.isfinite(target.reduced_energy(torch.from_numpy(nma.reference)[None])).all()
    assert not marker.exists()
    config = OpenMMConfig(preset="custom", forcefield=("amber99sbildn.xml", str(script)), trust_forcefield=True)
    OpenMMBackend(config).bind(nma, STATE).close()
    assert marker.read_text() == "executed"


def test_a_torn_force_field_is_an_error(nma, tmp_path):
    (tmp_path / "torn.xml").write_text("<ForceField><AtomTypes>")
    config = OpenMMConfig(preset="custom", forcefield=(str(tmp_path / "torn.xml"),), trust_forcefield=True)
    with pytest.raises(EnergyError, match=r"torn\.xml cannot be read"):
        OpenMMBackend(config).bind(nma, STATE)


def test_custom_force_fields_from_the_bundle(nma, near_reference):
    config = OpenMMConfig(preset="custom", forcefield=("amber14-all.xml",), nonbonded_method="NoCutoff")
    backend = OpenMMBackend(config)
    assert backend.default_temperature_K(nma) == 300.0
    with backend.bind(nma, STATE) as target:
        assert target.describe()["preset"] == "custom"
        assert torch.isfinite(target.reduced_energy(near_reference(nma, 1))).all()
    with pytest.raises(EnergyError, match="no parameters for ACE-NME"):
        OpenMMBackend(OpenMMConfig(preset="custom", forcefield=("tip3p.xml",))).bind(nma, STATE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.addConstraint(0, 1, 0.1), "constraints"),
        (lambda s: s.setVirtualSite(0, openmm.TwoParticleAverageSite(1, 2, 0.5, 0.5)), "virtual sites"),
        (lambda s: s.setParticleMass(0, 0.0), "atoms without mass"),
        (lambda s: s.addForce(openmm.MonteCarloBarostat(1.0, 300.0)), "a barostat"),
        (lambda s: s.addForce(openmm.MonteCarloFlexibleBarostat(1.0, 300.0)), "a barostat"),
        (lambda s: s.getForce(s.addForce(_periodic(s))), "a periodic box"),
    ],
)
def test_what_changes_the_density_is_refused(nma, change, words):
    system = app.ForceField("amber99sbildn.xml").createSystem(to_topology(nma))
    refuse_unsupported(system)
    change(system)
    with pytest.raises(EnergyError, match=words):
        refuse_unsupported(system)


def _periodic(system):
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    for _ in range(system.getNumParticles()):
        force.addParticle(0, 1, 0)
    return force


def test_other_systems_are_refused():
    class Toy:
        name, key, space = "double-well", "0", Euclidean(2)

    for use in (lambda b: b.bind(Toy(), STATE), lambda b: b.default_temperature_K(Toy())):
        with pytest.raises(EnergyError, match="double-well is a Toy"):
            use(OpenMMBackend(OpenMMConfig()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "amber"}, "unknown preset 'amber'"),
        ({"preset": "custom"}, "needs forcefield"),
        ({"forcefield": ("amber14-all.xml",)}, "add preset: custom"),
        ({"preset": "amber14-obc1-310K", "cutoff_nm": 1.0}, "cutoff_nm is set by preset"),
        ({"nonbonded_method": "PME"}, "nonbonded_method"),
        ({"constraints": "HBonds"}, "constraints"),
    ],
)
def test_options_that_contradict_are_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        OpenMMConfig(**options)
