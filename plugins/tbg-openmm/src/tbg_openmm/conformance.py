"""How ``tbg plugins check`` makes the components of this plugin, and what it tries them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.molecule.pdb import pdb_text
from tbg_core.testing import DynamicsConformance, EnergyConformance, SystemConformance
from tbg_core.testing.parts import n_methylacetamide, near_reference
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import EngineDynamicsConfig, OpenMMConfig, OpenMMDynamicsConfig, PdbConfig, PeptideConfig
from tbg_openmm.dynamics import OpenMMDynamics
from tbg_openmm.engine_dynamics import EngineDynamics
from tbg_openmm.pdb import PdbSource
from tbg_openmm.peptide import PeptideSource

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.molecule import Molecule

_SHORT = {"frame_interval_ps": 0.02, "exchange_interval_ps": 0.01, "heating_ps": 0.05, "equilibration_ps": 0.02}
_LADDER = (300.0, 330.0, 370.0)


class TestPeptideSource(SystemConformance):
    """Capped residues and names."""

    accepted = ("ACE-NME", "ACE-GLY-NME")
    refused = ("AXG",)

    def source(self) -> type[PeptideSource]:
        """The source."""
        return PeptideSource

    def config(self) -> type[PeptideConfig]:
        """Its options."""
        return PeptideConfig


class TestPdbSource(SystemConformance):
    """A file that is whole, and one that is torn."""

    foreign = ("no/such file.pdb", "", "?", "GF", "ACE-ALA-NME")

    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        molecule = n_methylacetamide()
        text = pdb_text(molecule, molecule.reference)
        (tmp_path / "whole.pdb").write_text(text, encoding="utf-8")
        (tmp_path / "torn.pdb").write_text(text[: len(text) // 2], encoding="utf-8")
        self.accepted = (str(tmp_path / "whole.pdb"),)
        self.refused = (str(tmp_path / "torn.pdb"),)

    def source(self) -> type[PdbSource]:
        """The source."""
        return PdbSource

    def config(self) -> type[PdbConfig]:
        """Its options."""
        return PdbConfig


class TestOpenMM(EnergyConformance):
    """N-methylacetamide on the reference platform, which computes in double precision."""

    step = 1e-6

    def make(self) -> OpenMMBackend:
        """The backend."""
        return OpenMMBackend(OpenMMConfig(platform="Reference"))

    def system(self) -> Molecule:
        """The molecule."""
        return n_methylacetamide()

    def states(self) -> Tensor:
        """Near its minimum."""
        return near_reference(n_methylacetamide(), 5)


class _Simulated(DynamicsConformance):
    def target(self) -> Target:
        """N-methylacetamide on the reference platform."""
        return OpenMMBackend(OpenMMConfig(platform="Reference")).bind(n_methylacetamide(), ThermodynamicState(300.0))


class TestOpenMMDynamics(_Simulated):
    """A moment of replica exchange."""

    def make(self) -> OpenMMDynamics:
        """The dynamics."""
        return OpenMMDynamics(OpenMMDynamicsConfig(**_SHORT, temperatures_K=_LADDER))


class TestEngineDynamics(_Simulated):
    """The same on the batched engine."""

    def make(self) -> EngineDynamics:
        """The dynamics."""
        return EngineDynamics(EngineDynamicsConfig(**_SHORT, temperatures_K=_LADDER))
