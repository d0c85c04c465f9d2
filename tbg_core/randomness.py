"""Counter-based random numbers keyed by (seed, stream, sample index).

Sample ``i`` of a stream is the same number whoever draws it, in whatever order and on however many
workers: the generator is Philox (Salmon et al., SC 2011), whose counter is set from the sample index
and whose key is a hash of the seed and the stream's name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class SampleKeys:
    """Names of random variates: one per sample.

    Attributes:
        seed: The user's seed.
        stream: What the numbers are for, e.g. ``"<molecule key>/prior"``.
        index: Sample indices [B], int64, not negative.
    """

    seed: int
    stream: str
    index: np.ndarray

    @classmethod
    def range(cls, seed: int, stream: str, start: int, stop: int) -> SampleKeys:
        """Keys of the samples ``start`` to ``stop - 1``."""
        return cls(seed, stream, np.arange(start, stop, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.index)

    def child(self, name: str) -> SampleKeys:
        """The same samples in an independent stream."""
        return replace(self, stream=f"{self.stream}/{name}")

    def select(self, rows: slice | np.ndarray | Tensor) -> SampleKeys:
        """The keys of some of the rows."""
        return replace(self, index=self.index[rows.cpu().numpy() if isinstance(rows, Tensor) else rows])

    def generators(self) -> list[np.random.Generator]:
        """One independent generator per sample."""
        digest = hashlib.sha256(f"{self.seed}\0{self.stream}".encode()).digest()
        key = np.frombuffer(digest[:16], dtype=np.uint64)
        # The last counter word holds the sample index: each sample owns 2**192 draws.
        return [np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, int(i)])) for i in self.index]

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal variates [B, *shape], float64 on the CPU."""
        return self._stack([g.standard_normal(shape) for g in self.generators()], shape)

    def normals(self, count: int, shape: tuple[int, ...], chunk: int = 64) -> Iterator[Tensor]:
        """``count`` standard normal variates [B, *shape] one after the other, those of ``normal((count, *shape))``.

        They are drawn ``chunk`` at a time, so that the noise of a long path need not fit into memory.
        """
        generators = self.generators()
        for start in range(0, count, chunk):
            size = (min(chunk, count - start), *shape)
            yield from self._stack([g.standard_normal(size) for g in generators], size).unbind(dim=1)

    def uniform(self, shape: tuple[int, ...] = ()) -> Tensor:
        """Uniform variates on [0, 1) [B, *shape], float64 on the CPU."""
        return self._stack([g.random(shape) for g in self.generators()], shape)

    def _stack(self, rows: list[np.ndarray], shape: tuple[int, ...]) -> Tensor:
        if not rows:
            return torch.empty((0, *shape), dtype=torch.float64)
        return torch.from_numpy(np.stack([np.asarray(r) for r in rows]))


def generator(seed: int, *stream: str | int) -> np.random.Generator:
    """One generator for a named purpose, e.g. ``generator(seed, "bootstrap")``."""
    return SampleKeys(seed, "/".join(map(str, stream)), np.zeros(1, dtype=np.int64)).generators()[0]
