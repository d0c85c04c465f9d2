"""Observables of molecules: torsions, distances, angles, the radius of gyration."""

from tbg_core.observables.observable import Observable
from tbg_core.observables.parse import available, default_observables, parse_observable

__all__ = ["Observable", "available", "default_observables", "parse_observable"]
