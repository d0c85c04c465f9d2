"""Dynamics: blocks are functions of their arguments, and the ensemble is the canonical one."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tbg_core.contracts.energy import Target, ThermodynamicState
from tbg_core.errors import ConfigError, EnergyError, NumericalError
from tbg_core.testing.dynamics import DynamicsConformance
from tbg_core.units import thermal_energy
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import OpenMMConfig, OpenMMDynamicsConfig
from tbg_openmm.dynamics import OpenMMDynamics
from tbg_openmm.replicas import Replicas, automatic_ladder

SHORT = {"frame_interval_ps": 0.02, "exchange_interval_ps": 0.01, "heating_ps": 0.1, "equilibration_ps": 0.05}
LADDER = (300.0, 330.0, 370.0)


class TestReplicaExchange(DynamicsConformance):
    platform = "Reference"

    @pytest.fixture(autouse=True)
    def molecule(self, nma):
        self.nma = nma

    def make(self):
        return OpenMMDynamics(OpenMMDynamicsConfig(**SHORT, temperatures_K=LADDER))

    def target(self):
        backend = OpenMMBackend(OpenMMConfig(platform=self.platform))
        return backend.bind(self.nma, ThermodynamicState(300.0))


class TestOneTemperature(TestReplicaExchange):
    def make(self):
        return OpenMMDynamics(OpenMMDynamicsConfig(**SHORT, temperatures_K=()))


class TestSinglePrecision(TestReplicaExchange):
    platform = "CPU"
    u_atol = 1e-3


FRESH_PROCESS = """
import sys
import numpy as np
from tbg_core.contracts.energy import ThermodynamicState
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import OpenMMConfig, OpenMMDynamicsConfig, PeptideConfig
from tbg_openmm.dynamics import OpenMMDynamics
from tbg_openmm.peptide import PeptideSource
molecule = PeptideSource(PeptideConfig(sequence="ACE-NME")).build()
dynamics = OpenMMDynamics(OpenMMDynamicsConfig.model_validate_json(sys.argv[1]))
target = OpenMMBackend(OpenMMConfig(platform=sys.argv[4])).bind(molecule, ThermodynamicState(300.0))
with target, dynamics.bind(target) as walker:
    block = walker.advance(dict(np.load(sys.argv[2])), 4, seed=7, walkers=[1], block=1)
