"""No room to write: one clear line, nothing lost, and the job goes on once there is room."""

from __future__ import annotations

import ctypes
import os
import shutil

import pytest


@pytest.mark.parametrize(
    ("stage", "largest", "name"),
    [
        ("simulate", 200, "config.yaml"),
        ("simulate", 512, "shard-000000.safetensors"),
        ("train", 4096, "training-state.safetensors"),
        ("sample", 700, "shard-000000.safetensors"),
        ("sample", 1200, "weights.csv"),
        ("sample", 40_000, "report.html"),
    ],
)
def test_files_that_cannot_grow(commands, toy, same_as, tmp_path, stage, largest, name):
    toy.before(stage, tmp_path)
    attempt = commands(*toy.arguments(stage), folder=tmp_path, largest_file=largest)
    lines = attempt.stderr.splitlines()
    assert (attempt.code, len(lines)) == (2, 1), attempt.stderr
    assert lines[0].startswith("error: cannot write")
    assert name in lines[0]
    assert "--resume" in lines[0]
    assert not list((tmp_path / stage).rglob(".*.tmp"))
    assert commands(*toy.arguments(stage, "--resume"), folder=tmp_path).code == 0
    same_as(tmp_path / stage, toy.folder / stage)


def test_a_log_that_cannot_grow(commands, toy, tmp_path):
    toy.before("train", tmp_path)
    arguments = toy.arguments("train", "--steps=500", "-straining.log_every=1", "-straining.checkpoint_every=100")
    attempt = commands(*arguments, folder=tmp_path, largest_file=8000)
    assert attempt.code == 2
    assert attempt.stderr.startswith("error: cannot write train/loss.csv")
    assert len(attempt.stderr.splitlines()) == 1
    assert commands(*arguments, "--resume", folder=tmp_path).code == 0
    lines = (tmp_path / "train" / "loss.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [str(step) for step in range(1, 501)]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", os.fsencode(folder), b"tmpfs", 0, b"size=24k") != 0:
        pytest.skip("only root may mount a small file system")
    yield folder
    libc.umount2(os.fsencode(folder), 2)


def test_a_disk_that_is_full(commands, toy, same_as, tmp_path, small_disk):
    attempt = commands(*toy.arguments("simulate"), folder=small_disk)
    lines = attempt.stderr.splitlines()
    assert (attempt.code, len(lines)) == (2, 1), attempt.stderr
    assert lines[0].startswith("error: cannot write")
    assert "No space left" in lines[0]
    # More room is found elsewhere: what had been finished goes along.
    shutil.copytree(small_disk / "simulate", tmp_path / "simulate")
    finished = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "simulate" / "frames").glob("shard-*")}
    assert finished
    assert commands(*toy.arguments("simulate", "--resume"), folder=tmp_path).code == 0
    same_as(tmp_path / "simulate", toy.folder / "simulate")
    kept = {name: (tmp_path / "simulate" / "frames" / name).stat().st_mtime_ns for name in finished}
    assert kept == finished
