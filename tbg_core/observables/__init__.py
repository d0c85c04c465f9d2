"""Observables: torsions, distances, angles, shape, J-couplings of molecules, and what plugins and users add."""

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
