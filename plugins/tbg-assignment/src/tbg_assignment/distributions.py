"""Joint distributions of discrete variables about which everything is known exactly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import entr, logsumexp

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

LIMIT: Final = 2**20
"""Most labellings that are enumerated."""

_CHUNK: Final = 2**16


class LabelDistribution(ABC):
    """mu(alpha) = exp(log_weight(alpha) - log_z) over labellings alpha of n variables with c classes.

    Attributes:
        variables: n.
        classes: c.
        log_z: Logarithm of the sum of the weights.
    """

    variables: int
    classes: int
    log_z: float

    @abstractmethod
    def log_weight(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Logarithm of the weight [B] of labellings [B, n]; -inf where it is zero."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Independent labellings [count, n]."""

    @property
    @abstractmethod
    def marginals(self) -> NDArray[np.float64]:
        """Probability of each class of each variable [n, c]."""

    @abstractmethod
    def pair(self, i: int, j: int) -> NDArray[np.float64]:
        """Joint probability of the classes of two variables [c, c]."""

    @property
    @abstractmethod
    def entropy(self) -> float:
        """-sum mu log mu, nats."""

    @property
    def information(self) -> float:
        """KL(mu || product of its marginals), nats: what the variables know of each other. 0 for one variable."""
        return float(entr(self.marginals).sum()) - self.entropy

    def agreement(self, i: int, j: int) -> float:
        """Probability that two variables have the same class."""
        return float(np.trace(self.pair(i, j)))


@dataclass(frozen=True, eq=False)
class Table(LabelDistribution):
    """The weight of every labelling.

    Attributes:
        log_weights: One axis per variable, [c, ..., c].
    """

    log_weights: NDArray[np.float64]

    @property
    def variables(self) -> int:  # type: ignore[override]
        """Number of axes."""
        return self.log_weights.ndim

    @property
    def classes(self) -> int:  # type: ignore[override]
        """Length of each axis."""
        return int(self.log_weights.shape[0])

    @cached_property
    def log_z(self) -> float:  # type: ignore[override]
        """log of the sum of all weights."""
        return float(logsumexp(self.log_weights))

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """mu [c, ..., c]."""
        return np.asarray(np.exp(self.log_weights - self.log_z))

    def log_weight(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Looked up."""
        return np.asarray(self.log_weights[tuple(np.asarray(labels).T)])

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """By inversion of the cumulative probabilities."""
        cumulative = np.cumsum(self.probabilities.reshape(-1))
        flat = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
        return all_labels(self.variables, self.classes, np.minimum(flat, len(cumulative) - 1))

    @cached_property
    def marginals(self) -> NDArray[np.float64]:
        """Sums over all other variables."""
        return np.stack([self._sum(i) for i in range(self.variables)])

    @property
    def entropy(self) -> float:
        """By the definition."""
        return float(entr(self.probabilities).sum())

    def pair(self, i: int, j: int) -> NDArray[np.float64]:
        """Sum over all other variables."""
        if i == j:
            return np.diag(self.marginals[i])
        return self._sum(i, j) if i < j else self._sum(i, j).T

    def _sum(self, *kept: int) -> NDArray[np.float64]:
        return np.asarray(self.probabilities.sum(axis=tuple(k for k in range(self.variables) if k not in kept)))


@dataclass(frozen=True, eq=False)
class Product(LabelDistribution):
    """Independent variables.

    Attributes:
        probabilities: Of each class of each variable [n, c].
    """

    probabilities: NDArray[np.float64]
    log_z: float = 0.0

    @property
    def variables(self) -> int:  # type: ignore[override]
        """n."""
        return int(self.probabilities.shape[0])

    @property
    def classes(self) -> int:  # type: ignore[override]
        """c."""
        return int(self.probabilities.shape[1])

    @property
    def marginals(self) -> NDArray[np.float64]:
        """The probabilities."""
        return self.probabilities

    def log_weight(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Sum over the variables."""
        with np.errstate(divide="ignore"):
            chosen = np.log(self.probabilities[np.arange(self.variables), np.asarray(labels)])
        return np.asarray(chosen.sum(axis=1))

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Each variable by inversion."""
        u = rng.random((count, self.variables))
        columns = [np.searchsorted(np.cumsum(p)[:-1], u[:, i], side="right") for i, p in enumerate(self.probabilities)]
        return np.stack(columns, axis=1).astype(np.int64)

    @property
    def entropy(self) -> float:
        """Sum over the variables."""
        return float(entr(self.probabilities).sum())

    def pair(self, i: int, j: int) -> NDArray[np.float64]:
        """Outer product."""
        return np.diag(self.probabilities[i]) if i == j else np.outer(self.probabilities[i], self.probabilities[j])


def all_labels(variables: int, classes: int, numbers: NDArray[np.integer] | None = None) -> NDArray[np.int64]:
    """Labellings [B, n] by their numbers, the last variable fastest; all of them by default."""
    if numbers is None:
        numbers = np.arange(classes**variables)
    return np.stack(np.unravel_index(numbers, (classes,) * variables), axis=1).astype(np.int64)


def enumerate_labels(
    variables: int, classes: int, log_weight: Callable[[NDArray[np.int64]], NDArray[np.float64]]
) -> Table | None:
    """The table of a function of labellings; None where there are more than :data:`LIMIT`."""
    count = classes**variables
    if count > LIMIT or variables > 20:
        return None
    numbers = np.arange(count)
    parts = [log_weight(all_labels(variables, classes, numbers[k : k + _CHUNK])) for k in range(0, count, _CHUNK)]
    return Table(np.concatenate(parts).reshape((classes,) * variables))
