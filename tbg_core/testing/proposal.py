"""Conformance of proposals."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from tbg_core.errors import ConfigError
from tbg_core.randomness import SampleKeys
from tbg_core.testing.prior import space_basis

if TYPE_CHECKING:
    from tbg_core.contracts.proposal import Draws, Proposal
    from tbg_core.contracts.system import System


class ProposalConformance(ABC):
    """What every proposal must do. Give ``make`` and ``system``.

    Attributes:
        samples: Number of samples for the statistical test, which is decided at five standard errors.
        atol: Error of log q allowed where two ways of computing it must agree, beside ``log_q_err``.
        latent_atol: Error allowed of a latent state and back, relative to the spread of the states.
    """

    samples: int = 2000
    atol: float = 1e-4
    latent_atol: float = 1e-3

    @abstractmethod
    def make(self) -> Proposal:
        """A proposal whose weights are not trivial; twice called, two of equal weights or not."""

    @abstractmethod
    def system(self) -> System:
        """A small system in its domain."""

    def _proposal(self) -> Proposal:
        return self.make().eval()

    def _draw(self, proposal: Proposal, start: int, stop: int, stream: str = "conformance") -> Draws:
        with torch.no_grad():
            return proposal.sample_with_log_prob(SampleKeys.range(3, stream, start, stop), self.system())

    def _log_prob(self, proposal: Proposal, x: Tensor) -> Tensor:
        with torch.no_grad():
            return proposal.log_prob(x, self.system()).log_q

    def test_draws_have_the_stated_form(self) -> None:
        """States on the space; log q float64, one number per sample; no negative error."""
        proposal, space = self._proposal(), self.system().space
        draws = self._draw(proposal, 0, 6)
        assert draws.x.shape == (6, *space.event_shape)
        assert draws.log_q.dtype == draws.log_q_err.dtype == torch.float64
        assert draws.status.dtype == draws.evaluations.dtype == torch.int64
        for column in (draws.log_q, draws.log_q_err, draws.status, draws.evaluations):
            assert column.shape == (6,)
        good = draws.status == 0
        assert good.any(), "no sample succeeded"
        assert torch.isfinite(draws.log_q[good]).all()
        assert (draws.log_q_err >= 0).all()
        x = draws.x.double()
        assert (space.project(x) - x).abs().max() < 1e-5 * max(1.0, float(x.abs().max()))

    def test_a_density_is_there_where_it_is_wanted(self) -> None:
        """Draws of which some need a density are the same draws; those have it, the others may lack it."""
        proposal = self._proposal()
        whole = self._draw(proposal, 0, 8)
        edge = whole.x.flatten(1)[:, 0].median()
        with torch.no_grad():
            keys = SampleKeys.range(3, "conformance", 0, 8)
            part = proposal.sample_where(keys, self.system(), lambda x: x.flatten(1)[:, 0] > edge)
        assert torch.equal(part.x, whole.x)
        assert torch.equal(part.status, whole.status)
        chosen = (whole.x.flatten(1)[:, 0] > edge) & (whole.status == 0)
        off = (part.log_q - whole.log_q)[chosen].abs()
        assert (off <= self.atol + whole.log_q_err[chosen]).all()

    def test_sample_depends_on_its_index_alone(self) -> None:
        """Drawn in parts, in one go or alone: sample i is the same, and differs between seeds and streams."""
        proposal = self._proposal()
        whole = self._draw(proposal, 0, 8)
        parts = [self._draw(proposal, *ends) for ends in ((0, 3), (3, 8))]
        atol = self.atol if proposal.batch_coupled else 1e-6
        assert torch.allclose(torch.cat([p.x for p in parts]), whole.x, rtol=0, atol=atol)
        assert torch.allclose(torch.cat([p.log_q for p in parts]), whole.log_q, rtol=0, atol=10 * atol)
        assert not torch.allclose(self._draw(proposal, 0, 8, "another").x, whole.x)
        assert len(torch.unique(whole.x.reshape(8, -1), dim=0)) == 8

    def test_no_keys_no_samples(self) -> None:
        """Nothing asked for is nothing given, not an error."""
        empty = self._draw(self._proposal(), 0, 0)
        assert empty.x.shape == (0, *self.system().space.event_shape)
        assert empty.log_q.shape == (0,)

    def test_log_prob_agrees_with_the_draws(self) -> None:
        """``log_prob`` of a sample is the log q that it was drawn with."""
        proposal = self._proposal()
        draws = self._draw(proposal, 0, 32)
        with torch.no_grad():
            again = proposal.log_prob(draws.x, self.system())
        good = (draws.status == 0) & (again.status == 0)
        assert good.any()
        if not proposal.biased:
            allowed = self.atol + 5 * (draws.log_q_err + again.log_q_err)
            assert ((again.log_q - draws.log_q).abs() <= allowed)[good].all()

    def test_density_is_normalised(self) -> None:
        """The mean of g/q over samples of q is 1 for any normalised g inside q; g is a Gaussian fitted to q.

        The measure is the orthonormal one on the space, in nm for molecules: a forgotten length scale shows.
        """
        basis = space_basis(self.system().space)
        draws = self._draw(self._proposal(), 0, self.samples)
        x, log_q = (column[draws.status == 0] for column in (draws.x.double(), draws.log_q))
        z = x.reshape(len(x), -1) @ basis
        half = len(z) // 2
        covariance = 0.6 * torch.cov(z[:half].T).reshape(basis.shape[1], basis.shape[1])
        unlike = "a Gaussian fitted to the samples does not resemble this density: override this test"
        assert torch.linalg.cholesky_ex(covariance).info == 0, unlike
        g = torch.distributions.MultivariateNormal(z[:half].mean(dim=0), covariance)
        log_g: Tensor = g.log_prob(z[half:])  # type: ignore[no-untyped-call]
        ratio = torch.exp(log_g - log_q[half:])
        error = float(ratio.std()) / math.sqrt(len(ratio))
        assert error < 0.2, unlike
        assert abs(float(ratio.mean()) - 1.0) < 5 * error

    def test_latent_space(self) -> None:
        """There and back is the identity, the log-determinants are opposite, and log q is that of the latent state.

        A proposal without a latent space says so.
        """
        proposal, system = self._proposal(), self.system()
        draws = self._draw(proposal, 0, 16)
        if not proposal.has_latent:
            for function in (proposal.to_latent, proposal.from_latent, proposal.latent_log_prob):
                with pytest.raises(ConfigError, match="latent"):
                    function(draws.x, system)
            return
        with torch.no_grad():
            there = proposal.to_latent(draws.x, system)
            back = proposal.from_latent(there.x, system)
            log_p = proposal.latent_log_prob(there.x, system)
        assert there.log_det.dtype == back.log_det.dtype == log_p.dtype == torch.float64
        good = (draws.status == 0) & (there.status == 0) & (back.status == 0)
        assert good.any()
        x = draws.x.double()[good]
        spread = float(x.flatten(1).std(dim=0).max())
        assert (back.x.double()[good] - x).abs().max() <= self.latent_atol * spread
        if not proposal.biased and not proposal.folds:
            allowed = self.atol + 5 * (there.log_det_err + back.log_det_err + draws.log_q_err)
            assert ((there.log_det + back.log_det).abs() <= 10 * allowed)[good].all()
            assert ((log_p + there.log_det - draws.log_q).abs() <= 10 * allowed)[good].all()

    def test_log_determinant_is_that_of_the_map(self) -> None:
        """log|det dx/dz| of a latent space is that of finite differences; the volume is that of the space."""
        proposal, system = self._proposal(), self.system()
        if not proposal.has_latent or proposal.biased or proposal.folds:
            return
        with torch.no_grad():
            z = proposal.to_latent(self._draw(proposal, 0, 1).x, system).x.double()
            n, step = z[0].numel(), 1e-3
            step_by = step * torch.eye(n, dtype=torch.float64).view(n, *z.shape[1:])
            ends = proposal.from_latent(torch.cat([z + step_by, z - step_by]), system).x.double()
            log_det = proposal.from_latent(z, system).log_det
        jacobian = ((ends[:n] - ends[n:]) / (2 * step)).flatten(1)
        # Directions that are projected away have singular value zero.
        values = torch.linalg.svdvals(jacobian)[: system.space.dim]
        assert abs(float(values.log().sum() - log_det[0])) < 0.02 * system.space.dim + self.atol

    def test_declared_symmetry_holds(self) -> None:
        """log q does not change under the rotations, reflections and relabellings that ``symmetry`` names.

        Folding on the canonical domain counts on it.
        """
        proposal, system = self._proposal(), self.system()
        x = self._draw(proposal, 0, 4).x.double()
        log_q = self._log_prob(proposal, x)
        if proposal.biased or proposal.folds:
            return
        if proposal.symmetry.group != "none":
            axes = x.shape[-1]
            random = torch.randn(axes, axes, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
            q, r = torch.linalg.qr(random)
            turn = q * torch.sign(torch.diagonal(r))
            turn[:, 0] *= torch.linalg.det(turn)
            assert (self._log_prob(proposal, x @ turn.T) - log_q).abs().max() < self.atol
        if proposal.symmetry.reflection:
            assert (self._log_prob(proposal, -x) - log_q).abs().max() < self.atol
        if proposal.symmetry.permutation:
            classes = proposal.atom_classes(system)
            order = torch.arange(len(classes))
            for label in set(classes.tolist()):
                members = torch.nonzero(classes == label).flatten()
                order[members] = members.roll(1)
            assert (self._log_prob(proposal, x[:, order]) - log_q).abs().max() < self.atol

    def test_reparameterised_draws_follow_the_weights(self) -> None:
        """Where draws are said to be differentiable, a sum of them has a finite gradient in some of the weights."""
        proposal = self._proposal()
        if not proposal.reparameterised:
            return
        keys = SampleKeys.range(3, "conformance", 0, 4)
        with torch.enable_grad():
            proposal.sample_with_log_prob(keys, self.system()).x.square().sum().backward()  # type: ignore[no-untyped-call]
        slopes = [p.grad for p in proposal.parameters() if p.grad is not None]
        assert all(torch.isfinite(slope).all() for slope in slopes)
        assert any(slope.abs().max() > 0 for slope in slopes)

    def test_a_bad_row_stays_alone(self) -> None:
        """The density at a state that is not a number disturbs no other row, and is flagged."""
        proposal = self._proposal()
        x = self._draw(proposal, 0, 4).x.double()
        good = self._log_prob(proposal, x)
        x[1] = math.nan
        with torch.no_grad():
            draws = proposal.log_prob(x, self.system())
        others = torch.tensor([0, 2, 3])
        if not proposal.batch_coupled:
            assert (draws.log_q[others] - good[others]).abs().max() < self.atol
        assert draws.status[1] != 0 or not torch.isfinite(draws.log_q[1])

    def test_weights_hold_everything(self) -> None:
        """A proposal with the ``state_dict`` of another one is the same density: checkpoints are complete."""
        first, second = self._proposal(), self._proposal()
        second.load_state_dict(first.state_dict())
        x = self._draw(first, 0, 4).x.double()
        if not first.biased:
            assert torch.allclose(self._log_prob(first, x), self._log_prob(second, x), rtol=0, atol=1e-6)
