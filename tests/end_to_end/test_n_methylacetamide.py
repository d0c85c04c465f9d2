"""The whole path on a real molecule: simulate, train, sample, reweight; and what comes out agrees with MD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tbg_core.config.load import load_config
from tbg_core.config.resolve import resolve
from tbg_core.ensemble import Ensemble, Validity
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.run import run

SETTINGS = Path(__file__).with_name("n_methylacetamide.yaml")
NEEDS = ("model", "energy", "sampler", "objective", "dynamics")


def from_scratch(out: Path, overrides: dict[str, object]) -> Ensemble:
    """A finished run in ``out``."""
    config = load_config(SETTINGS)
    changed = {key: getattr(config, key).model_copy(update=value) for key, value in overrides.items()}
    resolved = resolve(config.model_copy(update=changed), needs=NEEDS)
    run(resolved, out, from_scratch=True, workers=2, progress=NullProgress())
    return Ensemble.load(out)


def test_every_stage_runs_on_a_real_molecule(tmp_path):
    """Few frames, few steps: the samples are poor, and the run says so."""
    ensemble = from_scratch(
        tmp_path / "run",
        {
            "simulation": {"walkers": 1, "frames": 20, "block_frames": 10},
            "training": {"steps": 20, "compile": False, "precision": "32-true", "log_every": 10},
            "sampling": {"num_samples": 8, "block_size": 4},
        },
    )
    assert ensemble.attempted == 8
    assert np.array_equal(np.isfinite(ensemble.log_q), ensemble.valid)
    assert not np.isin(ensemble.status, [Validity.INTEGRATION_FAILED, Validity.NONFINITE_DENSITY]).any()
    assert not ensemble.reliability.reliable
    for name in ("metrics.json", "report.html", "weights.csv", "topology.pdb", "config.yaml", "provenance.json"):
        assert (tmp_path / "run" / name).stat().st_size > 0, name


@pytest.mark.slow
def test_the_ensemble_agrees_with_molecular_dynamics(tmp_path, deviations, bound):
    """Energy, bonds and torsions within error, corrected for the number of comparisons (Bonferroni, 1 %)."""
    ensemble = from_scratch(tmp_path / "run", {})
    assert ensemble.attempted >= 1000
    assert ensemble.ess_fraction > 0.10
    scores = deviations(ensemble, tmp_path / "run" / "simulation")
    assert np.abs(scores).max() < bound(len(scores))
