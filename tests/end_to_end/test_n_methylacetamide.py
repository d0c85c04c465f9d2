"""The whole path on a real molecule: simulate, train, sample, reweight; and what comes out agrees with MD."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from tbg_core.config.load import load_config
from tbg_core.config.resolve import resolve
from tbg_core.ensemble import Ensemble
from tbg_core.observables import parse_observable
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.run import run
from tbg_core.storage.shards import ShardStore

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
    assert np.isfinite(ensemble.log_q).all()
    assert not ensemble.reliability.reliable
    for name in ("metrics.json", "report.html", "weights.csv", "topology.pdb", "config.yaml", "provenance.json"):
        assert (tmp_path / "run" / name).stat().st_size > 0, name


@pytest.mark.slow
def test_the_ensemble_agrees_with_molecular_dynamics(tmp_path):
    """Energy, bonds and torsions within error, corrected for the number of comparisons (Bonferroni, 1 %)."""
    ensemble = from_scratch(tmp_path / "run", {})
    assert ensemble.attempted >= 1000
    assert ensemble.ess_fraction > 0.10
    frames = ShardStore(tmp_path / "run" / "simulation" / "frames")
    md = frames.concatenate(["positions", "reduced_energy", "walker"])
    bonds = [f"distance:{i},{j}" for i, j in ensemble.system.bonds]
    scores = [_score(ensemble, md, parse_observable(name, ensemble.system)) for name in bonds]
    omega = parse_observable("omega:1", ensemble.system)
    scores.append(_score(ensemble, md, lambda x: np.cos(omega(x))))
    energy = ensemble.mean_energy(unit="kT")
    value, error = _walker_mean(md["reduced_energy"], md["walker"])
    scores.append((energy.value - value) / np.hypot(energy.error, error))
    bound = NormalDist().inv_cdf(1 - 0.01 / (2 * len(scores)))
    assert np.abs(scores).max() < bound


def _score(ensemble: Ensemble, md: dict[str, np.ndarray], observable) -> float:
    """Difference of the two averages in units of their joint standard error."""
    estimate = ensemble.expectation(observable)
    value, error = _walker_mean(observable(md["positions"]), md["walker"])
    return float((estimate.value - value) / np.hypot(estimate.error, error))


def _walker_mean(values: np.ndarray, walker: np.ndarray) -> tuple[float, float]:
    """Mean and standard error from independent walkers."""
    means = np.array([values[walker == w].mean() for w in np.unique(walker)])
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means)))
