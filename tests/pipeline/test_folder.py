"""Folders are begun once, resumed with the same settings, and remember how long each stage took."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import yaml

from tbg_core.errors import StorageError
from tbg_core.pipeline.finish import StageClock
from tbg_core.pipeline.folder import open_folder, read_provenance, write_provenance

CONTENT = {"seed": 3, "energy": {"name": "double-well", "barrier": 10.0}, "data": ["a", "b"], "temperature_K": None}


def test_a_new_folder_is_made_and_says_what_is_in_it(tmp_path):
    out = tmp_path / "not" / "yet"
    open_folder(out, CONTENT, resume=False)
    assert yaml.safe_load((out / "config.yaml").read_text()) == CONTENT
    open_folder(tmp_path / "resumed before it began", CONTENT, resume=True)


def test_what_was_begun_is_not_begun_again(tmp_path):
    open_folder(tmp_path, CONTENT, resume=False)
    with pytest.raises(StorageError, match="holds an earlier job") as caught:
        open_folder(tmp_path, CONTENT, resume=False)
    assert "--resume" in caught.value.fix
    assert "--out" in caught.value.fix
    open_folder(tmp_path, CONTENT, resume=True)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"seed": 4}, "seed: was 3, now 4"),
        ({"energy": {"name": "double-well", "barrier": 11.0}}, "energy.barrier: was 10.0, now 11.0"),
        ({"energy": {"name": "mueller-brown"}}, "energy.barrier: was 10.0, now None"),
        ({"temperature_K": 310.0}, "temperature_K: was None, now 310.0"),
        ({"data": ["a"]}, "data: was"),
        ({"new": 1}, "new: was None, now 1"),
    ],
)
def test_resuming_with_other_settings_names_them_and_changes_nothing(tmp_path, change, line):
    open_folder(tmp_path, CONTENT, resume=False)
    before = (tmp_path / "config.yaml").read_bytes()
    with pytest.raises(StorageError, match="begun with other settings") as caught:
        open_folder(tmp_path, {**CONTENT, **change}, resume=True)
    assert line in caught.value.message
    assert (tmp_path / "config.yaml").read_bytes() == before


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    for resume in (False, True):
        with pytest.raises(StorageError, match="not empty and holds no tbg job"):
            open_folder(tmp_path, CONTENT, resume=resume)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_a_killed_process_left_before_it_began_is_no_job(tmp_path):
    (tmp_path / ".config.yaml.1234.tmp").write_text("seed: 3\nener")
    open_folder(tmp_path, CONTENT, resume=True)
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == CONTENT


def test_temporary_files_of_killed_processes_go_when_the_job_goes_on(tmp_path):
    open_folder(tmp_path, CONTENT, resume=False)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "ensemble").mkdir()
    (tmp_path / "ensemble" / f".shard-000001.safetensors.{dead.pid}.tmp").write_bytes(b"half")
    (tmp_path / f".metrics.json.{os.getpid()}.tmp").write_bytes(b"being written")
    open_folder(tmp_path, CONTENT, resume=True)
    assert [path.name for path in tmp_path.rglob(".*.tmp")] == [f".metrics.json.{os.getpid()}.tmp"]


@pytest.mark.parametrize("text", ["seed: [3", "seed: !!python/object/apply:os.system ['true']", ""])
def test_a_damaged_config_is_no_reason_for_a_traceback(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(StorageError):
        open_folder(tmp_path, CONTENT, resume=True)


def test_provenance_is_added_to(tmp_path):
    assert read_provenance(tmp_path) == {}
    write_provenance(tmp_path, model="mlp")
    first = read_provenance(tmp_path)
    assert first["model"] == "mlp"
    assert {"created", "python", "versions"} <= first.keys()
    write_provenance(tmp_path, energy="double-well")
    assert read_provenance(tmp_path) == {**first, "energy": "double-well"}


def test_the_clock_adds_up_attempts_and_counts_those_that_failed(tmp_path):
    clock = StageClock(tmp_path)
    with clock.measure("train"):
        time.sleep(0.05)
    once = read_provenance(tmp_path)["seconds"]["train"]
    assert 0.05 <= once < 5.0

    def fail():
        time.sleep(0.05)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), StageClock(tmp_path).measure("train"):
        fail()
    twice = read_provenance(tmp_path)["seconds"]["train"]
    assert round(once + 0.05, 3) <= twice < 10.0  # both are kept in milliseconds
    clock.add("report", 1.5)
    assert read_provenance(tmp_path)["seconds"] == {"train": twice, "report": 1.5}
