"""Observables: torsions, distances, angles, shape, J-couplings of molecules, and what plugins and users add.

The names below are imported when they are used: listings read ``config``, which lies beside them, and must not wait for
numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tbg_core.observables.observable import Observable
    from tbg_core.observables.parse import available, default_observables, forms, parse_observable
    from tbg_core.observables.shape import rmsd_from
    from tbg_core.observables.user_file import load_observable

__all__ = [
    "Observable",
    "available",
    "default_observables",
    "forms",
    "load_observable",
    "parse_observable",
    "rmsd_from",
]

_HOMES: Final = {
    "Observable": "observable",
    "load_observable": "user_file",
    "rmsd_from": "shape",
    **dict.fromkeys(("available", "default_observables", "forms", "parse_observable"), "parse"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
