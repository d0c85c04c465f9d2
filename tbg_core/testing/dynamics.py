"""Conformance of dynamics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.contracts.dynamics import Block, Dynamics
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

    def _same_arrays(self, a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> None:
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].shape == b[name].shape, name
            if self.reproducible:
                np.testing.assert_array_equal(a[name], b[name], err_msg=name)

    def _same(self, a: Block, b: Block) -> None:
        frames = {"positions": a.positions, "reduced_energy": a.reduced_energy}
        self._same_arrays(frames, {"positions": b.positions, "reduced_energy": b.reduced_energy})
        self._same_arrays(a.statistics, b.statistics)
        self._same_arrays(a.state, b.state)

    def test_intervals_and_groups_are_positive(self) -> None:
        assert self.make().frame_interval_ps > 0
        assert self.make().walkers_together > 0

    def test_start_is_reproducible_and_differs_between_walkers(self) -> None:
        with self.target() as target, self.make().bind(target) as simulation:
            first, again, other = (simulation.start(1, [walker]) for walker in (0, 0, 1))
            self._same_arrays(first, again)
            assert all(value.dtype == np.float64 for value in first.values())
            assert any(not np.array_equal(first[name], other[name]) for name in first)

    def test_block_has_the_stated_form(self) -> None:
        with self.target() as target, self.make().bind(target) as simulation:
            block = simulation.advance(simulation.start(1, [0, 3]), self.frames, 1, [0, 3], 0)
            assert block.positions.shape == (2, self.frames, *target.system.space.event_shape)
            assert block.positions.dtype == np.float32
            assert block.reduced_energy.shape == (2, self.frames)
            assert block.reduced_energy.dtype == np.float64
            for arrays in (block.state, block.statistics):
                assert all(value.dtype == np.float64 for value in arrays.values())
                assert all(len(value) == 2 for value in arrays.values())
            assert np.isfinite(block.positions).all()
            x = torch.from_numpy(block.positions).double().flatten(0, 1)
            u = target.reduced_energy(x).numpy()
            assert np.abs(u - block.reduced_energy.reshape(-1)).max() < self.u_atol

    def test_lost_blocks_can_be_made_again_by_another_process(self) -> None:
        with self.target() as target, self.make().bind(target) as simulation:
            first = simulation.advance(simulation.start(4, [2]), self.frames, 4, [2], 0)
            kept = {name: value.copy() for name, value in first.state.items()}
            second = simulation.advance(first.state, self.frames, 4, [2], 1)
            self._same_arrays(first.state, kept)  # advance must not write into its argument
        with self.target() as target, self.make().bind(target) as simulation:
            self._same(simulation.advance(kept, self.frames, 4, [2], 1), second)
            # What the simulation did before must not show either.
            self._same(simulation.advance(simulation.start(4, [2]), self.frames, 4, [2], 0), first)

    def test_walkers_do_not_see_each_other(self) -> None:
        with self.target() as target, self.make().bind(target) as simulation:
            together = simulation.advance(simulation.start(2, [0, 1, 5]), self.frames, 2, [0, 1, 5], 0)
            for row, walker in enumerate((0, 1, 5)):
                alone = simulation.advance(simulation.start(2, [walker]), self.frames, 2, [walker], 0)
                self._same(alone, _row(together, row))

    def test_blocks_and_walkers_differ(self) -> None:
        with self.target() as target, self.make().bind(target) as simulation:
            first = simulation.advance(simulation.start(1, [0, 1]), self.frames, 1, [0, 1], 0)
            second = simulation.advance(first.state, self.frames, 1, [0, 1], 1)
            assert not np.array_equal(first.positions, second.positions)
            assert not np.array_equal(first.positions[0], first.positions[1])

    def test_closing_twice_is_harmless(self) -> None:
        with self.target() as target:
            simulation = self.make().bind(target)
            simulation.close()
            simulation.close()


def _row(block: Block, row: int) -> Block:
    def of(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: value[row : row + 1] for name, value in arrays.items()}

    rows = slice(row, row + 1)
    return type(block)(block.positions[rows], block.reduced_energy[rows], of(block.statistics), of(block.state))
