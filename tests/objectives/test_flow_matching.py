from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from tbg_core.contracts.field import Symmetry, VectorField
from tbg_core.contracts.proposal import Proposal
from tbg_core.contracts.system import Batch, Euclidean, MeanFree, StateSpace
from tbg_core.errors import ConfigError
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, FlowConfig
from tbg_core.flows.proposal import FlowProposal
from tbg_core.objectives.config import FlowMatchingConfig
from tbg_core.objectives.flow_matching import FlowMatching
from tbg_core.priors.config import GaussianConfig, HarmonicPriorConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.priors.harmonic import HarmonicPrior
from tbg_core.randomness import SampleKeys
from tbg_solvers.config import RK4Config
from tbg_solvers.fixed import RK4

torch.set_num_threads(1)


@dataclass(frozen=True)
class Toy:
    name: str
    space: StateSpace

    @property
    def key(self):
        return f"toy-{self.name}"


class Chain(Toy):
    bonds = ((0, 1), (1, 2), (2, 3))


S, SIGMA = 0.4, 0.1


class Optimal(VectorField):
    """E[x1 - x0 | x_t = x] for x0 ~ N(0, 1), x1 ~ N(0, S^2): ((t S^2 - (1-t)) / var(x_t) + error) x."""

    symmetry = Symmetry("E3", permutation=True)

    def __init__(self):
        super().__init__()
        self.error = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.seen = []

    def forward(self, t, x, batch, condition=None):
        self.seen.append((t, x))
        variance = (1 - t) ** 2 + (t * S) ** 2 + SIGMA**2
        slope = (t * S**2 - (1 - t)) / variance + self.error
        return slope.view(-1, *(1,) * (x.ndim - 1)) * x


class Still(Optimal):
    """v = 0 on real atoms and nonsense on padded ones."""

    def forward(self, t, x, batch, condition=None):
        self.seen.append((t, x))
        v = torch.zeros_like(x) + 0 * self.error
        return v if batch.mask is None else v.masked_fill(~batch.mask[..., None], 1e6)


def flow(field, *, d=None, std=1.0, scale=1.0):
    prior = Gaussian(GaussianConfig(std=std)) if d else MeanFreeGaussian(MeanFreeGaussianConfig(std=std))
    return FlowProposal(
        FlowConfig(length_scale_nm=scale, dtype="float64"),
        prior=prior,
        field=field,
        integrator=RK4(RK4Config(steps=2)),
        likelihood=Augmented(AugmentedConfig()),
    )


def matching(**options):
    """The paper's objective, but for the options given."""
    paper = {"sigma": 0.01, "coupling": "independent", "time_law": "uniform", "time_beta": 1.0}
    return FlowMatching(FlowMatchingConfig(**{**paper, **options}))


def keys(n, stream="train"):
    return SampleKeys.range(0, stream, 0, n)


