"""Observables from text, e.g. ``phi``, ``psi:2``, ``distance:1:N,3:O``, ``rg``, by asking every source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tbg_core.errors import ConfigError
from tbg_core.molecule.molecule import Molecule
from tbg_core.registry import get_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tbg_core.contracts.observable import ObservableSource
    from tbg_core.contracts.system import System
    from tbg_core.observables.observable import Observable

USER_FILE: Final = re.compile(r"(?P<file>.+\.py):(?P<name>[A-Za-z_]\w*)")
"""What :func:`tbg_core.observables.user_file.load_observable` reads, and nothing else does."""


def parse_observable(text: str, system: System) -> Observable:
    """Reads an observable. Safe for texts from config files: nothing in them is imported or executed.

    * ``phi``, ``psi``, ``omega``, ``chi1`` ... ``chi5``: the first one of that kind; ``phi:2`` that of
      residue 2.
    * ``distance:A,B``, ``angle:A,B,C``, ``torsion:A,B,C,D``: an atom is its index in the molecule, from 0; or
      residue, from 1, and name (``2:CA``); or its name alone where only one atom is called so.
    * ``rg``: the radius of gyration; ``end-to-end``: between the alpha carbons of the ends.
    * ``rmsd``, ``rmsd:backbone``, ``rmsd:all@FILE.pdb``: RMSD after superposition on the reference or on a file.
    * ``j-hn-ha:2``, ``j-hn-ha:2@hu1997``: J-couplings, with a choice of Karplus parameters.
    * What sources of plugins read, e.g. ``x:0`` for a toy.

    Args:
        text: As above.
        system: What it is an observable of.

    Raises:
        ConfigError: Naming what is wrong and listing what the system has.
    """
    text = text.strip()
    if USER_FILE.fullmatch(text):
        raise ConfigError(
            f"{text!r} is Python code, which a config cannot carry.",
            fix=f"Give it on the command line: `tbg estimate RUN --observable {text}`.",
        )
    found = {name: o for name, source in _sources(system) if (o := source.parse(text, system)) is not None}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise ConfigError(f"{text!r} is read by {' and by '.join(found)}.", fix="Uninstall one of their plugins.")
    names = ", ".join(available(system)) or "no named observables"
    more = ", ".join((*forms(system), "on the command line FILE.py:NAME"))
    raise ConfigError(f"{text!r} is not an observable of {system.name}.", fix=f"It has {names}; and there are {more}.")


def available(system: System) -> tuple[str, ...]:
    """The named observables of a system, in the order of the sources; all are read by :func:`parse_observable`."""
    return tuple(name for _, source in _sources(system) for name in source.names(system))


def forms(system: System) -> tuple[str, ...]:
    """What can be asked of a system beyond its named observables: forms into which atoms or parameters are put."""
    return tuple(form for _, source in _sources(system) for form in source.forms)


def default_observables(system: System) -> tuple[Observable, ...]:
    """What a report shows: of molecules phi, psi and omega of all residues, and the radius of gyration."""
    names = (name for _, source in _sources(system) for name in source.defaults(system))
    return tuple(parse_observable(name, system) for name in names)


def _sources(system: System) -> Iterator[tuple[str, ObservableSource]]:
    """The sources for the class of the system, the core's first, as their plugins declare them."""
    wanted = "molecules" if isinstance(system, Molecule) else system.space.system_class
    registry = get_registry()
    for kind, name in (component for record in registry.plugins for component in record.components):
        if kind == "observable" and registry.spec(kind, name).system_classes <= {wanted}:
            yield name, registry.build(kind, name)
