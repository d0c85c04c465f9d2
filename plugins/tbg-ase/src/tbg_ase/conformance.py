"""How ``tbg plugins check`` makes the components of this plugin, and what it tries them on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_ase.backend import AseBackend
from tbg_ase.config import AseConfig
from tbg_core.testing import EnergyConformance
from tbg_core.testing.parts import n_methylacetamide, near_reference

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.molecule import Molecule


class TestAse(EnergyConformance):
    """GFN2-xTB. The SCF ends within thresholds: energies are kept to 1e-5 kT by a translation, forces to 1e-3."""

    step = 1e-4
    gradient_rtol = 1e-3
    u_atol = 1e-5

    def make(self) -> AseBackend:
        """The default calculator."""
        return AseBackend(AseConfig())

    def system(self) -> Molecule:
        """Twelve atoms."""
        return n_methylacetamide()

    def states(self) -> Tensor:
        """Five conformations."""
        return near_reference(self.system(), 5)
