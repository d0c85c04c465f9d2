"""Files appear whole or not at all; shards know whether they were altered."""

from __future__ import annotations

import os

import numpy as np
import pytest

from tbg_core.errors import StorageError
from tbg_core.storage.atomic import read_json, write_atomically, write_json, write_text
from tbg_core.storage.shards import ShardStore


def test_a_write_that_fails_leaves_the_old_content_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def half(temporary):
        temporary.write_text("ne")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match=r"cannot write .*a\.txt: No space left on device"):
        write_atomically(path, half)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of Unix")
def test_all_files_can_be_read_by_whom_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "")
        ShardStore(tmp_path).write(0, {"x": np.zeros(3)})
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}


def test_equal_content_gives_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b.json", {"a": [1.5, None], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    first, second = ShardStore(tmp_path / "1"), ShardStore(tmp_path / "2")
    x, y = np.arange(6.0).reshape(2, 3), np.array([True, False])
    first.write(7, {"x": x, "y": y})
    second.write(7, {"y": y, "x": np.asfortranarray(x)})
    assert first.path(7).read_bytes() == second.path(7).read_bytes()


def test_json_that_is_missing_or_torn_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"a\.json does not exist"):
        read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_text('{"half": ')
    with pytest.raises(StorageError, match=r"a\.json is not readable JSON"):
        read_json(tmp_path / "a.json")


def test_shards_come_back_in_order_whoever_wrote_them_when(tmp_path):
    store = ShardStore(tmp_path)
    assert store.indices == []
    for index in (10, 0, 2):
        store.write(index, {"n": np.full(2, index), "x": np.full((2, 3), float(index), np.float32)})
    (tmp_path / ".shard-000001.safetensors.77.tmp").write_bytes(b"half")
    (tmp_path / "shard-3.safetensors").write_bytes(b"of another make")
    assert store.indices == [0, 2, 10]
    joined = store.concatenate()
    assert joined["n"].tolist() == [0, 0, 2, 2, 10, 10]
    assert joined["x"].dtype == np.float32
    assert store.concatenate(["n"]).keys() == {"n"}


def test_no_shards_and_torn_shards_are_refused(tmp_path):
    store = ShardStore(tmp_path)
    with pytest.raises(StorageError, match="holds no shards"):
        store.concatenate()
    store.write(0, {"x": np.zeros(100)})
    store.seal()
    store.verify()
    path = store.path(0)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StorageError, match="cannot be read") as caught:
        store.read(0)
    assert "--resume" in caught.value.fix
    with pytest.raises(StorageError, match="missing or was altered"):
        store.verify()
