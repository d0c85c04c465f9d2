"""Transferable Boltzmann generators: equilibrium ensembles from models with exact densities.

The names below are imported when they are used, so that ``import tbg_core`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tbg_core.api import load_system, load_target
    from tbg_core.ensemble import Ensemble
    from tbg_core.molecule.molecule import Molecule
    from tbg_core.pipeline.run import run

    __version__: str

__all__ = ["Ensemble", "Molecule", "__version__", "load_system", "load_target", "run"]

_HOMES: Final = {
    "Ensemble": "tbg_core.ensemble",
    "Molecule": "tbg_core.molecule.molecule",
    "load_system": "tbg_core.api",
    "load_target": "tbg_core.api",
    "run": "tbg_core.pipeline.run",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("tbg-core")
        except PackageNotFoundError:  # a source tree that was not installed
            return "0+unknown"
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