def normal(n, shape, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.statistical
@pytest.mark.parametrize("time_law", ["uniform", "stratified"])
@pytest.mark.parametrize("molecular", [False, True])
def test_the_closed_form_velocity_is_the_minimum(molecular, time_law):
    """The minimum of the loss per dimension of the space is the mean of Var(x1 - x0 | x_t) over t."""
    n, atoms = 40_000, 4
    system = Toy("m", MeanFree(atoms)) if molecular else Toy("e", Euclidean(3))
    x = S * system.space.project(normal(n, system.space.event_shape))
    proposal = flow(Optimal(), d=None if molecular else 3)
    loss = matching(sigma=SIGMA, time_law=time_law, coupling="independent").loss(
        proposal, x, Batch.single(system, n), keys(n)
    )
    t = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    covariance = t * S**2 - (1 - t)
    floor = (1 + S**2 - covariance**2 / ((1 - t) ** 2 + (t * S) ** 2 + SIGMA**2)).mean()
    # Molecules divide by 3N, of which only 3(N-1) coordinates move.
    expected = floor * system.space.dim / math.prod(system.space.event_shape)
    assert abs(loss - expected) < 0.02 * expected
    (gradient,) = torch.autograd.grad(loss, proposal.field.error, retain_graph=True)
    assert abs(gradient) < 0.02
    for error in (0.2, -0.2):
        with torch.no_grad():
            proposal.field.error.fill_(error)
            batch = Batch.single(system, n)
            assert matching(sigma=SIGMA, time_law=time_law).loss(proposal, x, batch, keys(n)) > loss + 0.005


def test_training_finds_the_minimum():
    n, system = 2000, Toy("e", Euclidean(2))
    proposal = flow(Optimal(), d=2)
    with torch.no_grad():
        proposal.field.error.fill_(1.5)
    optimiser = torch.optim.Adam(proposal.parameters(), lr=0.1)
    for step in range(80):
        optimiser.zero_grad()
        x = S * normal(n, (2,), seed=step)
        batch = Batch.single(system, n)
        matching(sigma=SIGMA).loss(proposal, x, batch, keys(n, f"step {step}")).backward()
        optimiser.step()
    assert abs(proposal.field.error) < 0.05


def test_states_on_the_way_are_those_of_the_definition():
    """With sigma and prior near nothing, x_t = t x1 in scaled units, and v = 0 leaves |x1|^2 / 3N."""
    n, system, scale = 64, Toy("m", MeanFree(5)), 0.25
    x = normal(n, (5, 3))
    field = Still()
    loss = matching(sigma=0.0).loss(flow(field, std=1e-12, scale=scale), x, Batch.single(system, n), keys(n))
    x1 = system.space.project(x) / scale
    t, x_t = field.seen[0]
    torch.testing.assert_close(x_t, t.view(-1, 1, 1) * x1, rtol=0, atol=1e-9)
    assert ((t >= 0) & (t < 1)).all()
    assert t.unique().numel() == n
    torch.testing.assert_close(loss, x1.square().sum() / (15 * n))


def test_noise_lies_on_the_space_and_has_sigma():
    n, system = 2000, Toy("m", MeanFree(4))
    field = Still()
    x = torch.zeros(n, 4, 3, dtype=torch.float64)
    matching(sigma=0.3).loss(flow(field, std=1e-12), x, Batch.single(system, n), keys(n))
    x_t = field.seen[0][1]
    assert x_t.mean(dim=1).abs().max() < 1e-12
    torch.testing.assert_close(x_t.square().sum() / (9 * n), torch.tensor(0.09).double(), rtol=0.05, atol=0)


def test_molecules_of_a_padded_batch_count_alike():
    systems = (Toy("2", MeanFree(2)), Toy("6", MeanFree(6)))
    index = torch.tensor([0, 1, 1, 0])
    counts = torch.tensor([2, 6])[index]
    losses = []
    for width in (6, 9):
        mask = torch.arange(width) < counts[:, None]
        batch = Batch(systems, index, mask)
        x = torch.zeros(4, width, 3, dtype=torch.float64)
        x[:, :6] = normal(4, (6, 3))
        x = batch.centre(x)
        losses.append(matching(sigma=0.0).loss(flow(Still(), std=1e-12), x, batch, keys(4)))
    expected = (x.square().sum((1, 2)) / (3 * counts)).mean()
    torch.testing.assert_close(losses, [expected, expected])


def test_losses_are_reproduced_by_their_keys():
    system = Toy("m", MeanFree(4))
    x, batch = normal(8, (4, 3)), Batch.single(system, 8)
    proposal = flow(Optimal())
    first = matching().loss(proposal, x, batch, keys(8))
    assert torch.equal(matching().loss(proposal, x, batch, keys(8)), first)
    assert not torch.equal(matching().loss(proposal, x, batch, keys(8, "other")), first)
    assert not torch.equal(matching().loss(proposal, x, batch, SampleKeys.range(0, "train", 8, 16)), first)


@pytest.mark.parametrize("prior", ["gaussian", "harmonic"])
def test_mixed_precision_leaves_the_states_alone(prior):
    system = Chain("c", MeanFree(4))
    x, batch = normal(8, (4, 3)), Batch.single(system, 8)
    seen = []
    for mixed in (False, True):
        field = Still()
        proposal = flow(field)
        proposal.dtype = torch.float32
        if prior == "harmonic":
            proposal.prior = HarmonicPrior(HarmonicPriorConfig())
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            matching(coupling="kabsch").loss(proposal, x.float(), batch, keys(8)).backward()
        seen.append(field.seen[0][1])
    assert seen[1].dtype == torch.float32
    assert torch.equal(*seen)


@pytest.mark.parametrize("reflections", [False, True])
def test_kabsch_shortens_the_paths_and_keeps_the_prior(reflections):
    n, system = 500, Toy("m", MeanFree(6))
    x = normal(n, (6, 3))
    plain, turned = Still(), Still()
    batch = Batch.single(system, n)
    long = matching(sigma=0.0).loss(flow(plain), x, batch, keys(n))
    options = {"coupling": "kabsch", "align_reflections": reflections, "sigma": 0.0}
    short = matching(**options).loss(flow(turned), x, batch, keys(n))
    assert short < 0.85 * long
    x1 = system.space.project(x)
    x0 = []
    for field in (plain, turned):
        t, x_t = (a.view(-1, *(1,) * (3 - 1)) if a.ndim == 1 else a for a in field.seen[0])
        x0.append((x_t - t * x1) / (1 - t))
    # The same draws up to an orthogonal map, so distances between atoms agree.
    gram = [a @ a.transpose(1, 2) for a in x0]
    torch.testing.assert_close(gram[0], gram[1], rtol=1e-7, atol=1e-7)


class Twins(Still):
    """Sees two kinds of atoms."""

    def atom_classes(self, system):
        return torch.tensor([0, 0, *[1] * (system.space.event_shape[0] - 2)])


def test_the_equivariant_coupling_exchanges_what_flow_and_prior_see_alike():
    n, system = 300, Toy("m", MeanFree(6))
    x, batch = normal(n, (6, 3)), Batch.single(system, n)
    losses = {
        coupling: matching(coupling=coupling, sigma=0.0).loss(flow(Twins()), x, batch, keys(n)).item()
        for coupling in ("independent", "kabsch", "equivariant")
    }
    assert losses["equivariant"] < 0.8 * losses["kabsch"] < 0.7 * losses["independent"]
    # A field that tells all atoms apart exchanges nothing.
    alone = [matching(coupling=c, sigma=0.0).loss(flow(Still()), x, batch, keys(n)) for c in ("kabsch", "equivariant")]
    torch.testing.assert_close(*alone)
    # Of a chain with springs the prior tells the ends from the middle, and each end from the other.
    chain = Chain("c", MeanFree(4))
    x, batch = normal(n, (4, 3)), Batch.single(chain, n)
    found = []
    for coupling in ("kabsch", "equivariant"):
        proposal = flow(Twins())
        proposal.prior = HarmonicPrior(HarmonicPriorConfig())
        found.append(matching(coupling=coupling, sigma=0.0).loss(proposal, x, batch, keys(n)))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("law", "mean"), [({"time_law": "beta", "time_alpha": 3.0, "time_beta": 1.0}, 0.75), ({}, 0.5)]
)
def test_time_laws(law, mean):
    field, n = Still(), 4000
    x = torch.zeros(n, 1, dtype=torch.float64)
    matching(**law).loss(flow(field, d=1), x, Batch.single(Toy("e", Euclidean(1)), n), keys(n))
    t = field.seen[0][0]
    assert abs(t.mean() - mean) < 5 * 0.29 / n**0.5


