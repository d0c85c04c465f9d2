"""Size and shape of a whole molecule: radius of gyration, end-to-end distance, RMSD."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from typing_extensions import override

from tbg_core.contracts.observable import ObservableSource
from tbg_core.errors import ConfigError
from tbg_core.molecule.molecule import Molecule
from tbg_core.molecule.pdb import read_positions
from tbg_core.observables.geometry import radius_of_gyration
from tbg_core.observables.internal import internal_coordinate
from tbg_core.observables.observable import Observable
from tbg_core.observables.superposition import rmsd
from tbg_core.observables.torsions import alpha_carbon

if TYPE_CHECKING:
    import numpy as np

    from tbg_core.contracts.system import System
    from tbg_core.observables.config import ShapeConfig

SELECTIONS: Final = ("heavy", "backbone", "all")

_BACKBONE: Final = frozenset({"N", "CA", "C", "O"})


class Shape(ObservableSource):
    """``rg``, ``end-to-end``, and ``rmsd``, ``rmsd:backbone``, ``rmsd:all@FILE.pdb``."""

    forms: ClassVar[tuple[str, ...]] = ("rmsd[:heavy|backbone|all][@FILE.pdb]",)

    def __init__(self, config: ShapeConfig) -> None:
        self.config = config

    @override
    def names(self, system: System) -> tuple[str, ...]:
        """Those that the molecule has."""
        if not isinstance(system, Molecule):
            return ()
        ends = ("end-to-end",) if _ends(system) else ()
        return ("rg", *ends, *(("rmsd",) if system.reference is not None else ()))

    @override
    def defaults(self, system: System) -> tuple[str, ...]:
        """The radius of gyration."""
        return self.names(system)[:1]

    @override
    def parse(self, text: str, system: System) -> Observable | None:
        """A length (nm)."""
        text = text.strip()
        if not isinstance(system, Molecule):
            return None
        if text == "rg":
            return Observable("rg", "nm", None, partial(radius_of_gyration, masses=system.masses))
        if text == "end-to-end":
            ends = _ends(system)
            if ends is None:
                raise ConfigError(f"{system.name} has no two ends: end-to-end is for chains of residues.")
            return internal_coordinate("distance", ends, "end-to-end")
        words, at, file = text.partition("@")
        kind, _, selection = (part.strip() for part in words.partition(":"))
        if kind != "rmsd":
            return None
        reference = read_positions(Path(file.strip()), system) if at else system.reference
        if reference is None:
            raise ConfigError(f"{system.name} has no reference conformation.", fix="Write rmsd@FILE.pdb.")
        return rmsd_from(system, reference, selection or SELECTIONS[0], name=text)


def rmsd_from(molecule: Molecule, reference: np.ndarray, selection: str = SELECTIONS[0], name: str = "") -> Observable:
    """RMSD from a conformation, e.g. one row of an ensemble, after optimal superposition.

    Args:
        molecule: The molecule.
        reference: The conformation [N, 3], nm.
        selection: Atoms that are superposed and compared: ``"heavy"`` (all but hydrogens), ``"backbone"`` (N, CA, C,
            O, and the methyl carbons of caps) or ``"all"``.
        name: Name of the observable.

    Raises:
        ConfigError: If the selection is not known, or selects nothing.
    """
    if selection not in SELECTIONS:
        raise ConfigError(f"{selection!r} is no selection of atoms.", fix=f"Use {', '.join(SELECTIONS)}.")
    alphas = {alpha_carbon(molecule, r) for r in range(len(molecule.residue_names))}
    keep = {
        "heavy": [e != "H" for e in molecule.elements],
        "backbone": [n in _BACKBONE or i in alphas for i, n in enumerate(molecule.atom_names)],
        "all": [True] * molecule.n_atoms,
    }[selection]
    atoms = tuple(i for i, kept in enumerate(keep) if kept)
    if not atoms:
        raise ConfigError(f"{molecule.name} has no {selection} atoms.", fix=f"Use another of {', '.join(SELECTIONS)}.")
    return Observable(name or f"rmsd:{selection}", "nm", None, partial(rmsd, reference=reference, atoms=atoms), atoms)


def _ends(molecule: Molecule) -> tuple[int, int] | None:
    """The alpha carbons of the first and the last residue; None where there are no two of them."""
    first, last = (alpha_carbon(molecule, r) for r in (0, len(molecule.residue_names) - 1))
    return None if first is None or last is None or first == last else (first, last)
