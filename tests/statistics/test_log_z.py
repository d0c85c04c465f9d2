"""log Z is a property of the target: proposals of different architecture must agree on it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import tbg_core
from tbg_core.flows.config import FlowConfig, QuadratureConfig
from tbg_core.flows.proposal import FlowProposal
from tbg_core.flows.quadrature import Quadrature
from tbg_core.loading import load_system
from tbg_core.priors.config import HarmonicPriorConfig
from tbg_core.priors.harmonic import HarmonicPrior
from tbg_core.randomness import SampleKeys
from tbg_e3nn.config import TensorProductConfig
from tbg_e3nn.field import TensorProductField
from tbg_egnn.config import EGNNConfig
from tbg_egnn.egnn import EGNN
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config

SPRINGS_NM = 0.1
COUNT = 64
OTHERS = {"egnn": (-67.46, 0.07), "autoregressive": (-67.456, 0.011)}
"""log Z of N-methylacetamide and its standard error, by 1,000 and by 4,000 samples: docs/acceptance.md."""


def e3nn(system):
    config = TensorProductConfig(layers=2, scalars=8, channels=4, edge_width=8)
    return TensorProductField(TensorProductField.adapt(config, [system])), "step"


def egnn(system):
    return EGNN(EGNN.adapt(EGNNConfig(layers=2, width=8), [system])), "coordinate_out"


@pytest.mark.statistical
@pytest.mark.parametrize(("make", "scale_nm", "strength"), [(e3nn, 0.1, 0.2), (egnn, 0.1, 0.06), (e3nn, 0.104, 0.2)])
def test_untrained_networks_agree_with_the_closed_form(make, scale_nm, strength):
    """Harmonic bonds have a known Z. Both errors are 4 standard errors: false alarms about 1 in 15,000.

    Neither network is trained, so that their densities differ from the target's and from each other: what is tested
    is the chain of divergence, integral, prior and units of length.
    """
    system = load_system("ACE-NH2")
    torch.manual_seed(1)  # noqa: TID251 - torch initialises weights from its global generator
    field, last = make(system)
    for layer in field.layers:
        torch.nn.init.normal_(getattr(layer, last).weight, std=strength)
    prior = HarmonicPrior(HarmonicPriorConfig())
    flow = FlowProposal(
        FlowConfig(length_scale_nm=scale_nm),
        prior=prior,
        field=field,
        integrator=Dopri5(Dopri5Config(rtol=1e-4, atol=1e-4)),
        likelihood=Quadrature(QuadratureConfig(nodes=15)),
    )
    with torch.no_grad():
        draws = flow.sample_with_log_prob(SampleKeys.range(0, "log-z", 0, COUNT), system)
        latent = flow.to_latent(draws.x[:8], system)
    # u = U/kT of the harmonic bonds alone; Z is what normalises the prior, with lengths of SPRINGS_NM.
    log_p = prior.log_prob(draws.x / SPRINGS_NM, system)
    log_z = -float(prior.log_prob(torch.zeros(1, system.n_atoms, 3), system)) + system.space.dim * math.log(SPRINGS_NM)
    u = -(log_p + log_z - system.space.dim * math.log(SPRINGS_NM))
    log_w = (-u - draws.log_q).numpy()
    w = np.exp(log_w - log_w.max())
    error = w.std(ddof=1) / w.mean() / math.sqrt(COUNT)
    assert error < 0.4, "too few effective samples for the comparison to mean anything"
    change = latent.log_det + system.space.dim * math.log(scale_nm)
    assert float(change.abs().mean()) > 5 * error, "the flow must change densities by more than is resolved"
    assert abs(log_w.max() + math.log(w.mean()) - log_z) < 4 * error


@pytest.mark.slow
@pytest.mark.statistical
def test_three_architectures_agree(tmp_path):
    """The tensor-product field that ships; 4 standard errors: false alarms about 1 in 8,000. Some minutes of a core."""
    ensemble = tbg_core.run(system="ACE-NME", model="e3nn", num_samples=256, seed=1, out=tmp_path / "run")
    assert ensemble.reliability.reliable
    assert ensemble.ess_fraction > 0.1
    found = ensemble.log_z
    for value, error in OTHERS.values():
        assert abs(found.value - value) < 4 * math.hypot(found.error, error)