def test_stratified_times_fill_the_interval_in_no_order():
    t = matching(time_law="stratified")._times(50, np.random.default_rng(0))
    assert sorted((t * 50).long().tolist()) == list(range(50))
    assert (t.diff() < 0).any()


def test_couplings_that_break_a_symmetry_are_refused():
    class Chiral(Optimal):
        symmetry = Symmetry("SE3")

    class Plain(Optimal):
        symmetry = Symmetry()

    x, batch = normal(2, (4, 3)), Batch.single(Toy("m", MeanFree(4)), 2)
    kabsch = matching(coupling="kabsch")
    kabsch.loss(flow(Chiral()), x, batch, keys(2))
    with pytest.raises(ConfigError, match="commute with rotations"):
        kabsch.loss(flow(Plain()), x, batch, keys(2))
    with pytest.raises(ConfigError, match="Chiral tells mirror images apart"):
        matching(coupling="kabsch", align_reflections=True).loss(flow(Chiral()), x, batch, keys(2))
    plane = Batch.single(Toy("e", Euclidean(2)), 2)
    with pytest.raises(ConfigError, match="equivariant needs molecules"):
        matching(coupling="equivariant").loss(flow(Plain()), x, batch, keys(2))
    with pytest.raises(ConfigError, match="needs molecules"):
        kabsch.loss(flow(Optimal(), d=2), normal(2, (2,)), plane, keys(2))


def test_only_flows_can_be_trained():
    class Table(Proposal):
        symmetry = Symmetry()

        def sample_with_log_prob(self, keys, system, condition=None):
            raise AssertionError

        def log_prob(self, x, system, condition=None):
            raise AssertionError

    with pytest.raises(ConfigError, match="not Table"):
        matching().loss(Table(), normal(2, (2,)), Batch.single(Toy("e", Euclidean(2)), 2), keys(2))


class Slowed(Optimal):
    """Optimal over a time of 4 instead of 1."""

    def forward(self, t, x, batch, condition=None):
        return super().forward(t / 4.0, x, batch) / 4.0


def test_a_flow_that_ends_later_has_the_same_loss_and_density():
    batch = Batch.single(Toy("line", Euclidean(1)), 400)
    x = S * torch.from_numpy(np.random.default_rng(1).standard_normal((400, 1)))
    keys = SampleKeys.range(0, "slow", 0, 400)
    objective = FlowMatching(FlowMatchingConfig(sigma=SIGMA))
    usual, slow = flow(Optimal(), d=1), flow(Slowed(), d=1)
    slow.t_end = 4.0
    assert slow.reference(slow.integrator).t_end == 4.0
    with torch.no_grad():
        losses = [float(objective.loss(model, x, batch, keys)) for model in (usual, slow)]
        one, other = (model.log_prob(x, batch.systems[0]).log_q for model in (usual, slow))
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    torch.testing.assert_close(one, other)
