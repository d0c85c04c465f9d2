"""The samplers in a run: one pilot, the same bits after a resume and by workers, and a report of what was done."""

from __future__ import annotations

import json
import shutil

import pytest

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.ensemble import Ensemble
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.sample import draw, sample, too_few_populations
from tbg_core.pipeline.simulate import simulate
from tbg_core.pipeline.train import train
from tbg_core.storage.atomic import sha256

QUIET = NullProgress()
MOVES = {"leapfrog_steps": 1, "pilot_size": 16}
SAMPLERS = {
    "smc": {"name": "smc", "steps": 2, "resample_below": 1.0, **MOVES},
    "independence-metropolis": {"name": "independence-metropolis", "sweeps": 2, "moves_per_sweep": 1, **MOVES},
}


def configuration(sampler):
    return resolve(
        make_config(
            {
                "system": "asymmetric-double-well",
                "energy": "double-well",
                "model": {"name": "mlp", "width": 8},
                "prior": "gaussian",
                "dynamics": "exact-sampler",
                "integrator": {"name": "rk4", "steps": 4},
                "likelihood": "augmented",
                "simulation": {"walkers": 2, "frames": 30},
                "training": {"steps": 12, "batch_size": 8},
                "sampler": SAMPLERS[sampler],
                "sampling": {"num_samples": 30, "block_size": 8, "audit_samples": 0},
            }
        ),
        needs=("system", "model", "energy", "sampler", "objective", "dynamics"),
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder, config = tmp_path_factory.mktemp("tiny"), configuration("smc")
    data = simulate(config, folder / "simulation", resume=False, workers=1, progress=QUIET)
    return train(config, [data], folder / "training", resume=False, device="cpu", progress=QUIET)


def run(sampler, checkpoint, out, *, workers=1):
    draw(configuration(sampler), checkpoint, out, device="cpu", workers=workers, progress=QUIET)
    return {path.name: sha256(path) for path in sorted((out / "ensemble").glob("shard-*"))}


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_resumed_runs_have_the_same_bits_and_the_pilot_is_made_once(sampler, checkpoint, tmp_path):
    whole = run(sampler, checkpoint, tmp_path / "a")
    assert len(whole) == 4
    settled = (tmp_path / "a" / "sampler.json").read_bytes()
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    for name in ("shard-000001.safetensors", "shard-000003.safetensors", "manifest.json"):
        (tmp_path / "b" / "ensemble" / name).unlink()
    assert run(sampler, checkpoint, tmp_path / "b") == whole
    assert (tmp_path / "b" / "sampler.json").read_bytes() == settled


def test_the_report_says_what_the_sampler_did(checkpoint, tmp_path):
    config = configuration("smc")
    sample(config, checkpoint, tmp_path / "a", resume=False, device="cpu", workers=1, progress=QUIET)
    metrics = json.loads((tmp_path / "a" / "metrics.json").read_text())
    assert metrics["attempted"] == 30
    assert metrics["populations"] == 4
    assert metrics["unique_ancestors"] > 0
    assert metrics["reliable"] is False
    assert "4 populations" in metrics["verdict"]
    means = metrics["sampler"]["mean_per_block"]
    assert 0 < means["acceptance"] <= 1
    pilot = json.loads((tmp_path / "a" / "sampler.json").read_text())
    costs = [json.loads(path.read_text()) for path in (tmp_path / "a" / "costs").glob("shard-*")]
    assert metrics["energy_evaluations"] == pilot["energy_evaluations"] + sum(c["energy_evaluations"] for c in costs)
    report = (tmp_path / "a" / "report.html").read_text()
    assert "acceptance of moves" in report
    assert "descend from" in report
    assert Ensemble.load(tmp_path / "a").populations == 4


@pytest.mark.slow
def test_workers_repeat_every_bit(checkpoint, tmp_path):
    assert run("smc", checkpoint, tmp_path / "a") == run("smc", checkpoint, tmp_path / "b", workers=2)


def test_too_few_populations_are_said_before_any_work():
    few = configuration("smc")
    assert "4 independent populations" in too_few_populations(few)
    many = few.model_copy(update={"sampling": few.sampling.model_copy(update={"num_samples": 80})})
    assert too_few_populations(many) == ""
    annealed = few.model_copy(update={"sampler": {**few.sampler, "resample_below": 0.0}})
    assert too_few_populations(annealed) == ""
    assert too_few_populations(few.model_copy(update={"sampler": {"name": "importance"}})) == ""
