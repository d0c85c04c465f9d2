"""The protocol on two dipeptides with a few samples: what it writes, how it goes on, what it refuses."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from tbg_core import api
from tbg_core.benchmark.page import write_results
from tbg_core.benchmark.run import Comparison, benchmark
from tbg_core.benchmark.summary import ESS, distance, over_runs, over_systems
from tbg_core.datasets.verbs import build_dataset
from tbg_core.ensemble import Ensemble
from tbg_core.errors import ConfigError, StorageError
from tbg_core.pipeline.progress import NullProgress
from tbg_data_dipeptides.published import published, remarks

pytest.importorskip("tbg_autoregressive")

SIMULATED = {
    "simulation.walkers": 4,
    "simulation.block_frames": 10,
    "dynamics.temperatures_K": [310.0, 340.0],
    "dynamics.heating_ps": 0.02,
    "dynamics.scramble_ps": 0.1,
    "dynamics.equilibration_ps": 0.02,
    "dynamics.exchange_interval_ps": 0.02,
    "dynamics.frame_interval_ps": 0.02,
}
SYSTEMS = ["KG", "GN"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Forty frames of KG; GN has none. The same without exchanges."""
    out = tmp_path_factory.mktemp("simulated")
    for name, temperatures in (("ladder", [310.0, 340.0]), ("plain", [])):
        options = {**SIMULATED, "dynamics.temperatures_K": temperatures}
        api.make_dataset("dipeptides", split="test_tbg_8", systems=["KG"], frames=10, options=options, out=out / name)
    return out


def measure(out, **given):
    options = {
        "systems": SYSTEMS,
        "components": {"model": "autoregressive"},
        "options": {"sampling.block_size": 8, "sampling.shard_blocks": 1},
        "checkpoint": None,
        "samples": 20,
        "seeds": 1,
        "comparison": Comparison(),
        "resume": False,
        "workers": 1,
        "progress": NullProgress(),
    }
    return benchmark("dipeptides", "test_tbg_8", out, **{**options, **given})


@pytest.fixture(scope="module")
def measured(simulated, tmp_path_factory):
    out = tmp_path_factory.mktemp("bench") / "out"
    comparison = Comparison(simulated / "ladder", simulated / "plain", lag=3, points=50, skip=0)
    return out, measure(out, comparison=comparison, seeds=2), comparison


def test_every_run_is_a_run_folder(measured):
    out, entries, _ = measured
    assert [entry["system"] for entry in entries] == SYSTEMS
    for entry, seed in product(entries, range(2)):
        ensemble = Ensemble.load(out / entry["system"] / f"seed{seed}")
        run = entry["runs"][seed]
        assert ensemble.attempted == run["attempted"] == 20
        assert run["ess"] == pytest.approx(ensemble.ess / 20)
        assert run["valid"] == pytest.approx(ensemble.valid.mean())
        assert run["energy_evaluations"] >= ensemble.valid.sum()
        assert run["seconds"] > 0.0
    first, second = (Ensemble.load(out / "KG" / f"seed{seed}").log_q for seed in range(2))
    assert not np.intersect1d(first, second).size


def test_distances_where_there_is_a_reference_and_a_reason_where_there_is_none(measured):
    _, (with_reference, without), _ = measured
    for run in with_reference["runs"]:
        for variant in ("proposal", "reweighted", "trimmed"):
            assert set(run["distances"][variant]) == {"e_w2", "t_w2", "tica_w2", "jsd", "phi"}
            assert run["distances"][variant]["t_w2"] > 0.0
    about = with_reference["reference"]
    assert about["frames"] == 40
    assert about["points"] == 20  # half of the frames
    assert about["tica"]["lag_ps"] == pytest.approx(0.06)
    assert not with_reference["absent"]
    assert without["reference"] is None
    assert without["absent"] == {"reference": "no reference was given"}
    assert all(run["distances"] == {} for run in without["runs"])
    assert not with_reference["trained_on"]


