"""Molecules for the tests, built by the plugin that users build them with."""

from __future__ import annotations

import pytest
import torch

from tbg_core.api import load_system
from tbg_core.molecule import Molecule


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def molecule(text: str) -> Molecule:
    """The molecule that a user means by ``text``."""
    system = load_system(text)
    assert isinstance(system, Molecule)
    return system


@pytest.fixture(scope="session")
def alanine_dipeptide() -> Molecule:
    return molecule("ACE-ALA-NME")


@pytest.fixture(scope="session")
def n_methylacetamide() -> Molecule:
    return molecule("ACE-NME")
