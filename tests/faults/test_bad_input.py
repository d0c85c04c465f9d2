"""Hostile, torn and contradictory input to whole stages: one line with the way out, and nothing is executed."""

from __future__ import annotations

import json
import pickle
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

TORN = """\
ATOM      1  CH3 ACE A   1       2.000   2.090   0.000  1.00  0.00           C
ATOM      2  C   ACE A   1       3.427   2.641   0.0
"""


def refused(attempt, *texts, code=2):
    assert attempt.code == code, attempt.stderr
    lines = attempt.stderr.splitlines()
    assert len([line for line in lines if line.startswith("error: ")]) == 1, attempt.stderr
    assert lines[-1].startswith("error: ")
    assert "Traceback" not in attempt.stderr + attempt.stdout
    assert "unexpected" not in lines[-1]
    for text in texts:
        assert text in lines[-1], lines[-1]
    return lines[-1]


class Owned:
    """A pickle of it creates a file where it is loaded."""

    def __reduce__(self):
        return (Path.touch, (Path("owned"),))


@pytest.fixture
def place(toy, tmp_path):
    """A folder with a finished simulation and a trained model."""
    return toy.before("sample", tmp_path / "place")


def seal(checkpoint):
    """Makes the manifest agree with the weights, as whoever altered them would."""
    path = checkpoint / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["sha256"] = sha256((checkpoint / "model.safetensors").read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("system", "texts"),
    [
        ("AX1", ["'AX1'", "not understood"]),
        ("AXG", ["Unknown residue 'X' at position 2"]),
        ("ACE-ALX-NME", ["Unknown residue ALX at position 2"]),
        ("torn.pdb", ["torn.pdb"]),
        ("cut.pdb", ["cut.pdb"]),
        ("empty.pdb", ["empty.pdb"]),
    ],
)
@pytest.mark.parametrize("verb", ["simulate", "run"])
def test_molecules_that_cannot_be_understood(commands, tmp_path, verb, system, texts):
    (tmp_path / "torn.pdb").write_text(TORN)
    (tmp_path / "cut.pdb").write_text(TORN.splitlines(keepends=True)[0])
    (tmp_path / "empty.pdb").write_text("")
    # Nothing between the input and the refusal may need a model: the simulation comes first.
    more = ["--from-scratch"] if verb == "run" else []
    refused(commands(verb, "--system", system, *more, "--out=out", "--quiet", folder=tmp_path), *texts)
    assert not list((tmp_path / "out").glob("*"))


def test_negative_counts(commands, place):
    for override in ("simulation.block_frames=-1", "simulation.walkers=0", "simulation.frames=-3"):
        refused(commands("simulate", "-s", override, "--out=out", folder=place), override.split("=")[0])
    for override in ("training.batch_size=-4", "training.checkpoint_every=0", "training.learning_rate=-1"):
        refused(commands("train", "--data=simulate", "-s", override, "--out=out", folder=place), override.split("=")[0])
    sample = ["sample", "--checkpoint=train/checkpoint", "--out=out"]
    refused(commands(*sample, "-s", "sampling.block_size=-7", folder=place), "sampling.block_size")
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("stage", "change", "texts"),
    [
        ("simulate", ["--frames=70"], ["simulation.frames: was 50, now 70", "same settings"]),
        ("simulate", ["--temperature=310"], ["temperature_K"]),
        ("train", ["-straining.batch_size=8"], ["training.batch_size: was 16, now 8"]),
        ("train", ["--data=other"], ["data: was ['simulate'], now ['simulate', 'other']"]),
        ("sample", ["--seed=6"], ["seed: was 5, now 6"]),
        ("sample", ["--integrator=heun", "-sintegrator.steps=9"], ["integrator"]),
    ],
)
def test_resuming_with_other_settings(commands, toy, same_as, tmp_path, stage, change, texts):
    folder = tmp_path / "place"
    shutil.copytree(toy.folder, folder)
    shutil.copytree(folder / "simulate", folder / "other")
    refused(commands(*toy.arguments(stage, "--resume", *change), folder=folder), "other settings", *texts)
    same_as(folder / stage, toy.folder / stage)


def test_beginning_where_something_is(commands, toy, same_as, tmp_path):
    folder = tmp_path / "place"
    shutil.copytree(toy.folder, folder)
    for stage in ("simulate", "train", "sample"):
        refused(commands(*toy.arguments(stage), folder=folder), "--resume", "--out")
    arguments = ["sample" if a == "train" else a for a in toy.arguments("simulate", "--resume", "--out=sample")]
    refused(commands("simulate", *arguments[1:], folder=folder), "other settings")
    same_as(folder, toy.folder)


