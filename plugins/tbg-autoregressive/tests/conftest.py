"""Molecules and models for the tests."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from tbg_autoregressive.config import AutoregressiveConfig
from tbg_autoregressive.proposal import Autoregressive
from tbg_core.loading import load_system
from tbg_core.molecule import Molecule

SMALL = AutoregressiveConfig(width=16, heads=2, layers=2, chemistry_layers=2, torsion_components=4)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@cache
def _molecule(name: str) -> Molecule:
    return load_system(name)


def _shaken(molecule: Molecule, count: int, amplitude: float = 0.003, seed: int = 1) -> np.ndarray:
    """Conformations near the reference [count, N, 3], nm."""
    rng = np.random.default_rng(seed)
    return molecule.reference + amplitude * rng.standard_normal((count, molecule.n_atoms, 3))


def _make_model(
    *molecules: Molecule, amplitude: float = 0.003, dtype: str = "float64", **options: object
) -> Autoregressive:
    """A model with random weights everywhere, so that nothing holds by its being trivial."""
    config = Autoregressive.adapt(SMALL.model_copy(update={"dtype": dtype, **options}), molecules)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)  # noqa: TID251 - torch initialises weights from its global generator
        model = Autoregressive(config)
    model.fit_constants(molecules, [_shaken(m, 400, amplitude) for m in molecules])
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="session")
def molecule() -> object:
    """A function: name -> molecule, as a user writes it."""
    return _molecule


@pytest.fixture(scope="session")
def shaken() -> object:
    """A function: conformations near the reference."""
    return _shaken


@pytest.fixture(scope="session")
def make_model() -> object:
    """A function: molecules -> a model for them with random weights."""
    return _make_model
