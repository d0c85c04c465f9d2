"""Conformance of training objectives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tbg_core.contracts.system import Batch
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, FlowConfig
from tbg_core.flows.proposal import FlowProposal
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import ClassicRK4, CurvedField, plane

if TYPE_CHECKING:
    from tbg_core.contracts.objective import Objective
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import System


class ObjectiveConformance(ABC):
    """What every objective must do. Give ``make``; ``proposal`` and ``system`` where it is not for flows on R^d.

    Attributes:
        steps: Steps of Adam that are made to see whether minimising the loss fits the data.
        learning_rate: Of these steps.
        gain: Least rise of the mean log q of the data in these steps, nats.
    """

    steps: int = 80
    learning_rate: float = 4e-2
    gain: float = 0.3

    @abstractmethod
    def make(self) -> Objective:
        """The objective."""

    def system(self) -> System:
        """What the data are states of."""
        return plane(2)

    def proposal(self) -> Proposal:
        """An untrained model that the objective can train."""
        parts = {
            "prior": Gaussian(GaussianConfig()),
            "integrator": ClassicRK4(6),
            "likelihood": Augmented(AugmentedConfig()),
        }
        return FlowProposal(FlowConfig(dtype="float64"), field=CurvedField(2), **parts)  # type: ignore[arg-type]

    def data(self, count: int) -> Tensor:
        """States [count, *event] unlike those of the untrained model, float64."""
        generator = torch.Generator().manual_seed(1)
        shape = self.system().space.event_shape
        x = 0.4 * torch.randn(count, *shape, generator=generator, dtype=torch.float64)
        x[:, 0] += 1.5
        return x

    def changed(self, x: Tensor) -> Tensor:
        """Other data than ``x``, in the eyes of the objective."""
        return x + 0.3

    def _loss(self, proposal: Proposal, x: Tensor, stream: str = "a") -> Tensor:
        keys = SampleKeys.range(2, f"objective/{stream}", 0, len(x))
        return self.make().loss(proposal, x, Batch.single(self.system(), len(x)), keys)

    def test_loss_is_a_differentiable_number(self) -> None:
        """One finite number for the batch, that depends on the weights."""
        proposal = self.proposal()
        loss = self._loss(proposal, self.data(8))
        assert loss.shape == ()
        assert torch.isfinite(loss)
        assert loss.requires_grad, "the loss does not depend on the weights"
        loss.backward()  # type: ignore[no-untyped-call]
        slopes = [p.grad for p in proposal.parameters() if p.grad is not None]
        assert slopes
        assert all(torch.isfinite(slope).all() for slope in slopes)
        assert any(slope.abs().max() > 0 for slope in slopes)

    def test_loss_is_a_function_of_weights_data_and_keys(self) -> None:
        """The same arguments give the same number: all randomness comes from the keys, no call changes the data."""
        proposal, x = self.proposal(), self.data(8)
        kept = x.clone()
        first, again = self._loss(proposal, x), self._loss(proposal, x)
        assert torch.equal(first, again)
        assert torch.equal(x, kept)
        assert torch.equal(self._loss(proposal, self.changed(x)), first) != self.make().uses_data
        assert not torch.equal(self._loss(proposal, x, "b"), first) or self.make().uses_data

    def test_loss_is_a_mean(self) -> None:
        """A larger batch has about the same loss: learning rates do not depend on the batch size."""
        proposal = self.proposal()
        small, large = (float(self._loss(proposal, self.data(n)).detach()) for n in (200, 800))
        assert abs(large - small) < 0.5 * max(abs(small), abs(large), 0.2)

    def test_minimising_it_fits_the_data(self) -> None:
        """The model that minimises it gives the data a higher density: sign, target and scale are right."""
        proposal, x, system = self.proposal(), self.data(128), self.system()
        with torch.no_grad():
            before = float(proposal.log_prob(x, system).log_q.mean())
        optimizer = torch.optim.Adam(proposal.parameters(), lr=self.learning_rate)
        for step in range(self.steps):
            optimizer.zero_grad()
            self._loss(proposal, x, str(step)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            after = float(proposal.log_prob(x, system).log_q.mean())
        assert after > before + self.gain, f"mean log q of the data went from {before:.3f} to {after:.3f}"
