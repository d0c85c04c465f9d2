"""A benchmark that is killed goes on where it was: shards that were whole are not made again."""

from __future__ import annotations

import json
import signal

import pytest

pytest.importorskip("tbg_autoregressive")
pytest.importorskip("tbg_data_dipeptides")

COMMAND = ["bench", "dipeptides", "--model=autoregressive", "--systems=GN", "--samples=24", "--seeds=2", "--out=made"]
COMMAND += ["--threads=1", "--quiet", "-ssampling.block_size=8", "-ssampling.shard_blocks=1"]


def shards(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.safetensors")}


@pytest.mark.slow
def test_killed_within_a_run_and_after_sampling(molecular_commands, tmp_path):
    whole, made = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    made.mkdir()
    assert molecular_commands(*COMMAND, folder=whole).code == 0
    first = {"name": "shard-000001.safetensors", "rename": 1, "how": "torn"}
    assert molecular_commands(*COMMAND, folder=made, kill=first).code == -signal.SIGKILL
    kept = (made / "made/GN/seed0/ensemble/shard-000000.safetensors").stat().st_mtime_ns
    last = {"name": "measured.json", "rename": 1, "how": "before"}
    assert molecular_commands(*COMMAND, "--resume", folder=made, kill=last).code == -signal.SIGKILL
    assert molecular_commands(*COMMAND, "--resume", folder=made).code == 0
    assert shards(made) == shards(whole)
    assert (made / "made/GN/seed0/ensemble/shard-000000.safetensors").stat().st_mtime_ns == kept
    results = [json.loads((folder / "made/results.json").read_text())["systems"] for folder in (made, whole)]
    for have, wanted in zip(*(system[0]["runs"] for system in results), strict=True):
        assert {k: v for k, v in have.items() if k != "seconds"} == {k: v for k, v in wanted.items() if k != "seconds"}
