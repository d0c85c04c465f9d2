"""The splits keep what is tested apart from what is trained on, and the frames that ship are what they say."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch

from tbg_core import api, load_target
from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.datasets import load_data
from tbg_core.datasets.folder import read_manifest
from tbg_core.datasets.packing import RESOLUTION_NM, pack
from tbg_core.datasets.positions import encode
from tbg_core.datasets.verbs import build_dataset
from tbg_core.ensemble import Ensemble
from tbg_core.errors import ConfigError, StorageError
from tbg_core.pipeline.progress import NullProgress
from tbg_core.storage.atomic import write_json
from tbg_core.storage.shards import ShardStore
from tbg_core.testing import DatasetConformance


class TestDipeptides(DatasetConformance):
    def make(self):
        return build_dataset("dipeptides")


class TestShortPeptides(DatasetConformance):
    def make(self):
        return build_dataset("short-peptides")


LETTERS = "ACDEFGHIKLMNPQRSTVWY"
LEAST_FRAMES, LARGEST_BYTES = 1500, 80_000_000


@pytest.fixture(scope="module")
def dataset():
    return build_dataset("dipeptides")


def held_out(dataset):
    return {name for split in dataset.splits.values() if not split.training for name in split.systems}


def test_the_splits_are_those_of_the_papers(dataset):
    sizes = {name: len(split.systems) for name, split in dataset.splits.items()}
    assert sizes == {
        "train": 200,
        "validation": 10,
        "test_tbg_8": 8,
        "test_tbg_16": 16,
        "test_tbg": 100,
        "test_prose": 30,
    }
    possible = {a + b for a, b in product(LETTERS, repeat=2)}
    for split in dataset.splits.values():
        assert len(set(split.systems)) == len(split.systems)
        assert possible.issuperset(split.systems)
        assert "arXiv" in split.source
    assert set(dataset.splits["test_tbg_8"].systems) <= set(dataset.splits["test_tbg_16"].systems)
    assert set(dataset.splits["test_tbg_16"].systems) <= set(dataset.splits["test_tbg"].systems)


def test_nothing_that_is_tested_is_trained_on(dataset):
    training = {name for split in dataset.splits.values() if split.training for name in split.systems}
    assert len(training) == 200
    assert not training & held_out(dataset)
    # In no list: the example of the README is never trained on.
    assert "GF" not in training | held_out(dataset)


def test_recipes_resolve(dataset):
    for name in dataset.splits:
        config = resolve(make_config({**dataset.recipe(name), "system": "AA"}), needs=["system", "energy", "dynamics"])
        assert config.temperature_K == 310.0
        assert config.energy["preset"] == "amber14-obc1-310K"
        assert config.dynamics["temperatures_K"][0] == 310.0
        assert config.simulation.frames % config.simulation.block_frames == 0
    assert dataset.recipe("validation")["simulation"]["frames"] > dataset.recipe("train")["simulation"]["frames"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split": "training"}, "has no split 'training'.*It has train, validation"),
        ({"systems": ["AL"]}, "AL is not in split 'train'"),  # validation
        ({"systems": ["GF"]}, "GF is not in split 'train'"),  # in no list
        ({"systems": []}, "nothing is not in split"),
    ],
)
def test_other_systems_are_not_made(tmp_path, options, words):
    with pytest.raises(ConfigError, match=words):
        api.make_dataset("dipeptides", out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


TINY = {
    "simulation.walkers": 4,
    "simulation.block_frames": 2,
    "dynamics.temperatures_K": [310.0, 340.0],
    "dynamics.heating_ps": 0.02,
    "dynamics.scramble_ps": 0.02,
    "dynamics.equilibration_ps": 0.02,
    "dynamics.exchange_interval_ps": 0.02,
    "dynamics.frame_interval_ps": 0.02,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two dipeptides, prolonged once."""
    out = tmp_path_factory.mktemp("made") / "train"
    api.make_dataset("dipeptides", systems=["AG"], frames=4, options=TINY, out=out)
    return api.make_dataset("dipeptides", systems=["GG", "AG"], frames=6, options=TINY, out=out, resume=True)


def test_a_dataset_says_what_it_holds(made, dataset):
    manifest = read_manifest(made)
    assert manifest["training"]
    assert manifest["split"] == "train"
    assert list(manifest["systems"]) == ["AG", "GG"]  # in the order of the split
    assert not held_out(dataset) & set(manifest["systems"])
    assert manifest["target"]["forcefield"] == ["amber14-all.xml", "implicit/obc1.xml"]
    assert manifest["target"]["temperature_K"] == 310.0
    for name, entry in manifest["systems"].items():
        assert entry["frames"] == 24
        assert entry["walkers"] == 4
        assert set(entry["populations"]) == {"phi:2", "psi:1"}
        assert len(entry["acceptance"]) == 1
        assert 0 <= entry["split_half"] <= 1
        ShardStore(made / name / "frames").verify()