state = {"state." + name: value for name, value in block.state.items()}
np.savez(sys.argv[3], positions=block.positions, reduced_energy=block.reduced_energy, **state)
"""


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_a_block_made_again_by_a_fresh_process_is_bitwise_the_same(nma, tmp_path, platform):
    config = OpenMMDynamicsConfig(**SHORT, temperatures_K=LADDER)
    target = OpenMMBackend(OpenMMConfig(platform=platform)).bind(nma, ThermodynamicState(300.0))
    with target, OpenMMDynamics(config).bind(target) as walker:
        first = walker.advance(walker.start(7, [1]), 4, seed=7, walkers=[1], block=0)
        second = walker.advance(first.state, 4, seed=7, walkers=[1], block=1)
    np.savez(tmp_path / "state.npz", **first.state)
    files = [str(tmp_path / "state.npz"), str(tmp_path / "again.npz")]
    subprocess.run([sys.executable, "-c", FRESH_PROCESS, config.model_dump_json(), *files, platform], check=True)
    again = np.load(tmp_path / "again.npz")
    expected = {"positions": second.positions, "reduced_energy": second.reduced_energy}
    expected |= {f"state.{name}": value for name, value in second.state.items()}
    assert set(again.files) == set(expected)
    for name, value in expected.items():
        assert again[name].dtype == value.dtype
        assert again[name].tobytes() == value.tobytes(), name


def test_statistics_count_what_happened(nma):
    config = OpenMMDynamicsConfig(**SHORT, temperatures_K=LADDER)
    target = OpenMMBackend(OpenMMConfig()).bind(nma, ThermodynamicState(300.0))
    with target, OpenMMDynamics(config).bind(target) as walker:
        state = walker.start(3, [0])
        assert np.array_equal(state["temperatures_K"], [LADDER])
        block = walker.advance(state, 5, seed=3, walkers=[0], block=0)
    statistics = block.statistics
    # Two rounds per frame, in which the pairs take turns.
    assert statistics["exchange_attempts"].tolist() == [[5.0, 5.0]]
    assert (statistics["exchange_accepts"] <= statistics["exchange_attempts"]).all()
    assert statistics["replica"].shape == (1, 5)
    assert statistics["rung_energies"].shape == (1, 5, 3)
    assert sorted(block.state["replica"][0]) == [0, 1, 2]
    assert block.state["steps"] == state["steps"] + 100
    assert block.state["exchanges"] == state["exchanges"] + 10
    assert np.abs(block.state["positions"].mean(axis=2)).max() < 1e-12


@pytest.mark.slow
@pytest.mark.statistical
def test_kinetic_energies_are_those_of_the_temperatures(nma):
    """Equipartition at every rung: a wrong mass, unit, rescaling or time step shows.

    The kinetic energy of 36 degrees of freedom fluctuates by sqrt(2/36) = 24 %; 50 ps at a friction of 10/ps
    hold some 500 independent values, so that the mean is known to 1.1 %; 5 % is more than 4
    standard errors (1e-4).
    """
    config = OpenMMDynamicsConfig(
        temperatures_K=(300.0, 360.0, 430.0),
        friction_per_ps=10.0,
        equilibration_ps=5.0,
        exchange_interval_ps=0.1,
    )
    target = OpenMMBackend(OpenMMConfig()).bind(nma, ThermodynamicState(300.0))
    with target, OpenMMDynamics(config).bind(target) as walker:
        block = walker.advance(walker.start(0, [0]), 50, seed=0, walkers=[0], block=0)
    assert block.statistics["kinetic_temperature_K"][0] == pytest.approx([300.0, 360.0, 430.0], rel=0.05)
    assert (block.statistics["exchange_accepts"] > 0).all()


@given(st.floats(-30.0, 30.0), st.floats(1.05, 2.0), st.integers(0, 1))
def test_exchanges_obey_detailed_balance(gap, ratio, parity):
    """Acceptance a(E0, E1) and its reverse satisfy a e^{-b0 E0 - b1 E1} = a' e^{-b0 E1 - b1 E0}, exactly."""
    temperatures = (300.0, 300.0 * ratio)
    beta = [1 / thermal_energy(temperature) for temperature in temperatures]

    class Fixed:
        def random(self, size):
            return np.full(size, 1 - threshold)

    def accepts(energies):
        replicas = _replicas(temperatures, energies)
        return replicas.exchange([Fixed()])[1][0, 0] == 1

    for energies in ((0.0, gap), (gap, 0.0)):
        wanted = min(1.0, math.exp((beta[0] - beta[1]) * (energies[0] - energies[1])))
        for threshold, expected in (
            (wanted * (1 - 1e-9), True),
            (min(wanted * (1 + 1e-9), 1.0), wanted == 1.0),
        ):
            if wanted < 1.0 or threshold < 1.0:
                assert accepts(energies) == expected


def _replicas(temperatures, energies, n_atoms=2):
    random = np.random.default_rng(0)
    shape = (1, len(temperatures), n_atoms, 3)
    replicas = Replicas.start(temperatures, random.standard_normal(shape[2:]), random.standard_normal(shape))
    replicas.positions += random.standard_normal(shape)
    replicas.energies = np.array([energies], dtype=float)
    return replicas


def test_an_exchange_swaps_everything_and_keeps_the_kinetic_energies_in_proportion():
    replicas = _replicas((300.0, 400.0), (100.0, 0.0))
    x, v = replicas.positions.copy(), replicas.velocities.copy()
    attempts, accepts = replicas.exchange([np.random.default_rng(0)])
    assert (attempts, accepts) == (1, 1)
    assert np.array_equal(replicas.positions, x[:, ::-1])
    assert np.allclose(replicas.velocities[0, 0], v[0, 1] * math.sqrt(300 / 400))
    assert np.allclose(replicas.velocities[0, 1], v[0, 0] * math.sqrt(400 / 300))
    assert replicas.energies.tolist() == [[0.0, 100.0]]
    assert replicas.replica.tolist() == [[1, 0]]


