"""Contract of datasets: named sets of systems, how their frames are simulated, and those that ship."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Split:
    """A named part of a dataset.

    Attributes:
        systems: What a user would write after ``--system``, in the order in which they are made.
        training: True if models may be trained on it. The systems of all other splits are held out.
        source: Where the list comes from.
    """

    systems: tuple[str, ...]
    training: bool
    source: str


class Dataset(ABC):
    """A component that knows a set of systems and how to make equilibrium frames of them."""

    @property
    @abstractmethod
    def splits(self) -> Mapping[str, Split]:
        """The splits by name. One that may be trained on shares no system with one that may not."""

    @abstractmethod
    def recipe(self, split: str) -> dict[str, Any]:
        """How a split is simulated: a run configuration without its system, as plain data."""

    def shipped(self, split: str) -> Path | None:
        """Folder of the packed frames of a split that come with the plugin, or None."""
        return None
