"""From a toy's name, or from what a run remembers of it, to its target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tbg_core.contracts.energy import ThermodynamicState
from tbg_toys.config import DoubleWellConfig, GaussianMixtureConfig, MuellerBrownConfig, ToyConfig
from tbg_toys.double_well import DoubleWell
from tbg_toys.gaussian_mixture import GaussianMixture
from tbg_toys.mueller_brown import MuellerBrown
from tbg_toys.system import ToySource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_toys.system import ToySystem
    from tbg_toys.target import ToyTarget

_ENERGIES: Final[dict[str, tuple[str, Any, Any]]] = {
    "double-well": ("double-well", DoubleWell, DoubleWellConfig),
    "asymmetric-double-well": ("double-well", DoubleWell, DoubleWellConfig),
    "mueller-brown": ("mueller-brown", MuellerBrown, MuellerBrownConfig),
    "gaussian-mixture": ("gaussian-mixture", GaussianMixture, GaussianMixtureConfig),
    "gaussian": ("gaussian-mixture", GaussianMixture, GaussianMixtureConfig),
}


def energy_of(toy: str) -> str:
    """Name of the energy that belongs to a toy."""
    return _ENERGIES[toy][0]


def find_toy(name: str) -> ToySystem | None:
    """The toy of that name, ``NAME`` or ``NAME:DIM``; None if there is none."""
    options = ToySource.parse(name)
    return None if options is None else ToySource(ToyConfig(**options)).build()


def toy_target(system: ToySystem, temperature_K: float, options: Mapping[str, Any]) -> ToyTarget:
    """The target of a toy with some options of its energy, the others being the defaults.

    Args:
        system: The toy.
        temperature_K: Temperature.
        options: Options by name; entries that are none of the energy's are ignored.
    """
    _, backend, config = _ENERGIES[system.toy]
    known = {name: value for name, value in options.items() if name in config.model_fields}
    target: ToyTarget = backend(config(**known)).bind(system, ThermodynamicState(temperature_K))
    return target
