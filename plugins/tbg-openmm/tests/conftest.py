"""One thread, and molecules that are built once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import openmm
import pytest
import torch

from tbg_core.molecule import Molecule
from tbg_openmm import quantities
from tbg_openmm.config import PeptideConfig
from tbg_openmm.engine import Engine, ForceFieldParameters
from tbg_openmm.peptide import PeptideSource

torch.set_num_threads(1)


def _build(text: str) -> Molecule:
    return PeptideSource(PeptideConfig(sequence=text)).build()


def _pdb_text(molecule: Molecule, order: list[int] | None = None) -> str:
    assert molecule.reference is not None
    lines = []
    for serial, i in enumerate(order or range(molecule.n_atoms), start=1):
        x, y, z = 10 * molecule.reference[i]
        residue = molecule.residue_index[i]
        lines.append(
            f"ATOM  {serial:5d}  {molecule.atom_names[i]:<3}{molecule.residue_names[residue]:>4} A"
            f"{residue + 1:4d}"
            f"    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {molecule.elements[i]:>2}"
        )
    return "\n".join([*lines, "TER", "END", ""])


@pytest.fixture(scope="session")
def build() -> Callable[[str], Molecule]:
    return _build


@pytest.fixture(scope="session")
def pdb_text() -> Callable[..., str]:
    """Text of a PDB file of a molecule, atoms in a given order."""
    return _pdb_text


@pytest.fixture(scope="session")
def nma() -> Molecule:
    """N-methylacetamide, 12 atoms."""
    return _build("ACE-NME")


@pytest.fixture(scope="session")
def alanine_dipeptide() -> Molecule:
    return _build("ACE-ALA-NME")


@pytest.fixture(scope="session")
def gf() -> Molecule:
    """A zwitterion without shipped training data."""
    return _build("GF")


@pytest.fixture(scope="session")
def near_reference() -> Callable[[Molecule, int], torch.Tensor]:
    """Conformations [n, N, 3] about the reference, float64, reproducible."""

    def make(molecule: Molecule, n: int) -> torch.Tensor:
        noise = 0.004 * np.random.default_rng(3).standard_normal((n, molecule.n_atoms, 3))
        return torch.from_numpy(molecule.reference + noise)

    return make


def _frames(molecule: Molecule, parameters: ForceFieldParameters, n: int) -> torch.Tensor:
    """Frames of n walkers after 0.3 ps at 310 K, in single precision."""
    engine = Engine(parameters, torch.float32)
    random = np.random.default_rng(7)
    spread = np.sqrt(0.00831446 * 310 / parameters.masses)[:, None]
    v = torch.from_numpy(spread * random.standard_normal((n, molecule.n_atoms, 3)))
    x = torch.from_numpy(molecule.reference).expand(n, -1, -1)
    temperature, keys = torch.full((n,), 310.0), (7, torch.arange(n))
    for start in range(0, 300, 100):
        x, v, _ = engine.langevin(x, v, temperature, 100, 0.001, 1.0, keys, start)
        x = x - x.mean(dim=1, keepdim=True)
    return x


def _by_reference(system: openmm.System, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Energies and forces of OpenMM's Reference platform."""
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    energies, forces = [], []
    for row in x.double().numpy():
        context.setPositions(row)
        state = context.getState(getEnergy=True, getForces=True)
        energies.append(quantities.potential_energy(state))
        forces.append(quantities.forces(state))
    return torch.tensor(energies, dtype=torch.float64), torch.from_numpy(np.array(forces))


@pytest.fixture(scope="session")
def engine_frames() -> Callable[[Molecule, ForceFieldParameters, int], torch.Tensor]:
    return _frames


@pytest.fixture(scope="session")
def by_reference() -> Callable[[openmm.System, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    return _by_reference
