"""Conformance of dynamics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from tbg_core.contracts.dynamics import Block, Dynamics, State
    from tbg_core.contracts.energy import Target


class DynamicsConformance(ABC):
    """What every engine of dynamics must do. Give ``make`` and ``target``.

    Attributes:
        frames: Frames of the blocks that are simulated here; keep it small.
        u_atol: Error allowed between a frame's stored energy and that of its stored (single-precision)
            coordinates, kT.
        reproducible: False if the hardware does not add in a fixed order; then blocks are compared in shape
            only.
    """

    frames: int = 3
    u_atol: float = 1e-6
    reproducible: bool = True

    @abstractmethod
    def make(self) -> Dynamics:
        """The engine, set up for the shortest useful simulation."""

    @abstractmethod
    def target(self) -> Target:
        """A fresh target that it understands."""

    def _same_state(self, a: State, b: State) -> None:
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].shape == b[name].shape
            if self.reproducible:
                np.testing.assert_array_equal(a[name], b[name])

    def _same(self, a: Block, b: Block) -> None:
        assert a.positions.shape == b.positions.shape
        assert a.statistics.keys() == b.statistics.keys()
        if self.reproducible:
            np.testing.assert_array_equal(a.positions, b.positions)
            np.testing.assert_array_equal(a.reduced_energy, b.reduced_energy)
            for name in a.statistics:
                np.testing.assert_array_equal(a.statistics[name], b.statistics[name])
        self._same_state(a.state, b.state)

    def test_frame_interval_is_positive(self) -> None:
        assert self.make().frame_interval_ps > 0

    def test_start_is_reproducible_and_differs_between_walkers(self) -> None:
        with self.target() as target, self.make().bind(target) as walker:
            first, again, other = walker.start(1, 0), walker.start(1, 0), walker.start(1, 1)
            self._same_state(first, again)
            assert all(value.dtype == np.float64 for value in first.values())
            assert any(not np.array_equal(first[name], other[name]) for name in first)

    def test_block_has_the_stated_form(self) -> None:
        with self.target() as target, self.make().bind(target) as walker:
            block = walker.advance(walker.start(1, 0), self.frames, 1, 0, 0)
            assert block.positions.shape == (self.frames, *target.system.space.event_shape)
            assert block.positions.dtype == np.float32
            assert block.reduced_energy.shape == (self.frames,)
            assert block.reduced_energy.dtype == np.float64
            assert all(value.dtype == np.float64 for value in block.state.values())
            assert all(value.dtype == np.float64 for value in block.statistics.values())
            assert np.isfinite(block.positions).all()
            u = target.reduced_energy(torch.from_numpy(block.positions).double()).numpy()
            assert np.abs(u - block.reduced_energy).max() < self.u_atol

    def test_lost_blocks_can_be_made_again_by_another_process(self) -> None:
        with self.target() as target, self.make().bind(target) as walker:
            first = walker.advance(walker.start(4, 2), self.frames, 4, 2, 0)
            kept = {name: value.copy() for name, value in first.state.items()}
            second = walker.advance(first.state, self.frames, 4, 2, 1)
            self._same_state(first.state, kept)  # advance must not write into its argument
        with self.target() as target, self.make().bind(target) as walker:
            self._same(walker.advance(kept, self.frames, 4, 2, 1), second)
            # What the walker did before must not show either.
            self._same(walker.advance(walker.start(4, 2), self.frames, 4, 2, 0), first)

    def test_blocks_and_walkers_differ(self) -> None:
        with self.target() as target, self.make().bind(target) as walker:
            first = walker.advance(walker.start(1, 0), self.frames, 1, 0, 0)
            second = walker.advance(first.state, self.frames, 1, 0, 1)
            other = walker.advance(walker.start(1, 1), self.frames, 1, 1, 0)
            assert not np.array_equal(first.positions, second.positions)
            assert not np.array_equal(first.positions, other.positions)

    def test_closing_twice_is_harmless(self) -> None:
        with self.target() as target:
            walker = self.make().bind(target)
            walker.close()
            walker.close()
