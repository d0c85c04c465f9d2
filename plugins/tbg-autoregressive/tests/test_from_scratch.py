"""From nothing to weighted samples of N-methylacetamide, and the partition function that continuous flows found."""

from __future__ import annotations

import pytest

import tbg_core

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