def test_what_was_prolonged_is_what_would_have_been_made_at_once(made, tmp_path):
    once = api.make_dataset("dipeptides", systems=["AG"], frames=6, options=TINY, out=tmp_path / "once")
    assert read_manifest(once)["systems"]["AG"]["sha256"] == read_manifest(made)["systems"]["AG"]["sha256"]


def test_options_of_the_system_go_to_every_system(tmp_path):
    options = {**TINY, "system.cis": [2]}
    cis = api.make_dataset("dipeptides", systems=["PP"], frames=4, options=options, out=tmp_path / "cis")
    assert read_manifest(cis)["systems"]["PP"]["cis"] == 1.0
    with pytest.raises(ConfigError, match="has the systems of its split"):
        api.make_dataset("dipeptides", systems=["PP"], options={"system": "GG"}, out=tmp_path / "other")


def test_short_peptides_are_made_alike_with_a_last_block_that_is_shorter(tmp_path):
    made = api.make_dataset("short-peptides", systems=["ACE-GLY-NME"], frames=5, options=TINY, out=tmp_path)
    entry = read_manifest(made)["systems"]["ACE-GLY-NME"]
    assert (entry["frames"], entry["walkers"]) == (20, 4)
    assert [len(f.positions) for f in load_data(made, training=True)] == [20]


def test_fewer_or_other_frames_are_refused(made):
    for options in ({"frames": 4}, {"frames": 6, "options": {**TINY, "dynamics.timestep_fs": 1.0}}):
        with pytest.raises(StorageError, match="was begun with other settings"):
            api.make_dataset("dipeptides", resume=True, out=made, **{"options": TINY, **options})


