"""No checkpoint that ships was trained on a molecule that results are reported for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.errors import CheckpointError
from tbg_core.pipeline.checkpoints import find_checkpoint
from tbg_core.pipeline.components import build_system

ROOT = Path(__file__).parents[2]
SPLITS = json.loads((ROOT / "plugins/tbg-data-dipeptides/src/tbg_data_dipeptides/splits.json").read_text())
MANIFESTS = sorted(ROOT.glob("plugins/*/src/*/checkpoints/*/manifest.json"))


def test_there_are_checkpoints_and_held_out_lists():
    assert MANIFESTS
    assert {"validation", "test_tbg", "test_prose"} <= set(SPLITS)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.parent.name)
def test_no_held_out_dipeptide_was_trained_on(path):
    held_out = set().union(*(names for split, names in SPLITS.items() if split not in {"train", "source"}))
    trained = {entry["name"] for entry in json.loads(path.read_text())["systems"]}
    assert trained
    assert not trained & held_out


@pytest.mark.parametrize(
    ("model", "system", "fix"),
    [
        ("e3nn", "GF", "Use --model autoregressive, which ships one that does; or add --from-scratch"),
        ("autoregressive", "ACE-ALA-NME", "Use --model egnn, which"),
        ("egnn", "ACE-GLY-NME", "Add --from-scratch"),
    ],
)
def test_a_model_without_a_checkpoint_for_a_molecule_names_one_that_has(model, system, fix):
    config = resolve(make_config({"system": system, "model": model}), needs=("system", "model"))
    with pytest.raises(CheckpointError, match=f"no checkpoint of {model} covers {system}") as caught:
        find_checkpoint(config, build_system(config))
    assert caught.value.fix.startswith(fix)
