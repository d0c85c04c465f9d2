"""From nothing to weighted samples of N-methylacetamide, and the partition function that continuous flows found."""

from __future__ import annotations

import time

import pytest
import torch

import tbg_core
from tbg_autoregressive.config import AutoregressiveConfig
from tbg_autoregressive.proposal import Autoregressive
from tbg_core.randomness import SampleKeys

FLOWS = (-67.46, 0.07)
"""log Z and its error by a flow with the field egnn (docs/acceptance.md)."""


@pytest.mark.slow
@pytest.mark.statistical
def test_log_z_is_that_of_a_continuous_flow(tmp_path) -> None:
    # False alarms: five standard errors, below 1e-6.
    data = tbg_core.simulate(system="ACE-NME", walkers=4, frames=1000, seed=3, out=tmp_path / "data")
    options = {"training.steps": 800}
    checkpoint = tbg_core.train(data, model="autoregressive", seed=3, options=options, out=tmp_path / "model")
    block = {"sampling.block_size": 250}
    ensemble = tbg_core.sample(
        checkpoint, system="ACE-NME", num_samples=2000, seed=5, options=block, out=tmp_path / "samples"
    )
    log_z = ensemble.log_z
    assert abs(log_z.value - FLOWS[0]) < 5 * (FLOWS[1] ** 2 + log_z.error**2) ** 0.5
    assert ensemble.ess > 0.3 * 2000
    assert ensemble.valid.mean() > 0.99


@pytest.mark.slow
def test_five_hundred_samples_a_second_of_one_core(molecule, shaken) -> None:
    """With log q, by the default network, for a dipeptide of 34 atoms; in seconds of the processor."""
    m = molecule("AW")
    model = Autoregressive(Autoregressive.adapt(AutoregressiveConfig(), [m]))
    model.fit_constants([m], [shaken(m, 400)])
    began, count = time.process_time(), 0
    with torch.no_grad():
        while time.process_time() - began < 3.0:
            draws = model.eval().sample_with_log_prob(SampleKeys.range(1, "speed", count, count + 250), m)
            count += len(draws.log_q)
    rate = count / (time.process_time() - began)
    print(f"{rate:.0f} samples per second of one core")  # noqa: T201 - the figure of docs/acceptance.md
    assert rate > 500
