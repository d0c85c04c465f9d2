"""No checkpoint that ships was trained on a molecule that results are reported for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
