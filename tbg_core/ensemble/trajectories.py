"""Ensembles as trajectories of other packages, which are imported only when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.errors import TbgError, UnsupportedSystemError
from tbg_core.molecule import Molecule

if TYPE_CHECKING:
    from types import ModuleType

    from tbg_core.ensemble.ensemble import Ensemble


def to_mdtraj(ensemble: Ensemble) -> Any:
    """An ``mdtraj.Trajectory`` with one frame per row, nm.

    Raises:
        UnsupportedSystemError: If the system is no molecule.
        TbgError: If mdtraj is not installed.
    """
    molecule = _molecule(ensemble)
    mdtraj = _require("mdtraj")
    topology = mdtraj.Topology()
    chain = topology.add_chain()
    residues = [topology.add_residue(name, chain) for name in molecule.residue_names]
    atoms = [
        topology.add_atom(name, mdtraj.element.Element.getBySymbol(element), residues[r])
        for name, element, r in zip(molecule.atom_names, molecule.elements, molecule.residue_index, strict=True)
    ]
    for i, j in molecule.bonds:
        topology.add_bond(atoms[i], atoms[j])
    return mdtraj.Trajectory(np.asarray(ensemble.positions, dtype=np.float32), topology)


def to_mdanalysis(ensemble: Ensemble) -> Any:
    """An ``MDAnalysis.Universe`` with one frame per row; positions in Angstrom, as that package has them.

    Raises:
        UnsupportedSystemError: If the system is no molecule.
        TbgError: If MDAnalysis is not installed.
    """
    molecule = _molecule(ensemble)
    mda = _require("MDAnalysis")
    universe = mda.Universe.empty(
        molecule.n_atoms,
        n_residues=len(molecule.residue_names),
        atom_resindex=np.array(molecule.residue_index),
        residue_segindex=np.zeros(len(molecule.residue_names), dtype=int),
        trajectory=True,
    )
    universe.add_TopologyAttr("names", list(molecule.atom_names))
    universe.add_TopologyAttr("elements", list(molecule.elements))
    universe.add_TopologyAttr("types", list(molecule.elements))
    universe.add_TopologyAttr("masses", np.array(molecule.masses))
    universe.add_TopologyAttr("resnames", list(molecule.residue_names))
    universe.add_TopologyAttr("resids", np.arange(1, len(molecule.residue_names) + 1))
    universe.add_TopologyAttr("segids", ["A"])
    universe.add_TopologyAttr("bonds", [tuple(bond) for bond in molecule.bonds])
    universe.load_new(np.asarray(ensemble.positions, dtype=np.float32) * 10.0, order="fac")
    return universe


def _molecule(ensemble: Ensemble) -> Molecule:
    if not isinstance(ensemble.system, Molecule):
        raise UnsupportedSystemError(
            f"{ensemble.system.name} is not a molecule and has no trajectory.",
            fix="Use Ensemble.positions, an array.",
        )
    return ensemble.system


def _require(package: str) -> ModuleType:
    try:
        return import_module(package)
    except ImportError as error:
        raise TbgError(
            f"{package} is not installed.", fix='Install it with: pip install "tbg-core[trajectories]"'
        ) from error
