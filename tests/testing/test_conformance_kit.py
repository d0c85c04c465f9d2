"""The conformance kit finds the mistakes that it is there to find."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.dynamics import Block, Dynamics, Simulation
from tbg_core.contracts.energy import EnergyBackend, Target, ThermodynamicState
from tbg_core.contracts.field import Symmetry, VectorField
from tbg_core.contracts.integrator import Integrator, Solution
from tbg_core.contracts.prior import Prior
from tbg_core.contracts.system import Euclidean, MeanFree
from tbg_core.testing import (
    DynamicsConformance,
    EnergyConformance,
    FieldConformance,
    IntegratorConformance,
    PriorConformance,
)


class Points:
    """Four points in space."""

    name, key, space = "points", "0123456789abcdef", MeanFree(4)


class Plane:
    """A plane."""

    name, key, space = "plane", "fedcba9876543210", Euclidean(2)


def fails(kit, test):
    with pytest.raises(AssertionError):
        getattr(kit, test)()


class WrongDimension(Prior):
    """Forgets that the centroid takes three dimensions away."""

    def sample(self, keys, system):
        return system.space.project(keys.normal(system.space.event_shape))

    def log_prob(self, x, system):
        return -0.5 * x.double().square().sum(dim=(1, 2)) - 6 * math.log(2 * math.pi)


class TooWide(WrongDimension):
    """Normalised, but not the density of its samples."""

    def log_prob(self, x, system):
        square = x.double().square().sum(dim=(1, 2)) / 1.2**2
        return -0.5 * square - 4.5 * math.log(2 * math.pi * 1.2**2)


class Sequential(WrongDimension):
    """Draws from one stream for the whole batch."""

    def sample(self, keys, system):
        stream = np.random.default_rng(int(keys.index[0]) if len(keys) else 0)
        return system.space.project(torch.from_numpy(stream.standard_normal((len(keys), 4, 3))))


@pytest.mark.parametrize(
    ("prior", "test"),
    [
        (WrongDimension, "test_density_is_normalised"),
        (TooWide, "test_samples_follow_the_gradient_of_the_density"),
        (Sequential, "test_sample_depends_on_its_index_alone"),
    ],
)
def test_prior(prior, test):
    class Kit(PriorConformance):
        def make(self):
            return prior()

        def system(self):
            return Points()

    fails(Kit(), test)


class Springs(VectorField):
    """Each point pulled to its neighbours by a law that can be spoiled."""

    symmetry = Symmetry("E3", permutation=True)
    centred = True

    def law(self, t, x):
        between = x.unsqueeze(2) - x.unsqueeze(1)
        return (torch.exp(-between.square().sum(dim=3, keepdim=True)) * between).sum(dim=2)

    def forward(self, t, x, batch, condition=None):
        return self.law(t, x)

    def atom_classes(self, system):
        return torch.zeros(4, dtype=torch.int64)


class Directed(Springs):
    """Has a direction in space."""

    def law(self, t, x):
        return super().law(t, x) * torch.tensor([1.0, 2.0, 3.0], dtype=x.dtype)


class Handed(Springs):
    """Turns like a screw: commutes with rotations, but not with reflections."""

    def law(self, t, x):
        c = x - x.mean(dim=1, keepdim=True)
        volume = torch.linalg.det(c[:, :3]).reshape(-1, 1, 1)
        return super().law(t, x) * (1 + volume)


class HonestHanded(Handed):
    """The same, declared as it is."""

    symmetry = Symmetry("SE3")


class Selfish(Springs):
    """Knows its first atom."""

    def law(self, t, x):
        return super().law(t, x) * torch.tensor([2.0, 1.0, 1.0, 1.0], dtype=x.dtype)[:, None]


class Drifting(Springs):
    """Moves the centroid, and knows where it is."""

    def law(self, t, x):
        return x + 1.0


class Coupled(Springs):
    """Normalises over the batch."""

    def law(self, t, x):
        return super().law(t, x) / x.std()


class WrongTrace(Springs):
    """An override of the divergence that is not the divergence."""

    def velocity_and_divergence(self, t, x, batch, condition=None):
        return self(t, x, batch), x.double().square().sum(dim=(1, 2))


class WrongTraceOfSampling(WrongTrace):
    """An override that is wrong only where no gradients are recorded, which is where samples are drawn."""

    def velocity_and_divergence(self, t, x, batch, condition=None):
        if torch.is_grad_enabled():
            return VectorField.velocity_and_divergence(self, t, x, batch, condition)
        return super().velocity_and_divergence(t, x, batch, condition)


FIELD_MISTAKES = [
    (Directed, "test_rotations"),
    (Handed, "test_reflections"),
    (Selfish, "test_permutations_of_equal_atoms"),
    (Drifting, "test_velocity_lies_on_the_space"),
    (Drifting, "test_translations"),
    (Coupled, "test_rows_do_not_depend_on_the_batch"),
    (WrongTrace, "test_divergence_is_the_trace_of_the_jacobian"),
    (WrongTraceOfSampling, "test_divergence_is_the_trace_of_the_jacobian"),
]


def field_kit(field):
    class Kit(FieldConformance):
        def make(self):
            return field()

        def system(self):
            return Points()

    return Kit()


@pytest.mark.parametrize(("field", "test"), FIELD_MISTAKES)
def test_field(field, test):
    fails(field_kit(field), test)


@pytest.mark.parametrize("test", sorted({test for _, test in FIELD_MISTAKES}))
def test_good_field_passes(test):
    getattr(field_kit(Springs), test)()


def test_handed_field_passes_when_declared():
    field_kit(HonestHanded).test_rotations()
    field_kit(HonestHanded).test_reflections()
    # One that is declared to be handed and is not fails.
    mirror = type("Mirror", (Springs,), {"symmetry": Symmetry("SE3")})
    fails(field_kit(mirror), "test_reflections")


class Bowl(Target):
    """A parabola with a wrong gradient, or with rows that see one another."""

    def __init__(self, mistake):
        super().__init__(Plane(), ThermodynamicState())
        self.mistake = mistake

    def _evaluate(self, x, *, gradient):
        x = x.double()
        u, slope = 0.5 * x.square().sum(dim=1), x
        if self.mistake == "gradient":
            slope = 1.001 * x
        if self.mistake == "coupled":
            u = u - u.mean()
        return u, slope if gradient else None


@pytest.mark.parametrize(
    ("mistake", "test"),
    [
        ("gradient", "test_gradient_by_finite_differences"),
        ("coupled", "test_rows_do_not_depend_on_the_batch"),
        ("coupled", "test_a_bad_row_stays_alone"),
    ],
)
def test_energy(mistake, test):
    class Backend(EnergyBackend):
        def bind(self, system, state):
            return Bowl(mistake)

    class Kit(EnergyConformance):
        def make(self):
            return Backend()

        def system(self):
            return Plane()

    fails(Kit(), test)


class Sloppy(Integrator):
    """Euler's method in one loop over the whole batch: steps chosen by the largest slope, failures spread."""

    order = 1
    forgets_counts = False

    def integrate(self, rhs, x0, t0, t1, accumulators=()):
        rows, x, t = torch.arange(len(x0)), x0, t0
        totals = {name: torch.zeros(len(x0), dtype=torch.float64) for name in accumulators}
        for _ in range(100_000):
            if t >= t1:
                break
            slope, rates = rhs(torch.full((len(x0),), t, dtype=torch.float64), x, rows)
            largest = float(slope.nan_to_num().abs().max())
            h = min(1e-2 / max(1.0, largest), t1 - t)
            x, t = x + h * slope, t + h
            totals = {name: totals[name] + h * rates[name] for name in accumulators}
        zeros = torch.zeros(len(x0), dtype=torch.int64)
        return Solution(x, totals, zeros, zeros, lambda time: x0)


