"""Molecules for the tests, built by the plugin that users build them with."""

from __future__ import annotations

import pytest
import torch

from tbg_core.contracts.system import System
from tbg_core.loading import load_system


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def alanine_dipeptide() -> System:
    return load_system("ACE-ALA-NME")


@pytest.fixture(scope="session")
def n_methylacetamide() -> System:
    return load_system("ACE-NME")
