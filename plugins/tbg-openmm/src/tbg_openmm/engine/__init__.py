"""The energy engine: batched energies, forces and Langevin dynamics, read from an OpenMM System."""

from __future__ import annotations

from tbg_openmm.engine.engine import Engine
from tbg_openmm.engine.parameters import ForceFieldParameters, Unreadable
from tbg_openmm.engine.reading import compile_system

__all__ = ["Engine", "ForceFieldParameters", "Unreadable", "compile_system"]