def test_flags_that_contradict_each_other(commands, toy, place):
    arguments = ["--from-scratch", "--checkpoint=train/checkpoint", "--out=out"]
    toys = ["--system=double-well", "--energy=double-well", "--model=mlp", "-sdynamics=exact-sampler"]
    refused(commands("run", *toys, *arguments, folder=place), "--from-scratch", "--checkpoint", "Drop one")
    larger = toy.arguments("sample", "--system=asymmetric-double-well:5")
    refused(commands(*larger, folder=place), "dimension 2", "shape (5,)")
    other = toy.arguments("sample", "--system=mueller-brown", "--out=other")
    refused(commands(*other, folder=place), "double-well", "mueller-brown")


def test_a_checkpoint_of_something_else(commands, toy, place):
    checkpoint = place / "train" / "checkpoint"
    config = checkpoint / "config.yaml"
    refused(commands(*toy.arguments("sample", "--model=linear"), folder=place), "trained with", "mlp", "linear")
    refused(commands(*toy.arguments("sample", "--model=mlp", "-smodel.width=16"), folder=place), "width", "8", "16")
    refused(commands(*toy.arguments("sample", "--prior=mean-free-gaussian"), folder=place), "prior", "gaussian")
    content = yaml.safe_load(config.read_text())
    content["model"]["field"]["width"] = 16
    config.write_text(yaml.safe_dump(content))
    refused(commands(*toy.arguments("sample"), folder=place), "another architecture", "config.yaml")
    content["model"]["field"]["depth"] = 1
    config.write_text(yaml.safe_dump(content))
    refused(commands(*toy.arguments("sample", "--out=second"), folder=place), "another architecture")
    content["model"]["field"]["name"] = "mpl"
    config.write_text(yaml.safe_dump(content))
    refused(commands(*toy.arguments("sample", "--out=third"), folder=place), "unknown field 'mpl'", "mlp")


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_truncated_weights(commands, toy, place, kept, sealed):
    weights = place / "train" / "checkpoint" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    if sealed:
        seal(weights.parent)
    words = ["not a safetensors file"] if sealed else ["sha256 differs", "Copy the checkpoint again"]
    refused(commands(*toy.arguments("sample"), folder=place), *words)


def test_pickles_that_pose_as_weights(commands, toy, place):
    weights = place / "train" / "checkpoint" / "model.safetensors"
    weights.write_bytes(pickle.dumps(Owned()))
    refused(commands(*toy.arguments("sample"), folder=place), "sha256 differs")
    seal(weights.parent)
    refused(commands(*toy.arguments("sample"), folder=place), "not a safetensors file", "pickled")
    state = place / "train" / "training-state.safetensors"
    state.write_bytes(pickle.dumps(Owned()))
    refused(commands(*toy.arguments("train", "--resume"), folder=place), "not a safetensors file")
    shard = place / "simulate" / "frames" / "shard-000000.safetensors"
    shard.write_bytes(pickle.dumps(Owned()))
    refused(commands(*toy.arguments("train", "--out=again"), folder=place), "shard-000000.safetensors", "--resume")
    assert not list(place.rglob("owned"))
    pickle.loads(weights.read_bytes())  # noqa: TID251 - shows that the bait was live
    assert Path("owned").exists()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "name", ["train/checkpoint/config.yaml", "train/config.yaml", "simulate/config.yaml"], ids=lambda n: n
)
def test_object_tags_in_files_of_a_run(commands, toy, place, name):
    path = place / name
    path.write_text(f"{path.read_text()}\nbait: !!python/object/apply:os.system ['touch owned']\n")
    stage = "sample" if "checkpoint" in name else name.split("/")[0]
    refused(commands(*toy.arguments(stage, "--resume"), folder=place), name)
    assert not list(place.rglob("owned"))


def test_a_shard_that_was_altered(commands, toy, tmp_path):
    folder = tmp_path / "place"
    shutil.copytree(toy.folder, folder)
    shard = folder / "sample" / "ensemble" / "shard-000002.safetensors"
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    refused(commands("report", "sample", folder=folder), "shard-000002.safetensors", "altered")
    shard.unlink()
    refused(commands("report", "sample", folder=folder), "shard-000002.safetensors", "missing")


def test_a_folder_below_a_file(commands, toy, place):
    (place / "file").write_text("")
    for stage in ("simulate", "train", "sample"):
        refused(commands(*toy.arguments(stage, "--out=file/below"), folder=place), "file/below", "--out")
    shutil.copytree(toy.folder / "sample", place / "sample")
    below = ["reweight", "sample", "--temperature=310", "--out=file/below"]
    refused(commands(*below, folder=place), "file/below", "--out")
    assert (place / "file").read_text() == ""
