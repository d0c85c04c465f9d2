"""How the conformance tests make the proposal, and what they try it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from tbg_autoregressive.config import AutoregressiveConfig
from tbg_autoregressive.proposal import Autoregressive
from tbg_core.testing import ProposalConformance
from tbg_core.testing.parts import n_methylacetamide, near_reference

if TYPE_CHECKING:
    from tbg_core.molecule import Molecule


class TestAutoregressive(ProposalConformance):
    """A small model of N-methylacetamide with random weights everywhere, so that nothing holds by its being trivial."""

    samples = 1000
    atol = 1e-6

    def make(self) -> Autoregressive:
        """The model, its constants fitted to conformations near the minimum."""
        molecule = self.system()
        options = {"width": 16, "heads": 2, "layers": 2, "chemistry_layers": 2, "torsion_components": 4}
        model = Autoregressive(Autoregressive.adapt(AutoregressiveConfig(**options, dtype="float64"), [molecule]))
        model.fit_constants([molecule], [near_reference(molecule, 400, spread=0.001).numpy()])
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        return model

    def system(self) -> Molecule:
        """The molecule."""
        return n_methylacetamide()

    def test_density_is_normalised(self) -> None:
        """Shown by quadrature in the tests of the plugin."""
        pytest.skip("torsions on a circle resemble no Gaussian; normalised by quadrature in test_density.py")
