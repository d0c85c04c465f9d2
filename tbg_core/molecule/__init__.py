"""Molecules: topology, geometry, canonical domain and PDB text."""

from tbg_core.molecule.molecule import Handedness, Molecule

__all__ = ["Handedness", "Molecule"]
