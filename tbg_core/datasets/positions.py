"""Positions that stay on disk: memory maps joined end to end, decoded when they are read."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike


class Positions:
    """An array [n, N, 3] of float32, nm, of which only the rows that are asked for are read.

    ``len``, ``shape``, indexing of the first axis and ``numpy.asarray`` work as for an array; a row, a slice or a list
    of rows is read into memory.

    Args:
        parts: Memory maps [n_i, N, 3], of float32 (nm) or of integers (multiples of ``resolution_nm``).
        resolution_nm: What one unit of an integer means.
        rows: Keep only these rows, in this order; None: all.
    """

    def __init__(self, parts: Sequence[np.ndarray], resolution_nm: float = 1.0, rows: np.ndarray | None = None) -> None:
        self._parts = list(parts)
        self._resolution = np.float32(resolution_nm)
        self._starts = list(accumulate((len(part) for part in parts), initial=0))
        self._rows = rows

    def __len__(self) -> int:
        return self._starts[-1] if self._rows is None else len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """[n, N, 3]."""
        return (len(self), *self._parts[0].shape[1:])

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What is read: float32."""
        return np.dtype(np.float32)

    def __getitem__(self, which: Any) -> np.ndarray:
        if isinstance(which, (int, np.integer)):
            return self._row(range(len(self))[int(which)])
        return self._read(np.arange(len(self))[which])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001 - numpy's
        return np.asarray(self._read(np.arange(len(self))), dtype=dtype)

    def take(self, rows: np.ndarray, axis: int = 0) -> Positions:
        """Some of the rows, still on disk."""
        if axis != 0:
            raise ValueError(f"rows are along axis 0, not {axis}.")
        chosen = np.asarray(rows)
        return Positions(self._parts, float(self._resolution), chosen if self._rows is None else self._rows[chosen])

    def _row(self, row: int) -> np.ndarray:
        """One row, without the cost of gathering: batches are drawn row by row."""
        row = row if self._rows is None else int(self._rows[row])
        part = bisect_right(self._starts, row) - 1
        found = np.array(self._parts[part][row - self._starts[part]], dtype=np.float32)
        return found if self._resolution == 1.0 else found * self._resolution

    def _read(self, rows: np.ndarray) -> np.ndarray:
        if self._rows is not None:
            rows = self._rows[rows]
        part = np.searchsorted(self._starts, rows, side="right") - 1
        out = np.empty((len(rows), *self.shape[1:]), dtype=np.float32)
        for i in np.unique(part):
            here = part == i
            out[here] = self._parts[i][rows[here] - self._starts[i]]
        return out if self._resolution == 1.0 else out * self._resolution


def encode(positions: np.ndarray, resolution_nm: float) -> np.ndarray:
    """Positions [n, N, 3], nm, as multiples of ``resolution_nm``, int16; off by at most half of it.

    Raises:
        OverflowError: If an atom is too far from the origin, which is centred here.
    """
    x = np.asarray(positions, dtype=np.float64)
    units = np.rint((x - x.mean(axis=1, keepdims=True)) / resolution_nm)
    limit = np.iinfo(np.int16).max
    if np.abs(units).max(initial=0) > limit:
        raise OverflowError(f"an atom is more than {limit * resolution_nm:g} nm from the centre.")
    return np.asarray(units, dtype=np.int16)
