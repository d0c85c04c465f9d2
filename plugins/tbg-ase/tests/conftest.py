"""One thread, and small molecules that need no other plugin."""

from __future__ import annotations

import pytest
import torch

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.molecule import Molecule

torch.set_num_threads(1)

MASSES = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "Ar": 39.948, "Cu": 63.546, "U": 238.03}


def molecule(elements, positions_nm, bonds=(), charges=None, name="molecule"):
    """A molecule in one residue, with a reference conformation."""
    count = len(elements)
    return Molecule(
        name=name,
        elements=tuple(elements),
        atom_names=tuple(f"{element}{i}" for i, element in enumerate(elements)),
        residue_index=(0,) * count,
        residue_names=("MOL",),
        bonds=tuple(bonds),
        masses=tuple(MASSES[element] for element in elements),
        formal_charges=(0,) * count if charges is None else tuple(charges),
        handedness=(),
        reference=torch.tensor(positions_nm, dtype=torch.float64).numpy(),
    )


WATER = [[0.0, 0.0, 0.0], [0.0957, 0.0, 0.0], [-0.024, 0.0927, 0.0]]
SQUARE = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.9, 0.0], [0.5, 0.3, 0.85]]


@pytest.fixture(scope="session")
def water():
    return molecule("OHH", WATER, [(0, 1), (0, 2)], name="water")


@pytest.fixture(scope="session")
def two_waters():
    moved = [[x + 0.28, y + 0.05, z + 0.03] for x, y, z in WATER]
    return molecule("OHHOHH", WATER + moved, [(0, 1), (0, 2), (3, 4), (3, 5)], name="two waters")


@pytest.fixture(scope="session")
def argon():
    return molecule(["Ar"] * 4, [[0.38 * c for c in p] for p in SQUARE], name="four argons")


@pytest.fixture(scope="session")
def copper():
    return molecule(["Cu"] * 4, [[0.25 * c for c in p] for p in SQUARE], name="four coppers")


@pytest.fixture(scope="session")
def near():
    """Conformations [n, N, 3] about the reference, reproducible."""

    def make(system, n, size=0.003):
        generator = torch.Generator().manual_seed(3)
        noise = torch.randn(n, system.n_atoms, 3, generator=generator, dtype=torch.float64)
        return torch.from_numpy(system.reference) + size * noise

    return make


@pytest.fixture(scope="session")
def make_molecule():
    return molecule


@pytest.fixture(scope="session")
def state():
    return ThermodynamicState(300.0)
