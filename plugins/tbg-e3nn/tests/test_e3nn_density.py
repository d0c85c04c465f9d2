"""log q of a tensor-product flow is one number, and the checkpoint that ships gives samples with it."""

from __future__ import annotations

import pytest
import torch

import tbg_core
from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, FlowConfig, QuadratureConfig
from tbg_core.flows.proposal import FlowProposal
from tbg_core.flows.quadrature import Quadrature
from tbg_core.loading import load_system
from tbg_core.pipeline.checkpoints import bind_checkpoint, find_checkpoint, load_proposal
from tbg_core.priors.config import HarmonicPriorConfig
from tbg_core.priors.harmonic import HarmonicPrior
from tbg_core.randomness import SampleKeys
from tbg_e3nn.config import TensorProductConfig
from tbg_e3nn.field import TensorProductField
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config, RK4Config
from tbg_solvers.fixed import RK4

QUADRATURE, AUGMENTED = Quadrature(QuadratureConfig()), Augmented(AugmentedConfig())


def dopri5(tolerance: float) -> Dopri5:
    return Dopri5(Dopri5Config(rtol=tolerance, atol=tolerance))


def rk4(steps: int) -> RK4:
    return RK4(RK4Config(steps=steps))


def shipped(system, **parts):
    config = resolve(make_config({"system": "ACE-NME", "model": "e3nn", **parts}), ["system", "model"])
    checkpoint = find_checkpoint(config, system)
    return load_proposal(bind_checkpoint(config, checkpoint), checkpoint, system, "cpu")


def untrained(system, integrator, likelihood, **options) -> FlowProposal:
    """A flow in float64 whose field changes densities by several nats."""
    torch.manual_seed(1)  # noqa: TID251 - torch initialises weights from its global generator
    sizes = TensorProductConfig(layers=2, scalars=8, channels=4, edge_width=8, **options)
    field = TensorProductField(TensorProductField.adapt(sizes, [system]))
    for layer in field.layers:
        torch.nn.init.normal_(layer.step.weight, std=0.5)
    config = FlowConfig(length_scale_nm=0.1, dtype="float64")
    prior = HarmonicPrior(HarmonicPriorConfig())
    return FlowProposal(config, prior=prior, field=field, integrator=integrator, likelihood=likelihood)


@torch.no_grad()
def test_every_solver_and_rule_gives_the_same_log_q():
    system = load_system("ACE-NH2")
    drawn = untrained(system, dopri5(1e-6), AUGMENTED).sample_with_log_prob(SampleKeys.range(0, "states", 0, 2), system)
    for integrator, likelihood in ((dopri5(1e-6), QUADRATURE), (rk4(20), AUGMENTED), (rk4(20), QUADRATURE)):
        found = untrained(system, integrator, likelihood).log_prob(drawn.x, system)
        assert torch.allclose(found.log_q, drawn.log_q, rtol=0, atol=2e-3)


@torch.no_grad()
def test_mirror_images_have_densities_of_their_own():
    """Which is why the sampler may not mirror them; without mixing, q(-x) = q(x)."""
    system = load_system("ACE-NH2")
    for mix_parities in (True, False):
        flow = untrained(system, rk4(10), Quadrature(QuadratureConfig(nodes=15)), mix_parities=mix_parities)
        drawn = flow.sample_with_log_prob(SampleKeys.range(0, "states", 0, 4), system)
        both = flow.log_prob(torch.cat([drawn.x, -drawn.x]), system).log_q
        difference = (both[:4] - both[4:]).abs().max()
        assert (difference > 1e-5) if mix_parities else (difference < 1e-10), difference


@pytest.mark.slow
@torch.no_grad()
def test_solvers_and_rules_agree_on_the_checkpoint_that_ships(n_methylacetamide):
    """Within 0.05 nats of each other and of the default, in the single precision that it samples with."""
    default = shipped(n_methylacetamide)
    drawn = default.sample_with_log_prob(SampleKeys.range(0, "states", 0, 4), n_methylacetamide)
    for integrator, likelihood in (
        ({"name": "dopri5", "rtol": 1e-5, "atol": 1e-5}, "augmented"),
        ({"name": "rk4", "steps": 100}, "augmented"),
        ({"name": "rk4", "steps": 100}, "quadrature"),
    ):
        flow = shipped(n_methylacetamide, integrator=integrator, likelihood=likelihood)
        found = flow.log_prob(drawn.x, n_methylacetamide)
        assert (found.log_q - drawn.log_q).abs().max() < 0.05


def test_it_works_out_of_the_box(tmp_path):
    """Without a word about a checkpoint; densities are finite, and nothing is mirrored."""
    small = {"sampling.block_size": 4}
    ensemble = tbg_core.run(system="ACE-NME", model="e3nn", num_samples=4, seed=1, options=small, out=tmp_path / "run")
    assert ensemble.attempted == 4
    assert ensemble.valid.any()
    assert not ensemble.mirrored.any()
    assert torch.isfinite(torch.as_tensor(ensemble.log_q)).all()
