"""Conformance of executors."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest

from tbg_core.errors import ConfigError, TbgError
from tbg_core.pipeline.workers import run_units

if TYPE_CHECKING:
    from tbg_core.contracts.executor import Executor


class ExecutorConformance(ABC):
    """What every executor must do. Give ``make``.

    Attributes:
        workers: How many are asked for.
    """

    workers: int = 2

    @abstractmethod
    def make(self) -> Executor:
        """The executor."""

    def test_every_unit_is_computed_once_and_elsewhere(self) -> None:
        """Units and their successors come back with their results, from other processes."""
        done = dict(run_units(_square, [1, 2, 3], self.workers, _next, self.make()))
        assert sorted(done) == [1, 2, 3, 11, 12, 13]
        assert all(square == unit * unit for unit, (square, _) in done.items())
        assert os.getpid() not in {process for _, process in done.values()}

    def test_errors_come_back_as_they_were_raised(self) -> None:
        """What is wrong with a unit reaches the user, with its remedy."""
        with pytest.raises(ConfigError) as caught:
            list(run_units(_refuse, [1], self.workers, executor=self.make()))
        assert caught.value.message == "unit 1 is wrong."
        assert caught.value.fix == "Give another."

    def test_a_unit_that_kills_its_workers_is_given_up(self) -> None:
        """The death of workers is an error in one line, not a wait without end."""
        with pytest.raises(TbgError, match="worker process died"):
            list(run_units(_die, [1], self.workers, executor=self.make()))

    def test_it_can_be_opened_again(self) -> None:
        """Two jobs one after the other."""
        executor = self.make()
        for _ in range(2):
            assert [unit for unit, _ in run_units(_square, [4], self.workers, executor=executor)] == [4]


def _square(unit: int) -> tuple[int, int]:
    return unit * unit, os.getpid()


def _next(unit: int, _: object) -> int | None:
    return unit + 10 if unit < 10 else None


def _refuse(unit: int) -> None:
    raise ConfigError(f"unit {unit} is wrong.", fix="Give another.")


def _die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