@pytest.mark.parametrize(
    "test",
    [
        "test_linear_problem_is_solved_with_its_log_determinant",
        "test_evaluations_are_counted_per_sample",
        "test_samples_do_not_depend_on_their_neighbours",
        "test_a_failing_sample_keeps_its_last_finite_state_and_disturbs_no_one",
    ],
)
def test_integrator(test):
    class Kit(IntegratorConformance):
        def make(self):
            return Sloppy()

    fails(Kit(), test)


class Forgetful(Simulation):
    """Keeps its random stream in memory, so that a lost block cannot be made again."""

    def __init__(self, target):
        self.target = target
        self.stream = np.random.default_rng(0)

    def start(self, seed, walkers):
        return {"x": np.array([[float(walker)] * 2 for walker in walkers])}

    def advance(self, state, frames, seed, walkers, block):
        x = self.draw(frames, walkers, block).astype(np.float32)
        u = [self.target.reduced_energy(torch.from_numpy(rows)).numpy() for rows in x]
        return Block(x, np.stack(u), {}, {"x": x[:, -1].astype(np.float64)})

    def draw(self, frames, walkers, block):
        return self.stream.standard_normal((len(walkers), frames, 2))


class Crowded(Forgetful):
    """One stream for all walkers that are moved together."""

    def draw(self, frames, walkers, block):
        return np.random.default_rng([block, *walkers]).standard_normal((len(walkers), frames, 2))


@pytest.mark.parametrize(
    ("simulation", "broken"),
    [
        (Forgetful, "test_lost_blocks_can_be_made_again_by_another_process"),
        (Crowded, "test_walkers_do_not_see_each_other"),
    ],
)
def test_dynamics(simulation, broken):
    class Engine(Dynamics):
        frame_interval_ps = 1.0

        def bind(self, target):
            return simulation(target)

    class Kit(DynamicsConformance):
        def make(self):
            return Engine()

        def target(self):
            return Bowl("none")

    Kit().test_block_has_the_stated_form()
    fails(Kit(), broken)
