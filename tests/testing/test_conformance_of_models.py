"""The conformance kit finds the mistakes that it is there to find: likelihoods, proposals, objectives, samplers."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.likelihood import LikelihoodRule
from tbg_core.contracts.objective import Objective
from tbg_core.contracts.sampler import Sampler
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, HutchinsonConfig
from tbg_core.flows.hutchinson import Hutchinson
from tbg_core.objectives.config import FlowMatchingConfig
from tbg_core.objectives.flow_matching import FlowMatching
from tbg_core.priors.config import GaussianConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_core.testing import LikelihoodConformance, ObjectiveConformance, ProposalConformance, SamplerConformance
from tbg_core.testing.parts import GaussianProposal, atoms, n_methylacetamide, plane


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def fails(kit, test):
    with pytest.raises(AssertionError):
        getattr(kit, test)()


def kit_of(base, component, **methods):
    made = type("Kit", (base,), {"make": lambda self: component(), **methods})
    return made()


class Spoiled(LikelihoodRule):
    """The exact rule, spoiled on its way out."""

    def transport(self, field, integrator, x, batch, t0, t1, *, keys, condition=None, wanted=None):
        rule = Augmented(AugmentedConfig())
        moved = rule.transport(field, integrator, x, batch, t0, t1, keys=keys, condition=condition)
        return dataclasses.replace(moved, **self.spoil(moved, keys))


class WrongSign(Spoiled):
    def spoil(self, moved, keys):
        return {"log_det": -moved.log_det}


class ForgetsDirection(Spoiled):
    def spoil(self, moved, keys):
        return {"log_det": moved.log_det.abs()}


class SinglePrecision(Spoiled):
    def spoil(self, moved, keys):
        return {"log_det": moved.log_det.float()}


class Averaging(Spoiled):
    def spoil(self, moved, keys):
        return {"log_det": 0.9 * moved.log_det + 0.1 * moved.log_det.mean()}


class Undeclared(Hutchinson):
    biased = False

    def __init__(self):
        super().__init__(HutchinsonConfig(probes=1))


class Reseeding(Spoiled):
    def spoil(self, moved, keys):
        return {"log_det": moved.log_det + np.random.default_rng().normal()}


class HidesFailures(Spoiled):
    def spoil(self, moved, keys):
        return {"status": torch.zeros_like(moved.status)}


LIKELIHOODS = [
    (WrongSign, "test_linear_field_has_its_log_determinant"),
    (WrongSign, "test_log_determinant_is_that_of_the_map"),
    (ForgetsDirection, "test_log_determinant_changes_sign_backwards"),
    (SinglePrecision, "test_result_has_the_stated_form"),
    (Averaging, "test_rows_do_not_depend_on_the_batch"),
    (Undeclared, "test_randomness_is_declared_and_keyed"),
    (Reseeding, "test_randomness_is_declared_and_keyed"),
    (HidesFailures, "test_a_failing_sample_stays_alone"),
]


@pytest.mark.parametrize(("rule", "test"), LIKELIHOODS)
def test_likelihood(rule, test):
    fails(kit_of(LikelihoodConformance, rule), test)


class Normal(GaussianProposal):
    def __init__(self):
        super().__init__(Gaussian(GaussianConfig()))


class WrongConstant(Normal):
    """Forgets what its width does to the density."""

    def log_prob(self, x, system, condition=None):
        draws = super().log_prob(x, system)
        return dataclasses.replace(draws, log_q=draws.log_q + 0.5)


class Disagreeing(Normal):
    """Draws with another density than it states for given states."""

    def sample_with_log_prob(self, keys, system, condition=None):
        draws = super().sample_with_log_prob(keys, system)
        return dataclasses.replace(draws, log_q=draws.log_q + 0.01 * draws.x[:, 0])


class OneStream(Normal):
    def sample_with_log_prob(self, keys, system, condition=None):
        stream = np.random.default_rng(keys.index[:1])
        return self.log_prob(torch.from_numpy(stream.standard_normal((len(keys), 2))), system)


class Forgetful(Normal):
    """Keeps a number that matters outside its state."""

    def __init__(self):
        super().__init__()
        self.log_width.requires_grad_(requires_grad=False)
        self.hidden = float(np.random.default_rng().uniform(0.1, 0.9))

    def log_prob(self, x, system, condition=None):
        draws = super().log_prob(x, system)
        return dataclasses.replace(draws, log_q=draws.log_q - self.hidden * x.double()[:, 0].square())


class Rounded(Normal):
    def log_prob(self, x, system, condition=None):
        draws = super().log_prob(x, system)
        return dataclasses.replace(draws, log_q=draws.log_q.float())


class Contagious(Normal):
    def log_prob(self, x, system, condition=None):
        draws = super().log_prob(x, system)
        return dataclasses.replace(draws, log_q=draws.log_q + 0 * x.sum())


class Oriented(GaussianProposal):
    """Knows where up is, and says that it does not."""

    def __init__(self):
        super().__init__(MeanFreeGaussian(MeanFreeGaussianConfig()))

    def log_prob(self, x, system, condition=None):
        draws = super().log_prob(x, system)
        return dataclasses.replace(draws, log_q=draws.log_q + torch.tanh(x.double()[:, 0, 2]))

    @property
    def symmetry(self):
        return Symmetry("E3")


PROPOSALS = [
    (WrongConstant, "test_density_is_normalised"),
    (Disagreeing, "test_log_prob_agrees_with_the_draws"),
    (OneStream, "test_sample_depends_on_its_index_alone"),
    (Forgetful, "test_weights_hold_everything"),
    (Rounded, "test_draws_have_the_stated_form"),
    (Contagious, "test_a_bad_row_stays_alone"),
    (Oriented, "test_declared_symmetry_holds"),
]


@pytest.mark.parametrize(("proposal", "test"), PROPOSALS)
def test_proposal(proposal, test):
    fails(kit_of(ProposalConformance, proposal, system=lambda _: atoms(3) if proposal is Oriented else plane()), test)


@pytest.mark.parametrize("test", sorted({test for _, test in PROPOSALS}))
def test_good_proposal_passes(test):
    getattr(kit_of(ProposalConformance, Normal, system=lambda _: plane()), test)()


class Wrong(Objective):
    def loss(self, proposal, x, batch, keys):
        return self.spoil(FlowMatching(FlowMatchingConfig()), proposal, x, batch, keys)


class Backwards(Wrong):
    """Swaps prior and data."""

    def spoil(self, right, proposal, x, batch, keys):
        noise = keys.normal((2,))
        t = keys.child("t").uniform()
        x_t = (1 - t[:, None]) * x + t[:, None] * noise
        return (proposal.field(t, x_t, batch) - (noise - x)).square().mean()


class Summed(Wrong):
    def spoil(self, right, proposal, x, batch, keys):
        return len(x) * right.loss(proposal, x, batch, keys)


class PerRow(Wrong):
    def spoil(self, right, proposal, x, batch, keys):
        return right.loss(proposal, x, batch, keys).expand(len(x))


class Unkeyed(Wrong):
    def spoil(self, right, proposal, x, batch, keys):
        return right.loss(proposal, x, batch, keys) * np.random.default_rng().uniform(0.9, 1.1)


OBJECTIVES = [
    (Backwards, "test_minimising_it_fits_the_data"),
    (Summed, "test_loss_is_a_mean"),
    (PerRow, "test_loss_is_a_differentiable_number"),
    (Unkeyed, "test_loss_is_a_function_of_weights_data_and_keys"),
]


@pytest.mark.parametrize(("objective", "test"), OBJECTIVES)
def test_objective(objective, test):
    fails(kit_of(ObjectiveConformance, objective), test)


class Altered(Sampler):
    """Importance sampling, spoiled on its way out."""

    def sample_block(self, proposal, target, keys):
        ensemble = ImportanceSampler(ImportanceSamplerConfig()).sample_block(proposal, target, keys)
        return self.spoil(ensemble, target)


class Dropping(Altered):
    """Leaves failures out, as if they had not been attempted."""

    def spoil(self, ensemble, target):
        keep = ensemble.valid
        columns = ("positions", "log_q", "reduced_energy", "valid", "log_q_err", "status")
        return dataclasses.replace(ensemble, **{name: getattr(ensemble, name)[keep] for name in columns})


class Clipping(Altered):
    def spoil(self, ensemble, target):
        log_w = ensemble.log_weights
        return dataclasses.replace(ensemble, base_log_weights=np.minimum(log_w, np.median(log_w)))


class Stale(Altered):
    """Moves states after their energy was taken."""

    def spoil(self, ensemble, target):
        return dataclasses.replace(ensemble, positions=ensemble.positions + np.float32(1e-3))


class Unweighted(Altered):
    def spoil(self, ensemble, target):
        return dataclasses.replace(ensemble, base_log_weights=np.zeros(len(ensemble)))


class Shifted(Altered):
    def spoil(self, ensemble, target):
        return dataclasses.replace(ensemble, log_q=ensemble.log_q + 0.1)


class TakesEverything(Altered):
    def spoil(self, ensemble, target):
        u = np.nan_to_num(ensemble.reduced_energy, nan=0.0)
        return dataclasses.replace(ensemble, valid=np.ones(len(ensemble), dtype=bool), reduced_energy=u)


class Lucky(Altered):
    def spoil(self, ensemble, target):
        noise = np.random.default_rng().normal(size=ensemble.positions.shape).astype(np.float32)
        return dataclasses.replace(ensemble, positions=noise)


class Doubles(Altered):
    def spoil(self, ensemble, target):
        return dataclasses.replace(ensemble, positions=ensemble.positions.astype(np.float64))


SAMPLERS = [
    (Dropping, "test_energies_that_fail_cost_their_rows_only"),
    (Clipping, "test_log_z_is_right"),
    (Unweighted, "test_averages_are_right"),
    (Stale, "test_energies_are_those_of_the_stored_states"),
    (Shifted, "test_log_q_is_that_of_the_proposal"),
    (TakesEverything, "test_draws_that_fail_are_invalid"),
    (Lucky, "test_block_is_a_function_of_its_keys"),
    (Doubles, "test_block_has_the_stated_form"),
]


@pytest.mark.parametrize(("sampler", "test"), SAMPLERS)
def test_sampler(sampler, test):
    fails(kit_of(SamplerConformance, sampler), test)


def test_the_molecule_of_the_kit_is_one():
    molecule = n_methylacetamide()
    x = molecule.reference[None]
    lengths = np.linalg.norm(x[:, [a for a, _ in molecule.bonds]] - x[:, [b for _, b in molecule.bonds]], axis=2)
    assert lengths.min() > 0.08
    assert lengths.max() < 0.16
    assert len(molecule.handedness) == 2
    assert math.isclose(sum(molecule.masses), 73.095, abs_tol=1e-3)
