"""Langevin dynamics of the engine: its noise, its discretisation, and where it may be interrupted."""

from __future__ import annotations

import math

import numpy as np
import openmm
import pytest
import torch
from openmm import app
from scipy import stats

from tbg_openmm import quantities
from tbg_openmm.engine import Engine, compile_system
from tbg_openmm.engine.noise import normals, philox
from tbg_openmm.topology import to_topology

BACKENDS = ("native", "torch")
KT = 8.31446261815324e-3 * 310
SEED = 2**40 + 3


@pytest.fixture(scope="module")
def system(nma):
    forcefield = app.ForceField("amber14-all.xml", "implicit/obc1.xml")
    return forcefield.createSystem(
        to_topology(nma), nonbondedMethod=app.NoCutoff, constraints=None, removeCMMotion=False
    )


@pytest.fixture(scope="module")
def start(nma, system):
    """Positions, velocities, temperatures and streams of six rows."""
    masses = quantities.masses(system)
    v = np.sqrt(KT / masses)[:, None] * np.random.default_rng(1).standard_normal((6, nma.n_atoms, 3))
    x = torch.from_numpy(nma.reference).expand(6, -1, -1).clone()
    return x, torch.from_numpy(v), torch.full((6,), 310.0), torch.tensor([5, 2**33, 7, 0, -1, 2**62])


def run(engine, start, steps, first=0, rows=slice(None)):
    x, v, temperature, streams = start
    keys = (SEED, streams[rows])
    return engine.langevin(x[rows], v[rows], temperature[rows], steps, 0.001, 1.0, keys, first)


def test_philox_is_the_published_generator():
    """Known answers of Random123 1.14, kat_vectors, philox4x32 10."""
    every = 0xFFFFFFFF
    assert [hex(w) for w in philox(np.zeros(4), 0)] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    answer = philox(np.full(4, every), every << 32 | every)
    assert [hex(w) for w in answer] == ["0x408f276d", "0x41c83b0e", "0xa20bc7c6", "0x6d5451fd"]
    counter = np.array([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344])
    answer = philox(counter, 0x299F31D0A4093822)
    assert [hex(w) for w in answer] == ["0xd16cfe09", "0x94fdcceb", "0x5001e420", "0x24126ea1"]


@pytest.mark.statistical
def test_noise_is_normal_and_independent():
    """False alarms: 1e-4 for each of the four statistics, with a fixed seed."""
    z = normals(SEED, np.arange(300), 2**35, 100)
    n = z.size
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-4
    assert abs(z.mean()) < 3.9 / math.sqrt(n)
    assert abs((z**4).mean() - 3) < 3.9 * math.sqrt(96 / n)
    correlations = np.corrcoef(z, rowvar=False)[np.triu_indices(100, 1)]
    assert np.abs(correlations).max() < stats.norm.isf(0.5e-4 / len(correlations)) / math.sqrt(300)


def test_noise_depends_on_seed_stream_and_step():
    z = normals(1, np.array([3, 4]), 5, 10)
    assert np.array_equal(z[1], normals(1, np.array([4]), 5, 10)[0])
    assert np.array_equal(z[:, :7], normals(1, np.array([3, 4]), 5, 7))
    others = [normals(2, np.array([3]), 5, 10), normals(1, np.array([3 + 2**32]), 5, 10)]
    others += [normals(1 + 2**32, np.array([3]), 5, 10), normals(1, np.array([3]), 5 + 2**32, 10), z[1:]]
    assert all(np.abs(z[0] - other[0]).min() > 1e-6 for other in others)


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-3)])
def test_both_backends_make_the_same_trajectory(system, start, dtype, error):
    parameters = compile_system(system)
    one, two = (run(Engine(parameters, dtype, backend=b), start, 25, 2**34 - 10) for b in BACKENDS)
    for mine, other, scale in zip(one, two, (1e-2, 1.0, 10.0), strict=True):
        assert (mine - other).abs().max() < error * scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_trajectory_can_be_cut_anywhere_and_rows_do_not_matter(system, start, backend, dtype):
    engine = Engine(compile_system(system), dtype, backend=backend)
    whole = run(engine, start, 12, 100)
    x, v, _ = run(engine, start, 5, 100)
    rest = run(engine, (x, v, *start[2:]), 7, 105)
    alone = run(engine, start, 12, 100, rows=[4, 1])
    for a, b, c in zip(whole, rest, alone, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a[[4, 1]], c)
    assert torch.equal(whole[2], engine.energy(whole[0]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_friction_it_is_openmms_trajectory(system, start, backend):
    integrator = openmm.LangevinMiddleIntegrator(310, 0.0, 0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(start[0][2].numpy())
    context.setVelocities(start[1][2].numpy())
    integrator.step(100)
    state = context.getState(getPositions=True, getVelocities=True)
    engine = Engine(compile_system(system), torch.float64, backend=backend)
    x, v, temperature, streams = start
    x, v, _ = engine.langevin(x, v, temperature, 100, 0.001, 0.0, (0, streams))
    assert np.abs(x[2].numpy() - quantities.positions(state)).max() < 1e-10
    assert np.abs(v[2].numpy() - quantities.velocities(state)).max() < 1e-7


def test_with_friction_velocities_fall_as_openmms(system, start):
    """At 0 K there is no noise, and friction alone is left to compare."""
    integrator = openmm.LangevinMiddleIntegrator(0, 5.0, 0.002)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(start[0][0].numpy())
    context.setVelocities(start[1][0].numpy())
    integrator.step(50)
    wanted = quantities.positions(context.getState(getPositions=True))
    engine = Engine(compile_system(system), torch.float64)
    x, _, _ = engine.langevin(*start[:2], torch.zeros(6), 50, 0.002, 5.0, (0, start[3]))
    assert np.abs(x[0].numpy() - wanted).max() < 1e-10


@pytest.mark.statistical
def test_free_particles_have_the_temperature_of_their_row():
    """Mean squared velocities of 64 atoms in 40 rows, each at two temperatures; false alarms 1e-4."""
    system = openmm.System()
    for mass in range(1, 65):
        system.addParticle(float(mass))
    engine = Engine(compile_system(system), torch.float32)
    temperature = torch.tensor([200.0, 400.0]).repeat(20)
    x = torch.zeros(40, 64, 3)
    # After 10/friction nothing is left of the start.
    _, v, _ = engine.langevin(x, torch.zeros_like(x), temperature, 500, 0.02, 1.0, (11, torch.arange(40)))
    masses = torch.arange(1, 65)[:, None]
    kinetic = (masses * v.double() ** 2 / (KT / 310)).mean(dim=(1, 2)) / temperature
    bound = stats.norm.isf(0.25e-4) * math.sqrt(2 / (20 * 64 * 3))
    assert abs(kinetic[0::2].mean() - 1) < bound
    assert abs(kinetic[1::2].mean() - 1) < bound


def test_a_row_that_blows_up_stays_alone(system, start):
    engine = Engine(compile_system(system), torch.float32)
    x, v, *rest = start
    spoiled = v.clone()
    spoiled[1] *= 1e6
    *_, u = run(engine, (x, spoiled, *rest), 50)
    *_, good = run(engine, start, 50)
    assert not torch.isfinite(u[1]) or u[1] > 1e6
    others = [0, 2, 3, 4, 5]
    assert torch.equal(u[others], good[others])
