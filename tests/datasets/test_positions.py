"""Positions on disk behave like an array, and 16-bit positions are off by half a unit at most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbg_core.datasets.positions import Positions, encode
from tbg_core.errors import StorageError
from tbg_core.storage.shards import ShardStore


@pytest.fixture(scope="module")
def parts():
    random = np.random.default_rng(0)
    return [random.standard_normal((n, 3, 3)).astype(np.float32) for n in (4, 1, 7)]


def test_joined_parts_are_one_array(parts):
    whole, positions = np.concatenate(parts), Positions(parts)
    assert positions.shape == whole.shape
    assert positions.ndim == 3
    assert len(positions) == 12
    assert positions.dtype == np.float32
    assert np.array_equal(np.asarray(positions), whole)
    for which in (0, -1, 4, slice(2, 9), slice(None, None, -2), [3, 3, 11], whole[:, 0, 0] > 0):
        assert np.array_equal(positions[which], whole[which])
        assert positions[which].dtype == np.float32
    with pytest.raises(IndexError):
        positions[12]


@given(st.lists(st.integers(0, 11), max_size=20), st.data())
@settings(max_examples=50)
def test_taking_of_what_was_taken(parts, rows, data):
    whole, positions = np.concatenate(parts), Positions(parts)
    once = positions.take(np.array(rows, dtype=int))
    assert np.array_equal(np.asarray(once), whole[rows])
    if rows:
        again = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9))
        assert np.array_equal(np.asarray(once.take(np.array(again, dtype=int))), whole[rows][again])


@given(st.integers(1, 5), st.integers(2, 9), st.integers(0, 2**31))
@settings(max_examples=50)
def test_encoding_is_off_by_half_a_unit(n, atoms, seed):
    x = np.random.default_rng(seed).normal(0.5, 0.3, (n, atoms, 3))
    decoded = np.asarray(Positions([encode(x, 1e-4)], 1e-4), dtype=np.float64)
    # Half a unit, and the rounding of single precision.
    assert np.abs(decoded - (x - x.mean(axis=1, keepdims=True))).max() <= 0.5e-4 + 1e-7


def test_what_does_not_fit_is_refused():
    x = np.zeros((1, 2, 3))
    x[0, 0] = 7.0
    with pytest.raises(OverflowError, match=r"more than 3\.2767 nm"):
        encode(x, 1e-4)


def test_shards_are_mapped_and_not_read(tmp_path):
    store = ShardStore(tmp_path)
    arrays = {
        "a": np.arange(6, dtype=np.int16).reshape(2, 3),
        "positions": np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32),
    }
    store.write(0, arrays)
    for name, expected in arrays.items():
        mapped = store.memory_map(0, name)
        assert isinstance(mapped, np.memmap)
        assert mapped.dtype == expected.dtype
        assert np.array_equal(mapped, expected)
    with pytest.raises(StorageError, match="cannot be mapped"):
        store.memory_map(0, "b")
    with pytest.raises(StorageError, match="cannot be mapped"):
        store.memory_map(1, "a")
    store.path(0).write_bytes(store.path(0).read_bytes()[:-20])
    with pytest.raises(StorageError, match="cannot be mapped"):
        store.memory_map(0, "positions")
