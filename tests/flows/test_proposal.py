from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.integrator import Status
from tbg_core.errors import ConfigError
from tbg_core.flows.audit import audit
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, FlowConfig, HutchinsonConfig, QuadratureConfig
from tbg_core.flows.hutchinson import Hutchinson
from tbg_core.flows.proposal import FlowProposal
from tbg_core.flows.quadrature import Quadrature
from tbg_core.priors.config import GaussianConfig, HarmonicPriorConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.priors.harmonic import HarmonicPrior
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import labels

AUGMENTED = Augmented(AugmentedConfig())
QUADRATURE = Quadrature(QuadratureConfig(nodes=21))


@pytest.mark.parametrize("rule", [AUGMENTED, QUADRATURE], ids=["augmented", "quadrature"])
@pytest.mark.parametrize("d", [1, 2])
def test_density_of_a_network_flow_integrates_to_one(toys, d, rule):
    proposal = toys.flow(toys.MlpField(d, seed=d, strength=3.0), rule, tolerance=1e-7)
    ticks = torch.linspace(-12, 12, 401 if d == 1 else 141, dtype=torch.float64)
    x = torch.cartesian_prod(*[ticks] * d).view(-1, d)
    with torch.no_grad():
        draws = proposal.log_prob(x, toys.euclidean(d))
    total = draws.log_q.exp().sum() * (ticks[1] - ticks[0]) ** d
    assert abs(total - 1) < 1e-5
    # Not the prior in disguise.
    assert (draws.log_q - proposal.prior.log_prob(x, toys.euclidean(d))).abs().max() > 1


@pytest.mark.parametrize("rule", [AUGMENTED, QUADRATURE], ids=["augmented", "quadrature"])
@pytest.mark.parametrize("scale", [1.0, 0.23])
def test_density_of_two_atoms_integrates_to_one_in_nm(toys, scale, rule):
    """Two atoms at +-y/2^(1/2) have the orthonormal coordinate y in R^3, and log q depends on |y| only."""
    proposal = toys.flow(toys.PairField(1.5), rule, scale=scale)
    rho = torch.linspace(1e-6, 12 * scale, 600, dtype=torch.float64)
    x = torch.zeros(600, 2, 3, dtype=torch.float64)
    x[:, 0, 1], x[:, 1, 1] = rho / math.sqrt(2), -rho / math.sqrt(2)
    with torch.no_grad():
        log_q = proposal.log_prob(x, toys.atoms(2)).log_q
    assert abs(torch.trapezoid(4 * math.pi * rho**2 * log_q.exp(), rho) - 1) < 1e-5


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sampling_and_evaluation_agree(toys, dtype):
    exact = dtype == "float64"
    proposal = toys.flow(toys.PairField(), QUADRATURE, dtype=dtype, scale=0.3, tolerance=1e-9 if exact else 1e-6)
    system = toys.atoms(5)
    with torch.no_grad():
        draws = proposal.sample_with_log_prob(SampleKeys.range(0, "s", 0, 32), system)
        again = proposal.log_prob(draws.x, system)
    assert draws.x.shape == (32, 5, 3)
    assert draws.log_q.dtype == torch.float64
    assert draws.x.mean(dim=1).abs().max() < 1e-12
    torch.testing.assert_close(draws.log_q, again.log_q, rtol=0, atol=1e-6 if exact else 1e-3)
    assert (draws.status == Status.OK).all()
    assert (draws.evaluations > 0).all()


def test_densities_that_are_not_wanted_are_not_computed(toys):
    class Counting(toys.PairField):
        rows = 0

        def velocity_and_divergence(self, t, x, batch, condition=None):
            self.rows += len(x)
            return super().velocity_and_divergence(t, x, batch, condition)

    proposal, system = toys.flow(Counting(), QUADRATURE, scale=0.5), toys.atoms(3)
    keys = SampleKeys.range(0, "some", 0, 6)
    asked = []

    def wanted(x):
        asked.append(x)
        return x[:, 0, 0] > x[:, 0, 0].median()

    with torch.no_grad():
        whole = proposal.sample_with_log_prob(keys, system)
        assert proposal.field.rows == 6 * 21
        some = proposal.sample_where(keys, system, wanted)
    assert proposal.field.rows == 6 * 21 + 3 * 21
    torch.testing.assert_close(asked[0], whole.x)  # in nm, as they are drawn
    chosen = wanted(whole.x)
    torch.testing.assert_close(some.log_q[chosen], whole.log_q[chosen])
    assert some.log_q[~chosen].isnan().all()
    assert (some.status == Status.OK).all()


