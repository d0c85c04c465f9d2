"""Observables of the user's own, from a Python file that is named on the command line.

Naming a file means running it. That is for the person at the keyboard to decide, never for a config file or a
checkpoint, whose observables are read by :func:`tbg_core.observables.parse_observable`, which runs nothing.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.errors import ConfigError
from tbg_core.observables.observable import Observable
from tbg_core.observables.parse import USER_FILE, parse_observable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tbg_core.contracts.system import System


def load_observable(text: str, system: System) -> Observable:
    """As :func:`parse_observable`; also reads ``FILE.py:NAME``, for which the file is run.

    NAME is an :class:`Observable`, or a function of positions [n, N, 3], nm, that gives one number for each [n]. A
    second argument, where it has one, is the system, for looking up atoms. The attributes ``unit`` and ``period`` of
    the function, where it has them, are those of the observable.

    Raises:
        ConfigError: If the file fails, or has nothing of that name that can be used.
    """
    match = USER_FILE.fullmatch(text.strip())
    if match is None:
        return parse_observable(text, system)
    path, name = Path(match["file"]).expanduser(), match["name"]
    found = getattr(_run(path), name, None)
    if isinstance(found, Observable):
        return replace(found, function=partial(_checked, found, text))
    if not callable(found):
        problem = "nothing called" if found is None else "no function or Observable called"
        raise ConfigError(f"{path} has {problem} {name!r}.", fix=f"Define `def {name}(x): ...` in it.")
    function = partial(found, system=system) if _takes_system(found) else found
    period = getattr(found, "period", None)
    unit = str(getattr(found, "unit", ""))
    event_ndim = len(system.space.event_shape)
    return Observable(name, unit, period, partial(_checked, function, text), event_ndim=event_ndim)


def _run(path: Path) -> Any:
    """The file as a module, run once."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file.", fix="Check the path after --observable.")
    key = f"tbg_user_{abs(hash(path.resolve())):x}"
    if key in sys.modules:
        return sys.modules[key]
    spec = spec_from_file_location(key, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path} is no Python file.")
    module = module_from_spec(spec)
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[key]
        raise ConfigError(f"{path} fails: {_line(error)}.", fix="Correct it; TBG_DEBUG=1 shows where.") from error
    return module


def _takes_system(function: Callable[..., Any]) -> bool:
    try:
        return "system" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a callable without a signature
        return False


def _checked(function: Callable[..., Any], text: str, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The values of a stranger's function, if they are what they should be."""
    try:
        values = np.asarray(function(x), dtype=np.float64)
    except Exception as error:
        raise ConfigError(
            f"{text} fails on positions {x.shape}: {_line(error)}.", fix="Correct it; TBG_DEBUG=1 shows where."
        ) from error
    if values.shape != (len(x),):
        raise ConfigError(
            f"{text} gave an array of shape {values.shape} for {len(x)} conformations.",
            fix=f"Return one number for each: shape ({len(x)},).",
        )
    return values


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".")