def test_round_trips_need_both_ends():
    replicas = _replicas((300.0, 310.0, 320.0), (0.0, 0.0, 0.0))
    random = np.random.default_rng(0)
    seen = []
    for _ in range(6):  # equal energies: every attempt succeeds
        replicas.exchange([random])
        seen.append(replicas.replica[0].tolist())
    assert seen == [[1, 0, 2], [1, 2, 0], [2, 1, 0], [2, 0, 1], [0, 2, 1], [0, 1, 2]]
    # Replica 0 went up and came back, 2 came down from the top, where it began, 1 never reached the top.
    assert replicas.round_trips.tolist() == [[1.0, 0.0, 1.0]]


def test_the_state_holds_everything():
    replicas = _replicas(LADDER, (1.0, 2.0, 3.0))
    replicas.exchange([np.random.default_rng(1)])
    again = Replicas.from_state(replicas.to_state()).to_state()
    for name, value in replicas.to_state().items():
        assert value.dtype == np.float64
        # Centring twice may round differently.
        assert np.abs(again[name] - value).max() < 1e-15


def test_automatic_ladder():
    assert automatic_ladder(300.0, 22) == pytest.approx((300.0, 359.7, 431.3, 517.1, 620.0), abs=0.1)
    assert len(automatic_ladder(310.0, 88)) == 9
    assert automatic_ladder(310.0, 30)[0] == 310.0


def test_the_ladder_must_start_at_the_target(nma):
    target = OpenMMBackend(OpenMMConfig()).bind(nma, ThermodynamicState(300.0))
    dynamics = OpenMMDynamics(OpenMMDynamicsConfig(temperatures_K=(310.0, 350.0)))
    with pytest.raises(ConfigError, match="is 310 K, the target is at 300 K"):
        dynamics.bind(target)


def test_a_state_of_another_ladder_is_refused(nma):
    target = OpenMMBackend(OpenMMConfig()).bind(nma, ThermodynamicState(300.0))
    plain = OpenMMDynamics(OpenMMDynamicsConfig(**SHORT, temperatures_K=())).bind(target)
    ladder = OpenMMDynamics(OpenMMDynamicsConfig(**SHORT, temperatures_K=LADDER)).bind(target)
    with pytest.raises(ConfigError, match=r"started with temperatures \[300.0\] K"):
        ladder.advance(plain.start(0, [0]), 1, 0, [0], 0)


def test_a_time_step_that_is_too_long_is_named(nma):
    target = OpenMMBackend(OpenMMConfig()).bind(nma, ThermodynamicState(300.0))
    config = OpenMMDynamicsConfig(temperatures_K=(300.0, 1e9), heating_ps=0.5, equilibration_ps=1.0, timestep_fs=5.0)
    with pytest.raises(NumericalError, match=r"blew up in .* at .* K. Reduce dynamics.timestep_fs, which is 5"):
        OpenMMDynamics(config).bind(target).start(0, [0])


def test_other_targets_are_refused(nma):
    class Toy(Target):
        def _evaluate(self, x, *, gradient):
            raise AssertionError

    with pytest.raises(EnergyError, match="cannot integrate a Toy of ACE-NME"):
        OpenMMDynamics(OpenMMDynamicsConfig()).bind(Toy(nma, ThermodynamicState(300.0)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperatures_K": (300.0, 300.0)}, "must ascend"),
        ({"temperatures_K": (-300.0,)}, "must be positive"),
        ({"frame_interval_ps": 0.7}, "multiple of exchange_interval_ps"),
        ({"frame_interval_ps": 0.1}, "multiple of exchange_interval_ps"),
        ({"exchange_interval_ps": 1e-5}, "shorter than a time step"),
        ({"timestep_fs": 0.0}, "timestep_fs"),
    ],
)
def test_options_that_contradict_are_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        OpenMMDynamicsConfig(**options)