def test_log_q_has_the_units_of_nm(toys):
    """The same states in scaled coordinates: log q_nm = log q_scaled - 3(N-1) log s."""
    system, keys = toys.atoms(4), SampleKeys.range(0, "s", 0, 8)
    with torch.no_grad():
        one = toys.flow(toys.PairField(), AUGMENTED, scale=1.0).sample_with_log_prob(keys, system)
        small = toys.flow(toys.PairField(), AUGMENTED, scale=0.2).sample_with_log_prob(keys, system)
    torch.testing.assert_close(small.x, 0.2 * one.x, rtol=1e-12, atol=0)
    torch.testing.assert_close(small.log_q, one.log_q - 9 * math.log(0.2), rtol=1e-12, atol=1e-12)


def test_latent_and_back(toys):
    proposal, system = toys.flow(toys.PairField(), AUGMENTED, scale=0.4), toys.atoms(3)
    z = proposal.prior.sample(SampleKeys.range(1, "z", 0, 4), system)
    with torch.no_grad():
        out = proposal.from_latent(z, system)
        back = proposal.to_latent(out.x, system)
    torch.testing.assert_close(back.x, z, rtol=0, atol=1e-7)
    torch.testing.assert_close(back.log_det, -out.log_det, rtol=0, atol=1e-6)


def test_log_det_is_that_of_the_map(toys):
    proposal, system = toys.flow(toys.MlpField(2), AUGMENTED, tolerance=1e-10, scale=2.0), toys.euclidean(2)
    z = torch.tensor([[0.3, -0.8]], dtype=torch.float64)
    step = 1e-5 * torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        ends = proposal.from_latent(torch.cat([z + step, z - step]), system).x
        log_det = proposal.from_latent(z, system).log_det
    jacobian = (ends[:2] - ends[2:]) / 2e-5
    torch.testing.assert_close(log_det[0], jacobian.det().abs().log(), rtol=0, atol=1e-6)


