"""No checkpoint that ships was trained on a molecule that results are reported for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.errors import CheckpointError, UnsupportedSystemError
from tbg_core.pipeline.checkpoints import check_trainable, find_checkpoint
from tbg_core.pipeline.components import build_system
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.run import run

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "plugins/tbg-data-dipeptides/src/tbg_data_dipeptides"
SPLITS, SHORT = (json.loads((LISTS / name).read_text()) for name in ("splits.json", "short.json"))
MANIFESTS = sorted(ROOT.glob("plugins/*/src/*/checkpoints/*/manifest.json"))


def test_there_are_checkpoints_and_held_out_lists():
    assert MANIFESTS
    assert {"validation", "test_tbg", "test_prose"} <= set(SPLITS)


def held_out(lists):
    return set().union(*(names for split, names in lists.items() if split not in {"train", "source"}))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.parent.name)
def test_no_held_out_peptide_was_trained_on(path):
    trained = {entry["name"] for entry in json.loads(path.read_text())["systems"]}
    assert trained
    assert not trained & held_out(SPLITS)
    # A model of one molecule is for that molecule.
    assert len(trained) == 1 or not trained & held_out(SHORT)


@pytest.mark.parametrize(("system", "folder"), [("GF", "dipeptides"), ("AAA", "short-peptides"), ("LP", "dipeptides")])
def test_of_several_checkpoints_the_one_that_knows_most_is_taken_or_the_specialist(system, folder):
    config = resolve(make_config({"system": system, "model": "autoregressive"}), needs=("system", "model"))
    assert find_checkpoint(config, build_system(config)).name == folder


@pytest.mark.parametrize("system", ["GF", SPLITS["train"][0]])
@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ({}, "dipeptides"),
        ({"encoding": "backbone"}, "dipeptides-backbone"),
        ({"encoding": "element"}, "dipeptides-element"),
    ],
)
def test_of_several_that_know_it_alike_the_one_like_the_run_is_taken(options, folder, system):
    config = resolve(make_config({"system": system, "model": {"name": "egnn", **options}}), needs=("system", "model"))
    assert find_checkpoint(config, build_system(config)).name == folder


@pytest.mark.parametrize("system", ["GGG", "ACE-PRO-NME"])
def test_a_network_that_sees_elements_alone_has_not_seen_all_molecules(system):
    config = resolve(
        make_config({"system": system, "model": {"name": "egnn", "encoding": "element"}}), needs=("system",)
    )
    with pytest.raises(CheckpointError, match=f"no checkpoint of egnn covers {system}"):
        find_checkpoint(config, build_system(config))


@pytest.mark.parametrize(
    ("model", "system", "fix"),
    [
        ("e3nn", "GF", "Use --model autoregressive, which ships one that does; or add --from-scratch"),
        ("e3nn", "ACE-ALA-NME", "Use --model autoregressive, which"),
        ("egnn", "ACE-PRO-NME", "Add --from-scratch"),
        ("egnn", "AAA", "Use --model autoregressive, which ships one that does; or give --checkpoint"),
    ],
)
def test_a_model_without_a_checkpoint_for_a_molecule_names_one_that_has(model, system, fix):
    config = resolve(make_config({"system": system, "model": model}), needs=("system", "model"))
    with pytest.raises(CheckpointError, match=f"no checkpoint of {model} covers {system}") as caught:
        find_checkpoint(config, build_system(config))
    assert caught.value.fix.startswith(fix)


@pytest.mark.parametrize("options", [{}, {"encoding": "backbone"}, {"encoding": "element", "n_features": 4}], ids=str)
def test_what_a_model_cannot_be_made_for_is_refused_before_it_is_simulated(options, tmp_path):
    short = {"walkers": 1, "frames": 1, "block_frames": 1}
    asked = {"system": "AAA", "model": {"name": "egnn", **options}, "simulation": short}
    config = resolve(make_config(asked), needs=("system", "model", "energy", "sampler", "objective", "dynamics"))
    with pytest.raises(UnsupportedSystemError) as caught:
        run(config, tmp_path / "out", from_scratch=True, progress=NullProgress())
    assert not (tmp_path / "out").exists()
    if not options:
        assert caught.value.fix.startswith("Use --model autoregressive")


@pytest.mark.parametrize("model", ["autoregressive", {"name": "egnn", "encoding": "element"}], ids=str)
def test_the_models_that_are_named_instead_can_be_made(model):
    config = resolve(make_config({"system": "AAA", "model": model}), needs=("system", "model"))
    check_trainable(config, build_system(config))
