"""Conformance of priors."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tbg_core.randomness import SampleKeys

if TYPE_CHECKING:
    from tbg_core.contracts.prior import Prior
    from tbg_core.contracts.system import StateSpace, System


def space_basis(space: StateSpace) -> Tensor:
    """Orthonormal basis [n, dim] of a space of states flattened to n coordinates, float64."""
    n = math.prod(space.event_shape)
    projector = space.project(torch.eye(n, dtype=torch.float64).reshape(n, *space.event_shape)).reshape(n, n)
    values, vectors = torch.linalg.eigh((projector + projector.T) / 2)
    basis: Tensor = vectors[:, values > 0.5]
    return basis


class PriorConformance(ABC):
    """What every prior must do. Give ``make`` and ``system``.

    Attributes:
        samples: Number of samples for the statistical tests, which are decided at five standard errors.
    """

    samples: int = 6000

    @abstractmethod
    def make(self) -> Prior:
        """The prior."""

    @abstractmethod
    def system(self) -> System:
        """A system that it supports."""

    def _draw(self, start: int = 0, stop: int | None = None, stream: str = "conformance") -> Tensor:
        keys = SampleKeys.range(3, stream, start, self.samples if stop is None else stop)
        return self.make().sample(keys, self.system())

    def test_samples_lie_on_the_space(self) -> None:
        space, x = self.system().space, self._draw(0, 8)
        assert x.shape == (8, *space.event_shape)
        assert x.dtype == torch.float64
        assert (space.project(x) - x).abs().max() < 1e-12 * max(1.0, float(x.abs().max()))

    def test_sample_depends_on_its_index_alone(self) -> None:
        whole = self._draw(0, 12)
        assert torch.equal(torch.cat([self._draw(0, 5), self._draw(5, 12)]), whole)
        assert torch.equal(self._draw(7, 8), whole[7:8])
        assert len(torch.unique(whole.reshape(12, -1), dim=0)) == 12
        assert not torch.equal(self._draw(0, 12, stream="another"), whole)

    def test_no_keys_no_samples(self) -> None:
        empty = self._draw(0, 0)
        assert empty.shape == (0, *self.system().space.event_shape)
        assert self.make().log_prob(empty, self.system()).shape == (0,)

    def test_log_prob_is_float64_per_row(self) -> None:
        prior, system, x = self.make(), self.system(), self._draw(0, 6)
        log_prob = prior.log_prob(x, system)
        assert log_prob.shape == (6,)
        assert log_prob.dtype == torch.float64
        assert torch.allclose(prior.log_prob(x[2:4], system), log_prob[2:4], rtol=1e-13, atol=1e-12)
        single = prior.log_prob(x.float(), system)
        assert single.dtype == torch.float64
        assert torch.allclose(single, log_prob, rtol=1e-4, atol=1e-3)

    def test_density_is_normalised(self) -> None:
        """The mean of g/p over samples of p is 1 for any normalised g inside p; g is a Gaussian fitted to p.

        The measure is the orthonormal one on the space, so a forgotten dimension or constant shows.
        """
        basis = space_basis(self.system().space)
        x = self._draw()
        z = x.reshape(len(x), -1) @ basis
        fit, test = z[: len(z) // 2], x[len(x) // 2 :]
        covariance = 0.8 * torch.cov(fit.T).reshape(basis.shape[1], basis.shape[1])
        g = torch.distributions.MultivariateNormal(fit.mean(dim=0), covariance)
        log_g: Tensor = g.log_prob(test.reshape(len(test), -1) @ basis)  # type: ignore[no-untyped-call]
        ratio = torch.exp(log_g - self.make().log_prob(test, self.system()))
        error = float(ratio.std()) / math.sqrt(len(ratio))
        assert error < 0.1, "the fitted Gaussian does not resemble this prior: override this test"
        assert abs(float(ratio.mean()) - 1.0) < 5 * error

    def test_samples_follow_the_gradient_of_the_density(self) -> None:
        """Stein's identities: the mean of grad log p is zero, and that of -z . grad log p the dimension."""
        basis = space_basis(self.system().space)
        x = self._draw().requires_grad_()
        (gradient,) = torch.autograd.grad(self.make().log_prob(x, self.system()).sum(), x)
        assert torch.isfinite(gradient).all()
        score = gradient.reshape(len(x), -1) @ basis
        z = x.detach().reshape(len(x), -1) @ basis
        root = math.sqrt(len(x))
        # Five standard errors, with room for the number of directions looked at.
        assert (score.mean(dim=0).abs() / (score.std(dim=0) / root)).max() < 5.5
        radial = -(z * score).sum(dim=1)
        assert abs(float(radial.mean()) - basis.shape[1]) < 5 * float(radial.std()) / root