def test_a_sample_depends_on_its_key_alone(toys):
    proposal, system = toys.flow(toys.PairField(), QUADRATURE, scale=1.0), toys.atoms(4)
    with torch.no_grad():
        whole = proposal.sample_with_log_prob(SampleKeys.range(2, "s", 0, 12), system)
        part = proposal.sample_with_log_prob(SampleKeys.range(2, "s", 5, 8), system)
    torch.testing.assert_close(part.x, whole.x[5:8], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(part.log_q, whole.log_q[5:8], rtol=1e-12, atol=1e-12)


def test_density_has_the_symmetry_it_declares(toys):
    proposal, system = toys.flow(toys.PairField(), AUGMENTED, scale=0.5), toys.atoms(4)
    assert proposal.symmetry == Symmetry("E3", permutation=True)
    assert proposal.atom_classes(system).tolist() == [0, 1, 0, 1]
    x = system.space.project(SampleKeys.range(0, "x", 0, 5).normal((4, 3)))
    with torch.no_grad():
        log_q = proposal.log_prob(x, system).log_q
        mirrored = proposal.log_prob(-x, system).log_q
        relabelled = proposal.log_prob(x[:, [2, 3, 0, 1]], system).log_q
        other_class = proposal.log_prob(x[:, [1, 0, 2, 3]], system).log_q
    torch.testing.assert_close(mirrored, log_q, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(relabelled, log_q, rtol=1e-9, atol=1e-9)
    assert (other_class - log_q).abs().max() > 1e-3


def test_symmetry_is_the_weaker_of_prior_and_field(toys):
    class Chiral(toys.PairField):
        symmetry = Symmetry("SE3", permutation=False)

    proposal = toys.flow(Chiral(), AUGMENTED)
    assert proposal.symmetry == Symmetry("SE3", permutation=False)
    assert not proposal.symmetry.reflection
    assert proposal.atom_classes(toys.atoms(4)).tolist() == [0, 1, 2, 3]
    assert toys.flow(toys.MlpField(2), AUGMENTED).symmetry.group == "none"


def test_a_prior_that_fixes_labels_of_atoms_that_the_field_exchanges_is_warned_of(toys):
    class Chain(type(toys.atoms(4))):
        bonds = ((0, 1), (1, 2), (2, 3))

    proposal, system = toys.flow(toys.PairField(), AUGMENTED), Chain("chain", toys.atoms(4).space)
    assert proposal.training_warning([system]) == ""
    proposal.prior = HarmonicPrior(HarmonicPriorConfig())
    warning = proposal.training_warning([system])
    assert "2 kinds of atoms" in warning
    assert "the prior 4" in warning
    assert "prior.name=mean-free-gaussian" in warning


def test_length_scale_is_set_from_data_kept_in_float64_and_saved(toys):
    x, _, _ = toys.padded([4, 6, 6], width=9, seed=3)
    x = 0.2 * x
    proposal = toys.flow(toys.PairField(), AUGMENTED)
    with pytest.raises(ConfigError, match="length scale"):
        proposal.log_prob(x[:1, :4], toys.atoms(4))
    proposal.prepare_training(x + 0.0)
    expected = (x.square().sum() / (3 * 16)).sqrt()
    torch.testing.assert_close(proposal.length_scale, expected)
    proposal.float()
    assert proposal.length_scale.dtype == torch.float64
    assert proposal.length_scale == expected
    other = toys.flow(toys.PairField(), AUGMENTED)
    other.load_state_dict(proposal.state_dict())
    assert other.length_scale == expected
    given = toys.flow(toys.PairField(), AUGMENTED, scale=0.1)
    given.prepare_training(x)
    assert given.length_scale == 0.1
    plane = toys.flow(toys.MlpField(2), AUGMENTED)
    assert plane.scale_for(toys.euclidean(2)) == 1.0
    plane.prepare_training(torch.randn(5, 2))
    assert plane.length_scale == 1.0


def test_logits_have_no_length_scale_though_they_may_be_shaped_like_atoms(toys):
    flow = toys.flow(toys.MlpField(2), AUGMENTED)
    flow.fit_constants([labels(5, 3)], [9.0 * np.ones((4, 5, 3))])
    assert flow.length_scale == 1.0
    flow.fit_constants([toys.atoms(2)], [np.array([[[1.0, 0, 0], [-1.0, 0, 0]]])])
    assert flow.length_scale == pytest.approx(math.sqrt(1 / 3))


def test_several_molecules_share_a_length_scale_that_all_of_them_set(toys):
    rng = np.random.default_rng(0)
    systems = [toys.atoms(2), toys.atoms(7)]
    states = [0.2 * rng.standard_normal((30, 2, 3)) + 5.0, 0.9 * rng.standard_normal((50, 7, 3)) + 5.0]
    centred = np.concatenate([(x - x.mean(axis=1, keepdims=True)).ravel() for x in states])
    for order in (slice(None), slice(None, None, -1)):
        flow = toys.flow(toys.PairField(), AUGMENTED)
        flow.fit_constants(systems[order], states[order])
        assert flow.length_scale == pytest.approx(np.sqrt(np.square(centred).mean()), rel=1e-12)
    given = toys.flow(toys.PairField(), AUGMENTED, scale=0.1)
    given.fit_constants(systems, states)
    assert given.length_scale == 0.1
    alone = toys.flow(toys.PairField(), AUGMENTED)
    alone.fit_constants(systems[:1], states[:1])
    assert alone.length_scale == pytest.approx(np.sqrt(np.square(centred[: states[0].size]).mean()), rel=1e-12)


def test_of_many_states_evenly_spread_ones_set_the_length_scale(toys):
    """Pairs whose distance grows in the course of a simulation: the first of them alone would be far off."""
    distances = np.linspace(0.1, 1.0, 70_000)
    pairs = np.zeros((len(distances), 2, 3), dtype=np.float32)
    pairs[:, 0, 0], pairs[:, 1, 0] = 0.5 * distances, -0.5 * distances
    flow = toys.flow(toys.PairField(), AUGMENTED)
    flow.fit_constants([toys.atoms(2), toys.atoms(2)], [pairs, pairs])
    assert flow.length_scale == pytest.approx(np.sqrt(np.square(pairs.astype(float)).mean()), rel=1e-3)


def test_centroid_of_data_does_not_enter_the_scale(toys):
    x, _, _ = toys.padded([5, 5], width=5)
    here, there = toys.flow(toys.PairField(), AUGMENTED), toys.flow(toys.PairField(), AUGMENTED)
    here.prepare_training(x)
    there.prepare_training(x + 10)
    torch.testing.assert_close(here.length_scale, there.length_scale)


def test_bias_and_coupling_are_handed_on(toys):
    assert toys.flow(toys.MlpField(1), Hutchinson(HutchinsonConfig())).biased
    plain = toys.flow(toys.MlpField(1), AUGMENTED)
    assert not plain.biased
    assert not plain.batch_coupled

    class Coupled(type(toys.dopri5())):
        batch_coupled = True

    coupled = Coupled(toys.dopri5().config)
    assert toys.flow(toys.MlpField(1), AUGMENTED, tolerance=coupled).batch_coupled


def test_log_prob_is_differentiable(toys):
    proposal, system = toys.flow(toys.MlpField(2), AUGMENTED, tolerance=1e-10), toys.euclidean(2)
    x = torch.tensor([[0.4, -0.3]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(proposal.log_prob(x, system).log_q.sum(), x)
    step = 1e-4 * torch.eye(2, dtype=torch.float64)
    with torch.no_grad():
        ends = proposal.log_prob(torch.cat([x + step, x - step]), system).log_q
    torch.testing.assert_close(gradient[0], (ends[:2] - ends[2:]) / 2e-4, rtol=1e-5, atol=1e-6)


def test_nonfinite_states_are_flagged(toys):
    proposal, system = toys.flow(toys.MlpField(2), AUGMENTED), toys.euclidean(2)
    x = torch.tensor([[0.1, 0.2], [torch.nan, 0.0], [1e200, 0.0]], dtype=torch.float64)
    with torch.no_grad():
        draws = proposal.log_prob(x, system)
    assert (draws.status == Status.OK).tolist() == [True, False, False]


def test_audit_finds_the_error_of_a_coarse_rule(toys):
    system = toys.atoms(6)
    coarse = toys.flow(toys.PairField(3.0), QUADRATURE, dtype="float32", scale=0.3, tolerance=1e-2)
    fine = toys.flow(toys.PairField(3.0), QUADRATURE, dtype="float64", scale=0.3, tolerance=1e-10)
    with torch.no_grad():
        keys = SampleKeys.range(0, "audit", 0, 8)
        found = audit(coarse, coarse.sample_with_log_prob(keys, system), system, toys.dopri5(1e-9))
        good = audit(fine, fine.sample_with_log_prob(keys, system), system, toys.dopri5(1e-9))
    assert coarse.field.strength.dtype == torch.float32  # the audit worked on a copy
    assert found.failed == good.failed == 0
    assert good.max < 1e-6
    assert 1e-4 < found.rms <= found.max < 1
    assert found.log_q_err.shape == (8,)


def test_options_are_checked():
    with pytest.raises(ValueError, match="greater than 0"):
        FlowConfig(length_scale_nm=-1.0)
    with pytest.raises(ValueError, match="Input should be 15, 21, 31 or 63"):
        QuadratureConfig(nodes=10)


def test_slots_are_keywords(toys):
    with pytest.raises(TypeError):
        FlowProposal(FlowConfig(), Gaussian(GaussianConfig()), toys.MlpField(1), toys.dopri5(), AUGMENTED)


def test_prior_and_system_must_fit(toys):
    prior = MeanFreeGaussian(MeanFreeGaussianConfig())
    proposal = toys.flow(toys.MlpField(2), AUGMENTED, prior=prior)
    with pytest.raises(Exception, match="gaussian"):
        proposal.sample_with_log_prob(SampleKeys.range(0, "s", 0, 2), toys.euclidean(2))
