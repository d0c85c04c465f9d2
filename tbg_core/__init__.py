"""Transferable Boltzmann generators: equilibrium ensembles from models with exact densities.

The names below are imported when they are used, so that ``import tbg_core`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tbg_core.api import estimate, reweight, run, sample, simulate, train
    from tbg_core.api import report as build_report
    from tbg_core.ensemble import Ensemble
    from tbg_core.loading import load_system, load_target
    from tbg_core.molecule.molecule import Molecule

    __version__: str

__all__ = [
    "Ensemble",
    "Molecule",
    "__version__",
    "build_report",
    "estimate",
    "load_system",
    "load_target",
    "reweight",
    "run",
    "sample",
    "simulate",
    "train",
]

_HOMES: Final = {
    "Ensemble": "tbg_core.ensemble:Ensemble",
    "Molecule": "tbg_core.molecule.molecule:Molecule",
    # The verb is called report in the API; here that name belongs to the package that draws it.
    "build_report": "tbg_core.api:report",
    "load_system": "tbg_core.loading:load_system",
    "load_target": "tbg_core.loading:load_target",
    **{verb: f"tbg_core.api:{verb}" for verb in ("estimate", "reweight", "run", "sample", "simulate", "train")},
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("tbg-core")
        except PackageNotFoundError:  # a source tree that was not installed
            return "0+unknown"
    if name in _HOMES:
        module, _, attribute = _HOMES[name].partition(":")
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
