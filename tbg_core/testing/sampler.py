"""Conformance of samplers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from tbg_core.contracts.energy import Target, ThermodynamicState
from tbg_core.contracts.integrator import Status
from tbg_core.ensemble import Ensemble
from tbg_core.priors.config import GaussianConfig
from tbg_core.priors.gaussian import Gaussian
from tbg_core.randomness import SampleKeys
from tbg_core.testing.parts import Bowl, GaussianProposal, plane

if TYPE_CHECKING:
    from tbg_core.contracts.proposal import Draws, Proposal
    from tbg_core.contracts.sampler import Sampler
    from tbg_core.contracts.system import System


class SamplerConformance(ABC):
    """What every sampler must do. Give ``make``; ``proposal`` and ``failing`` where it is not for any proposal.

    The target is a Gaussian on R^2, narrower than the proposal, whose log Z and mean energy are known.

    Attributes:
        samples: Attempted samples for the statistical tests, which are decided at five standard errors.
        block: Size of the blocks they are drawn in.
    """

    samples: int = 4096
    block: int = 512

    @abstractmethod
    def make(self) -> Sampler:
        """The sampler."""

    def proposal(self) -> Proposal:
        """A density on R^2 that the sampler can use, wider than the target."""
        return GaussianProposal(Gaussian(GaussianConfig()))

    def failing(self) -> Proposal:
        """The same, but draws whose index is a multiple of 3 fail."""
        return _Failing(Gaussian(GaussianConfig()))

    def _draw(
        self,
        target: Target,
        start: int = 0,
        stop: int | None = None,
        proposal: Proposal | None = None,
        seed: int = 3,
    ) -> Ensemble:
        keys = SampleKeys.range(seed, "sampler", start, self.block if stop is None else stop)
        with torch.no_grad():
            return self.make().sample_block(proposal or self.proposal(), target, keys)

    def _estimates(self) -> tuple[list[float], list[float]]:
        """log Z and mean energy of each block."""
        log_z, energy = [], []
        for start in range(0, self.samples, self.block):
            ensemble = self._draw(_bowl(), start, start + self.block)
            log_z.append(ensemble.log_z.value)
            energy.append(ensemble.mean_energy(unit="kT").value)
        return log_z, energy

    def test_block_has_the_stated_form(self) -> None:
        """One row per key, invalid ones included; positions float32, every number of the weights float64."""
        ensemble = self._draw(_bowl(), 0, 7)
        assert isinstance(ensemble, Ensemble)
        assert ensemble.positions.shape == (7, 2)
        assert ensemble.positions.dtype == np.float32
        for column in (ensemble.log_q, ensemble.reduced_energy, ensemble.log_q_err, ensemble.log_weights):
            assert column.shape == (7,)
            assert column.dtype == np.float64
        assert ensemble.valid.dtype == bool
        assert ensemble.temperature_K == _bowl().state.temperature_K

    def test_energies_are_those_of_the_stored_states(self) -> None:
        """u belongs to the single-precision positions that are kept, to the last digit."""
        ensemble = self._draw(_bowl())
        u = _bowl().reduced_energy(torch.from_numpy(ensemble.positions).double()).numpy()
        assert np.abs(u - ensemble.reduced_energy)[ensemble.valid].max() < 1e-9

    def test_log_q_is_that_of_the_proposal(self) -> None:
        """log q of a row that was drawn and not moved is the density that the proposal gives it."""
        ensemble = self._draw(_bowl())
        if ensemble.base_log_weights is not None or ensemble.parent is not None:
            return
        with torch.no_grad():
            exact = self.proposal().log_prob(torch.from_numpy(ensemble.positions).double(), plane()).log_q.numpy()
        assert np.abs(exact - ensemble.log_q)[ensemble.valid].max() < 1e-4

    def test_log_z_is_right(self) -> None:
        """The mean weight estimates Z: weights are neither normalised, tempered nor clipped."""
        values = self._estimates()[0]
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert abs(np.mean(values) - _bowl().reference_values["log_z"]) < 5 * error + 5e-3

    def test_averages_are_right(self) -> None:
        """The weighted mean energy of a Gaussian is half its dimension, in kT."""
        values = self._estimates()[1]
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert abs(np.mean(values) - _bowl().reference_values["mean_energy"]) < 5 * error + 1e-2

    def test_block_is_a_function_of_its_keys(self) -> None:
        """The same keys give the same block; other seeds another. Without coupling, parts give the same rows."""
        whole, again, other = self._draw(_bowl(), 0, 12), self._draw(_bowl(), 0, 12), self._draw(_bowl(), 0, 12, seed=4)
        np.testing.assert_array_equal(whole.positions, again.positions)
        np.testing.assert_array_equal(whole.log_weights, again.log_weights)
        assert not np.array_equal(whole.positions, other.positions)
        if not self.make().coupled:
            parts = [self._draw(_bowl(), 0, 5), self._draw(_bowl(), 5, 12)]
            np.testing.assert_allclose(np.concatenate([p.positions for p in parts]), whole.positions, atol=1e-6)

    def test_energies_that_fail_cost_their_rows_only(self) -> None:
        """A row whose energy is not a number is kept, flagged and counted as attempted, with weight zero."""
        ensemble = self._draw(_Cliff(plane(), ThermodynamicState()))
        assert ensemble.attempted == self.block
        bad = ensemble.positions[:, 0] > 1
        assert not ensemble.valid[bad].any()
        assert ensemble.valid.any()
        assert (ensemble.relative_weights[~ensemble.valid] == 0).all()
        assert math.isfinite(ensemble.log_z.value)

    def test_draws_that_fail_are_invalid(self) -> None:
        """A draw whose status is not good never gets a weight, whatever its numbers are."""
        ensemble = self._draw(_bowl(), proposal=self.failing())
        assert ensemble.attempted == self.block
        assert ensemble.valid.any()
        if not self.make().coupled:
            assert not ensemble.valid[::3].any()
            assert (ensemble.relative_weights[::3] == 0).all()


def _bowl() -> Bowl:
    return Bowl(plane(), ThermodynamicState(300.0))


class _Cliff(Bowl):
    """No energy right of 1."""

    @override
    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        u, slope = super()._evaluate(x, gradient=gradient)
        return torch.where(x[:, 0] > 1, math.nan, u), slope


class _Failing(GaussianProposal):
    """Every third draw fails."""

    @override
    def sample_with_log_prob(self, keys: SampleKeys, system: System, condition: Tensor | None = None) -> Draws:
        draws = super().sample_with_log_prob(keys, system, condition)
        failed = torch.from_numpy(keys.index % 3 == 0)
        return replace(draws, status=torch.where(failed, int(Status.STEP_LIMIT), draws.status))
