"""Forces at the data change the noise of flow matching, never its minimum."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from pydantic import ValidationError

from tbg_core.contracts.energy import Target, ThermodynamicState
from tbg_core.contracts.system import Batch, Euclidean, MeanFree, StateSpace
from tbg_core.objectives import forces
from tbg_core.objectives.config import FlowMatchingConfig
from tbg_core.objectives.coupling import align
from tbg_core.objectives.forces import ForceTargets
from tbg_core.priors.config import GaussianConfig, HarmonicPriorConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.priors.harmonic import HarmonicPrior

SCALE_NM = torch.tensor(0.06, dtype=torch.float64)
STIFF = HarmonicPrior(HarmonicPriorConfig(spring_constant=400.0))
"""Data, in units of the scale: bonds as wide as `forces` takes them to be, 0.003 nm."""


@dataclass(frozen=True)
class Toy:
    name: str
    space: StateSpace
    bonds: tuple[tuple[int, int], ...] = ()

    @property
    def key(self):
        return self.name


CHAIN = Toy("chain", MeanFree(5), ((0, 1), (1, 2), (2, 3), (3, 4)))
PAIR = Toy("pair", MeanFree(3), ((0, 1), (1, 2)))


class Springs(Target):
    """The energy whose samples STIFF draws."""

    def __init__(self, system, fails=False):
        super().__init__(system, ThermodynamicState(300.0))
        self.fails = fails

    def _evaluate(self, x, gradient):
        with torch.enable_grad():
            y = x.double().requires_grad_()
            u = -STIFF.log_prob(y / SCALE_NM, self.system)
            (slope,) = torch.autograd.grad(u.sum(), y)
        u = u.detach()
        if self.fails:
            u[::2] = torch.nan
        return u, slope


def targets(*systems, reach=0.3, **options):
    made = ForceTargets("unused", None, reach)
    made.targets.update({system.key: Springs(system, **options) for system in systems})
    return made


def draw(system, n, turned, r, seed=0):
    """x0, x1, t, x_t of n pairs."""
    noise, batch = torch.Generator().manual_seed(seed), Batch.single(system, n)
    shape = system.space.event_shape
    x1 = STIFF.sample_batch(batch, shape, noise, torch.float64)
    x0 = HarmonicPrior(HarmonicPriorConfig()).sample_batch(batch, shape, noise, torch.float64)
    if turned != "no":
        x0 = align(x0, x1, reflections=turned == "reflections")
    t = torch.full((n,), 1 - r, dtype=torch.float64)
    return x0, x1, t, (1 - r) * x1 + r * x0


def noise_of(made, system, n, turned, r):
    x0, x1, t, x_t = draw(system, n, turned, r)
    prior = HarmonicPrior(HarmonicPriorConfig())
    return made.noise(prior, Batch.single(system, n), x0, x1, t, SCALE_NM, turned=turned), x_t, x1 - x0


def largest_deviation(noise, x_t):
    """Standard errors by which averages of the noise times functions of x_t differ from zero."""
    size = x_t.square().sum(-1, keepdim=True)
    probes = (x_t, x_t * size, x_t.roll(1, dims=1), x_t / (1 + size.sum(1, keepdim=True)))
    products = torch.stack([(noise * probe).sum((1, 2)) for probe in probes])
    return (products.mean(1) / products.std(1) * products.shape[1] ** 0.5).abs().max()


@pytest.mark.statistical
@pytest.mark.parametrize("turned", ["no", "rotations", "reflections"])
@pytest.mark.parametrize("r", [0.02, 0.1, 0.3])
def test_what_is_taken_out_has_no_mean(turned, r):
    noise, x_t, _ = noise_of(targets(CHAIN), CHAIN, 20_000, turned, r)
    assert noise.abs().max() > 0
    assert largest_deviation(noise, x_t) < 4


@pytest.mark.statistical
def test_without_the_orbit_or_the_edge_it_would_have_one(monkeypatch):
    """The test above sees what it is there to see."""
    with monkeypatch.context() as patched:
        patched.setattr(forces, "EDGE", 1e-9)
        noise, x_t, _ = noise_of(targets(CHAIN), CHAIN, 20_000, "reflections", 0.02)
        assert largest_deviation(noise, x_t) > 6
    x0, x1, t, x_t = draw(CHAIN, 20_000, "rotations", 0.02)
    prior = HarmonicPrior(HarmonicPriorConfig())
    unturned = targets(CHAIN).noise(prior, Batch.single(CHAIN, len(x0)), x0, x1, t, SCALE_NM, turned="no")
    assert largest_deviation(unturned, x_t) > 6


def test_targets_of_stiff_molecules_lose_their_noise():
    """Nearly all of it where bonds are springs; of a real molecule: `plugins/tbg-egnn/tests/test_forces.py`."""
    noise, x_t, velocity = noise_of(targets(CHAIN), CHAIN, 4000, "no", 0.03)
    features = x_t.transpose(1, 2).reshape(-1, 5)
    left = []
    for target in (velocity, velocity - noise):
        y = target.transpose(1, 2).reshape(-1, 5)
        fitted = features @ torch.linalg.lstsq(features, y, driver="gelsd").solution
        left.append((y - fitted).square().mean())
    assert left[1] < 0.03 * left[0]


def test_rows_do_not_see_one_another():
    x0, x1, t, _ = draw(CHAIN, 4, "rotations", 0.05)
    small0, small1, _, _ = draw(PAIR, 4, "rotations", 0.05, seed=1)
    made, prior = targets(CHAIN, PAIR), HarmonicPrior(HarmonicPriorConfig())
    index = torch.tensor([0, 1, 1, 0])
    mask = torch.arange(5) < torch.tensor([5, 3])[index][:, None]
    mixed0, mixed1 = x0.clone(), x1.clone()
    for row in (1, 2):
        mixed0[row], mixed1[row] = 0.0, 0.0
        mixed0[row, :3], mixed1[row, :3] = small0[row], small1[row]
    mixed = made.noise(prior, Batch((CHAIN, PAIR), index, mask), mixed0, mixed1, t, SCALE_NM, turned="rotations")
    alone = made.noise(prior, Batch.single(CHAIN, 4), x0, x1, t, SCALE_NM, turned="rotations")
    small = made.noise(prior, Batch.single(PAIR, 4), small0, small1, t, SCALE_NM, turned="rotations")
    torch.testing.assert_close(mixed[[0, 3]], alone[[0, 3]])
    torch.testing.assert_close(mixed[1:3, :3], small[1:3])
    assert not mixed[1:3, 3:].any()


@pytest.mark.parametrize("turned", ["rotations", "reflections"])
def test_atoms_on_a_line_have_a_rotation_that_moves_nothing(turned):
    x = torch.zeros(2, 3, 3, dtype=torch.float64)
    x[:, :, 2] = torch.tensor([-1.0, 0.0, 1.0])
    x[1] = CHAIN.space.project(torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
    v = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    left = forces._within(v, x, PAIR, turned)
    assert left.sum(1).abs().max() < 1e-12
    assert torch.linalg.cross(x, left).sum(1).abs().max() < 1e-12  # no angular momentum
    # On the line: what is along it stays, and across it only what bends it.
    centred = v[0] - v[0].mean(0)
    torch.testing.assert_close(left[0, :, 2], centred[:, 2])
    bend = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(left[0, :, :2], torch.outer(bend, bend @ v[0, :, :2]) / 6)


@pytest.mark.parametrize("turned", ["rotations", "reflections"])
def test_of_two_atoms_that_were_turned_nothing_is_taken_out(turned):
    """All of their states are at the edge."""
    dimer = Toy("dimer", MeanFree(2), ((0, 1),))
    noise, _, _ = noise_of(targets(dimer), dimer, 64, turned, 0.05)
    assert noise.abs().max() < 1e-9


def test_an_energy_that_fails_takes_nothing_out():
    noise, _, _ = noise_of(targets(CHAIN, fails=True), CHAIN, 8, "rotations", 0.05)
    assert not noise[::2].any()
    assert noise[1::2].flatten(1).any(1).all()


def test_far_from_the_data_nothing_is_taken_out():
    made = targets(CHAIN, reach=0.1)
    noise, _, _ = noise_of(made, CHAIN, 8, "rotations", 0.5)
    assert not noise.any()
    assert made.targets.of(CHAIN).evaluations == 0


def test_gaussian_data_in_euclidean_space_leave_a_target_without_noise_of_their_own():
    """With A = 1 and small r the target is x1 - x0 + x0 + r grad u: what is left is r / S^2 of x0."""
    plane, S, r = Toy("plane", Euclidean(2)), 0.5, 0.01

    class Wide(Springs):
        def _evaluate(self, x, gradient):
            return 0.5 * (x / S).square().sum(1), x / S**2

    made = ForceTargets("unused", None, 0.3)
    made.targets["plane"] = Wide(plane)
    x0, x1 = torch.randn(2, 1000, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x1, t = S * x1, torch.full((1000,), 1 - r, dtype=torch.float64)
    one = torch.ones((), dtype=torch.float64)
    noise = made.noise(Gaussian(GaussianConfig()), Batch.single(plane, 1000), x0, x1, t, one, turned="no")
    x_t = (1 - r) * x1 + r * x0
    slope = ((1 - r) * S**2 - r) / (r**2 + ((1 - r) * S) ** 2)
    assert (x1 - x0 - slope * x_t).square().mean() > 0.9
    assert (x1 - x0 - noise - slope * x_t).square().mean() < 0.01


def test_noisy_paths_are_refused():
    with pytest.raises(ValidationError, match="set sigma to 0"):
        FlowMatchingConfig(energy="openmm", sigma=0.01)
    with pytest.raises(ValidationError, match="set coupling to kabsch"):
        FlowMatchingConfig(energy="openmm", coupling="equivariant")