def test_resuming_makes_nothing_twice_and_more_seeds_only_those(measured):
    out, entries, comparison = measured
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    stamp = (out / "KG/measured.json").stat().st_mtime_ns
    assert measure(out, comparison=comparison, seeds=2, resume=True) == entries
    assert (out / "KG/measured.json").stat().st_mtime_ns == stamp
    with pytest.raises(StorageError, match="is not empty"):
        measure(out, comparison=comparison, seeds=2)
    with pytest.raises(StorageError, match=r"begun with other settings.*num_samples"):
        measure(out, comparison=comparison, seeds=2, samples=24, resume=True)
    # Another way of measuring measures again, from the same samples.
    other = measure(out, comparison=comparison._replace(trajectories=None), seeds=2, systems=["KG"], resume=True)
    assert "time order" in other[0]["absent"]["tica_w2"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")} == written
    more = measure(out, comparison=comparison, seeds=3, systems=["KG"], resume=True)
    assert len(more[0]["runs"]) == 3
    assert more[0]["runs"][:2] == entries[0]["runs"]


def test_a_ladder_is_no_plain_dynamics(measured, simulated, tmp_path):
    out, _, comparison = measured
    given = comparison._replace(trajectories=simulated / "ladder")
    entry = measure(out, comparison=given, seeds=2, systems=["KG"], resume=True)[0]
    assert "replica exchange" in entry["absent"]["tica_w2"]


def test_what_cannot_be_measured_is_refused_before_sampling(simulated, tmp_path):
    for options, words in (
        ({"systems": ["AF"]}, "AF is not in split 'test_tbg_8'"),
        ({"comparison": Comparison(simulated / "ladder"), "systems": ["GN"]}, "no finished simulation of GN"),
    ):
        with pytest.raises(ConfigError, match=words):
            measure(tmp_path / "out", **options)
    with pytest.raises(StorageError, match=r"has temperature_K 310\.0, the run 300\.0"):
        measure(
            tmp_path / "out",
            systems=["KG"],
            comparison=Comparison(simulated / "ladder"),
            options={"temperature_K": 300.0},
        )
    assert not list(tmp_path.rglob("*.safetensors"))


def test_the_page_says_what_is_measured_and_what_is_published(measured):
    out, entries, _ = measured
    results, text, page = write_results(
        out, entries, published("test_tbg_8"), title="two dipeptides", label="tiny", about=remarks("test_tbg_8")
    )
    table = text.read_text()
    assert "| tiny, reweighted |" in table
    assert "| TBG + full, reweighted | 15.3 ± 9.3 |" in table
    assert "halves of the reference MD" in table
    assert "arXiv:2406.14426" in table
    assert "GN" in page.read_text()
    assert [entry["system"] for entry in json.loads(results.read_text())["systems"]] == SYSTEMS


def run(ess, e_w2):
    return {"ess": ess, "distances": {"reweighted": {"e_w2": e_w2}}}


def test_figures_over_systems_and_seeds():
    entries = [
        {"system": "AA", "runs": [run(0.1, 1.0), run(0.3, 2.0)]},
        {"system": "BB", "runs": [run(0.5, 3.0), run(0.7, np.inf)]},
    ]
    assert over_runs(entries[0], ESS) == (pytest.approx(0.2), pytest.approx(0.2 / np.sqrt(2)))
    found = over_systems(entries, ESS)
    assert (found.mean, found.median, found.worst) == pytest.approx((0.4, 0.4, 0.2))
    assert found.worst_system == "AA"
    assert found.spread == pytest.approx(0.4 / np.sqrt(2))
    assert found.seeds == pytest.approx(0.2 / np.sqrt(2))  # the means over the systems are 0.3 and 0.5
    distances = over_systems(entries, distance("e_w2", "reweighted"))
    assert (distances.mean, distances.systems, distances.infinite, distances.worst_system) == (1.5, 1, 1, "AA")
    assert over_systems(entries, distance("tica_w2", "reweighted")) is None


def test_published_rows_belong_to_splits_and_name_their_source():
    splits = build_dataset("dipeptides").splits
    rows = {split: published(split) for split in splits}
    assert rows["test_prose"]
    assert rows["test_tbg_8"]
    assert all("arXiv" in row.source for given in rows.values() for row in given)
    prose = rows["test_prose"][0]
    assert (prose.ess, prose.e_w2, prose.t_w2) == (0.191, 0.371, 0.210)
