"""Conformance of sources of observables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tbg_core.contracts.system import MeanFree, System
from tbg_core.errors import ConfigError
from tbg_core.observables.observable import Observable
from tbg_core.units import Units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tbg_core.contracts.observable import ObservableSource


class ObservableConformance(ABC):
    """What every source of observables must do. Give ``make``, ``system`` and, for molecules, ``states``.

    Attributes:
        texts: Texts that this source reads for the system, beside those that it lists.
        foreign: Texts that are for other sources.
        refused: Texts that are for this source, but that the system does not have.
        invariant: True if moving and turning a molecule changes no value.
        atol: Error of a value allowed where only rounding may differ.
    """

    texts: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ("", "?", "no-such-observable")
    refused: tuple[str, ...] = ()
    invariant: bool = True
    atol: float = 1e-6

    @abstractmethod
    def make(self) -> ObservableSource:
        """The source."""

    @abstractmethod
    def system(self) -> System:
        """A system that has such observables."""

    def states(self) -> NDArray[np.float64]:
        """Six different states [6, *event]."""
        return np.random.default_rng(3).normal(size=(6, *self.system().space.event_shape))

    def observables(self) -> list[Observable]:
        """Everything that is listed, and ``texts``."""
        source, system = self.make(), self.system()
        texts = (*source.names(system), *self.texts)
        if not texts:
            pytest.skip(f"{system.name} has none of these observables; give another system, or texts")
        found = []
        for text in texts:
            observable = source.parse(text, system)
            assert isinstance(observable, Observable), f"{text!r} gave no Observable"
            found.append(observable)
        return found

    def test_names_are_read_back_as_themselves(self) -> None:
        source, system = self.make(), self.system()
        names = source.names(system)
        assert len(set(names)) == len(names)
        for name in names:
            observable = source.parse(name, system)
            assert observable is not None
            assert observable.name == name
        assert set(source.defaults(system)) <= set(names)

    def test_foreign_texts_are_left_to_others(self) -> None:
        for text in self.foreign:
            assert self.make().parse(text, self.system()) is None, f"{text!r} is not for this source"

    def test_refused_texts_raise_a_clear_error(self) -> None:
        for text in self.refused:
            with pytest.raises(ConfigError) as caught:
                self.make().parse(text, self.system())
            assert "\n" not in str(caught.value)

    def test_one_double_for_each_state(self) -> None:
        x = self.states()
        for observable in self.observables():
            for states in (x, x.astype(np.float32)):
                values = observable(states)
                assert values.shape == (len(x),), observable.name
                assert values.dtype == np.float64, observable.name
                assert np.isfinite(values).all(), observable.name
            with pytest.raises(ValueError, match="needs"):
                observable(x[0])

    def test_rows_do_not_depend_on_the_batch(self) -> None:
        x = self.states()
        spoiled = x.copy()
        spoiled[2] = np.nan
        others = [i for i in range(len(x)) if i != 2]
        for observable in self.observables():
            values = observable(x)
            single = np.concatenate([observable(x[i : i + 1]) for i in range(len(x))])
            assert np.abs(self._difference(observable, values, single)).max() <= self.atol, observable.name
            beside = observable(spoiled)[others]
            assert np.abs(self._difference(observable, values[others], beside)).max() <= self.atol, observable.name

    def test_values_vary(self) -> None:
        for observable in self.observables():
            assert np.ptp(observable(self.states())) > 0.0, f"{observable.name} is a constant"

    def test_periods_and_units(self) -> None:
        x = self.states()
        for observable in self.observables():
            values = observable(x)
            if observable.period is not None:
                assert np.abs(values).max() <= 0.5 * observable.period * (1 + 1e-12), observable.name
            shown = observable.to(Units(angle="degree", length="angstrom").of(observable.unit))
            back = shown.to(observable.unit)
            assert back.period == pytest.approx(observable.period)
            assert np.allclose(back(x), values, rtol=1e-12, atol=0.0)
            assert observable.model_error >= 0.0

    def test_moving_and_turning_changes_nothing(self) -> None:
        if not self.invariant or not isinstance(self.system().space, MeanFree):
            return
        x = self.states()
        turn, _ = np.linalg.qr(np.random.default_rng(7).normal(size=(3, 3)))
        turn *= np.sign(np.linalg.det(turn))  # a rotation, not a reflection
        for observable in self.observables():
            moved = observable(x @ turn.T + np.array([0.3, -0.2, 0.1]))
            assert np.abs(self._difference(observable, observable(x), moved)).max() <= self.atol, observable.name

    @staticmethod
    def _difference(observable: Observable, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        """a - b, by the shorter way round where there is a period."""
        p = observable.period
        return a - b if p is None else np.asarray((a - b + 0.5 * p) % p - 0.5 * p)
