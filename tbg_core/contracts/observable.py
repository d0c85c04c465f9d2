"""Contract of observables: named functions of conformations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from tbg_core.contracts.system import System
    from tbg_core.observables.observable import Observable


class ObservableSource(ABC):
    """A component that turns what a user writes after ``--observable`` into an :class:`Observable`.

    It is built from its config and then asked about any system. Every source is shown every text, and decides by
    its first word whether the text is meant for it.

    Attributes:
        forms: What it reads beyond :meth:`names`, for messages, e.g. ``("distance:A,B",)``.
    """

    forms: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def names(self, system: System) -> tuple[str, ...]:
        """The texts worth listing for a system; :meth:`parse` reads each of them. Empty if it is for others."""

    @abstractmethod
    def parse(self, text: str, system: System) -> Observable | None:
        """The observable that a text means, or None if the text is not for this source.

        Raises:
            ConfigError: If the text is for this source, but the system has no such thing; says what it has.
        """

    def defaults(self, system: System) -> tuple[str, ...]:
        """Those of :meth:`names` that a report shows unasked; none unless overridden."""
        return ()