def test_packed_frames_are_those_of_the_dataset(made, tmp_path):
    with pytest.raises(StorageError, match=r"2 systems of .* have fewer than 21 frames after 1 .*\(AG 20, GG 20"):
        api.pack_dataset(made, out=tmp_path / "none", frames=21, skip=1)
    packed = api.pack_dataset(made, out=tmp_path / "packed", frames=12, skip=3)
    for whole, few in zip(load_data(made), load_data(packed, training=True), strict=True):
        assert few.system == whole.system
        assert few.system.reference is not None
        assert np.bincount(few.walker).tolist() == [3, 3, 3, 3]
        x = np.asarray(whole.positions)
        distance = np.abs(np.asarray(few.positions)[:, None] - x[None]).max(axis=(2, 3)).min(axis=1)
        assert distance.max() <= RESOLUTION_NM / 2 + 1e-6
    table = (packed / "convergence.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table] == ["system", "---", "AG", "GG"]
    manifest = read_manifest(packed)
    assert manifest["packed"]
    for entry in manifest["systems"].values():
        digest = hashlib.sha256(ShardStore(packed).path(entry["shard"]).read_bytes()).hexdigest()
        assert entry["sha256"] == digest


def sampled(frames, log_w, out, temperature_K=310.0):
    """Frames of a simulation at random as samples of a model, with weights of our choice."""
    rows = np.random.default_rng(2).integers(len(frames.positions), size=len(log_w))
    zeros = np.zeros(len(log_w))
    Ensemble(
        frames.system, temperature_K, frames.positions[rows], zeros, -log_w, zeros == 0, zeros, zeros.astype(np.int64)
    ).save(out / frames.system.name)


def test_frames_are_drawn_by_weight_from_samples_that_can_be_trusted(made, tmp_path):
    """AG from samples with even weights; GG, whose weights have no finite variance, from the simulation."""
    rng = np.random.default_rng(1)
    for frames, log_w in zip(load_data(made), (rng.normal(0, 0.3, 400), 2.0 * rng.exponential(size=400)), strict=True):
        sampled(frames, log_w, tmp_path / "samples")
    with pytest.raises(StorageError, match="no samples of 2 systems"):
        pack(made, tmp_path / "none", frames=9, skip=0, samples=tmp_path, progress=NullProgress())
    packed = pack(made, tmp_path / "packed", frames=200, skip=0, samples=tmp_path / "samples", progress=NullProgress())
    drawn, simulated = load_data(packed, training=True)
    assert [len(f.positions) for f in (drawn, simulated)] == [200, 24]
    entries = read_manifest(packed)["systems"]
    assert "independent_frames" not in entries["GG"]
    about = entries["AG"]
    walkers, copies = np.unique(drawn.walker, return_counts=True)
    assert walkers.tolist() == list(range(len(walkers)))
    assert about["independent_frames"] == int(200**2 / (copies**2).sum())
    assert about["attempted"] == 400
    assert 300 < about["ess"] < 400
    # The samples are frames of the simulation: nothing but the weights, which are noise, sets them apart.
    assert about["against_simulation"]["standard_errors"] < 4
    assert "independent" in (packed / "convergence.md").read_text().splitlines()[0]


def test_frames_that_ship_are_replaced_where_samples_give_more(made, tmp_path):
    first = api.pack_dataset(made, out=tmp_path / "first", frames=12, skip=3)
    with pytest.raises(StorageError, match="packed already"):
        api.pack_dataset(first, out=tmp_path / "none")
    with pytest.raises(StorageError, match="no samples of any system"):
        api.pack_dataset(first, out=tmp_path / "none", samples=tmp_path)
    ag, rng = load_data(made)[0], np.random.default_rng(3)
    sampled(ag, rng.normal(0, 0.1, 400), tmp_path / "warm", temperature_K=400.0)
    with pytest.raises(StorageError, match=r"have temperature_K 400\.0, the dataset 310\.0"):
        api.pack_dataset(first, out=tmp_path / "none", samples=tmp_path / "warm")
    sampled(ag, rng.normal(0, 0.1, 400), tmp_path / "foreign")
    target = {"forcefield": ["amber99sbildn.xml"], "openmm_version": "7"}
    write_json(tmp_path / "foreign" / "AG" / "provenance.json", {"energy": "openmm", "target": target})
    with pytest.raises(StorageError, match=r"have forcefield \['amber99sbildn.xml'\], the dataset"):
        api.pack_dataset(first, out=tmp_path / "none", samples=tmp_path / "foreign")

    def repacked(source, width, name, frames=None):
        sampled(ag, rng.normal(0, width, 400), tmp_path / f"{name}-samples")
        packed = api.pack_dataset(source, out=tmp_path / name, frames=frames, samples=tmp_path / f"{name}-samples")
        return packed, read_manifest(packed)["systems"]

    second, better = repacked(first, 1.0, "second", frames=100)
    assert better["AG"]["frames"] == 100
    assert better["GG"] == read_manifest(first)["systems"]["GG"]
    third, unchanged = repacked(second, 1.3, "third")
    assert unchanged == better
    fourth, best = repacked(third, 0.01, "fourth")
    assert best["AG"]["independent_frames"] == 100 > better["AG"]["independent_frames"]
    assert np.array_equal(np.asarray(load_data(fourth)[1].positions), np.asarray(load_data(first)[1].positions))


def test_rounding_changes_energies_by_a_tenth_of_kT(made):
    """Some 0.2 kJ/mol for the smallest dipeptides, whose hydrogens are stiffly bound; without a bias that counts."""
    frames = load_data(made, ["AG"])[0]
    x = np.asarray(frames.positions, dtype=np.float64)
    with load_target(system="AG", energy="openmm", temperature_K=310.0) as target:
        exact, rounded = (
            target.reduced_energy(torch.from_numpy(y)).numpy() for y in (x, encode(x, RESOLUTION_NM) * RESOLUTION_NM)
        )
    change = rounded - exact
    assert np.sqrt((change**2).mean()) < 0.2
    assert abs(change.mean()) < 0.1


def test_models_train_on_packed_frames_and_not_on_what_is_held_out(made, tmp_path):
    packed = api.pack_dataset(made, out=tmp_path / "packed", frames=12, skip=0)
    options = {"model.layers": 1, "model.width": 8, "training.batch_size": 4}
    checkpoint = api.train(packed, model="egnn", steps=2, options=options, out=tmp_path / "trained")
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    assert [s["name"] for s in manifest["systems"]] == ["AG", "GG"]
    assert manifest["data"]["preset"] == "amber14-obc1-310K"
    held = json.loads((packed / "dataset.json").read_text()) | {"training": False, "split": "validation"}
    (packed / "dataset.json").write_text(json.dumps(held))
    with pytest.raises(StorageError, match="holds the split 'validation' of dipeptides, which is held out"):
        api.train(packed, model="egnn", steps=2, options=options, out=tmp_path / "refused")


def test_listing_and_showing(made):
    command = [sys.executable, "-m", "tbg_core.cli.main", "datasets"]
    shown = subprocess.run([*command, "show", str(made)], capture_output=True, text=True, check=True).stdout
    assert "AG" in shown
    assert "effective frames median" in shown
    listed = subprocess.run([*command, "list", "--json"], capture_output=True, text=True, check=True).stdout
    assert {"train", "validation"} <= {entry["split"] for entry in json.loads(listed)}


def test_the_frames_that_ship(dataset):
    folder = dataset.shipped("train")
    assert all(dataset.shipped(name) is None for name in dataset.splits if name != "train")
    assert folder is not None
    manifest = read_manifest(folder)
    assert list(manifest["systems"]) == list(dataset.splits["train"].systems)
    assert not held_out(dataset) & set(manifest["systems"])
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST_BYTES
    store = ShardStore(folder)
    for entry in manifest["systems"].values():
        assert entry["independent_frames"] >= LEAST_FRAMES
        assert hashlib.sha256(store.path(entry["shard"]).read_bytes()).hexdigest() == entry["sha256"]
