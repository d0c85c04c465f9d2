"""A finished simulation can be resumed with more frames, and is then what it would have been."""

from __future__ import annotations

import pytest

from tbg_core import api
from tbg_core.errors import StorageError
from tbg_core.storage.atomic import read_json

WELL = {"system": "double-well", "energy": "double-well", "walkers": 2, "options": {"simulation.block_frames": 10}}


def shards(folder):
    return read_json(folder / "frames" / "manifest.json")["shards"]


def test_a_prolonged_simulation_is_one_that_was_made_at_once(tmp_path):
    short = api.simulate(**WELL, frames=20, out=tmp_path / "short")
    before = shards(short)
    prolonged = api.simulate(**WELL, frames=45, out=short, resume=True)
    once = api.simulate(**WELL, frames=45, out=tmp_path / "once")
    assert shards(prolonged) == shards(once)
    assert before.items() <= shards(prolonged).items()
    # With nothing but the folder, the longer one is what it completes.
    api.simulate(out=short, resume=True)
    assert shards(short) == shards(once)


def test_a_last_block_that_is_short_cannot_be_prolonged(tmp_path):
    folder = api.simulate(**WELL, frames=25, out=tmp_path / "odd")
    for frames in (40, 20):
        with pytest.raises(StorageError, match=rf"simulation\.frames: was 25, now {frames}"):
            api.simulate(**WELL, frames=frames, out=folder, resume=True)
