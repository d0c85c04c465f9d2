"""Contract of proposals: densities that can be sampled and evaluated, the q of importance sampling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from tbg_core.contracts.integrator import Status
from tbg_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from torch import Tensor

    from tbg_core.contracts.field import Symmetry
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.likelihood import Transport
    from tbg_core.contracts.system import Batch, System
    from tbg_core.randomness import SampleKeys


@dataclass(frozen=True)
class Draws:
    """States with their log-density.

    Attributes:
        x: States [B, *event], nm for molecules, on the system's space.
        log_q: Log-density [B], float64, with respect to nm^{3(N-1)} on the mean-free space for molecules.
        log_q_err: Estimated absolute error of ``log_q`` [B], float64.
        status: :class:`~tbg_core.contracts.integrator.Status` per sample [B]; 0 is good.
        evaluations: Network evaluations per sample [B], int64.
    """

    x: Tensor
    log_q: Tensor
    log_q_err: Tensor
    status: Tensor
    evaluations: Tensor

    @classmethod
    def in_one_pass(cls, x: Tensor, log_q: Tensor) -> Draws:
        """Draws of a density that one evaluation gives exactly; a row that is not finite has ``NONFINITE``."""
        good = torch.isfinite(log_q) & torch.isfinite(x).flatten(1).all(1)
        return cls(
            x=x,
            log_q=log_q,
            log_q_err=torch.zeros_like(log_q),
            status=torch.where(good, int(Status.OK), int(Status.NONFINITE)),
            evaluations=torch.ones(len(x), dtype=torch.int64, device=x.device),
        )


class Proposal(nn.Module, ABC):
    """A normalised density q(x) for each system in its domain.

    A proposal whose ``folds`` is true returns log q on the molecule's canonical domain already; otherwise
    the raw density is symmetric as ``symmetry`` and :meth:`atom_classes` say, and the sampler folds
    (:mod:`tbg_core.molecule.domain`).
    """

    folds: ClassVar[bool] = False
    reparameterised: ClassVar[bool] = False
    """True if draws are differentiable functions of the weights, as the reverse Kullback-Leibler divergence needs."""
    biased: bool = False
    """True if log q is a stochastic estimate: weights are biased, ensembles made with it are marked."""
    rigid_latents: ClassVar[int] = 0
    """The last so many latent coordinates only turn the molecule as a whole; 0 where none do that alone."""
    batch_coupled: bool = False
    """True if a sample's numbers depend on its neighbours, by step control over the whole batch."""

    @property
    @abstractmethod
    def symmetry(self) -> Symmetry:
        """What the raw density is invariant under."""

    @abstractmethod
    def sample_with_log_prob(self, keys: SampleKeys, system: System, condition: Tensor | None = None) -> Draws:
        """Draws one state per key; sample i depends on ``keys.index[i]`` alone."""

    def sample_where(self, keys: SampleKeys, system: System, wanted: Callable[[Tensor], Tensor]) -> Draws:
        """Draws as :meth:`sample_with_log_prob`, of which only some need a density.

        The default computes all. A proposal whose density is dear once a state is known overrides it.

        Args:
            keys: One for each state.
            system: What is drawn.
            wanted: Tells of states [b, *event] for which of them log q is needed, bool [b]. The others may have
                log q = nan and the status OK.
        """
        return self.sample_with_log_prob(keys, system)

    @abstractmethod
    def log_prob(self, x: Tensor, system: System, condition: Tensor | None = None) -> Draws:
        """Evaluates the raw density at x [B, *event]; ``Draws.x`` is ``x``."""

    def atom_classes(self, system: System) -> Tensor:
        """Class of each atom [N]: q is invariant under relabelling inside a class. Default: none."""
        return torch.arange(system.space.event_shape[0])

    def prepare_training(self, states: Tensor) -> None:
        """Sets data-dependent constants (e.g. a length scale) from training states [n, *event] before training."""

    @property
    def has_latent(self) -> bool:
        """Whether the density is that of a latent one carried over by a map that can be evaluated either way."""
        return type(self).to_latent is not Proposal.to_latent

    def to_latent(self, x: Tensor, system: System, condition: Tensor | None = None) -> Transport:
        """Latent states z of x [B, *event], with log|det dz/dx|: optional, see :attr:`has_latent`.

        log q(x) = log p(z) + log|det dz/dx| with p of :meth:`latent_log_prob`. The map is a bijection between the
        system's space and a space of latent states of the same dimension; their shape [B, ...] is the proposal's own.

        Raises:
            ConfigError: If the proposal has no latent space.
        """
        raise self._no_latent()

    def from_latent(self, z: Tensor, system: System, condition: Tensor | None = None) -> Transport:
        """States x [B, *event] of latent z, with log|det dx/dz|: the inverse of :meth:`to_latent`.

        Any z of the right shape will do: components outside of the latent space are projected away.

        Raises:
            ConfigError: If the proposal has no latent space.
        """
        raise self._no_latent()

    def latent_log_prob(self, z: Tensor, system: System, condition: Tensor | None = None) -> Tensor:
        """Log-density [B], float64, of latent states, with respect to the measure that the log-determinants refer to.

        Raises:
            ConfigError: If the proposal has no latent space.
        """
        raise self._no_latent()

    def _no_latent(self) -> ConfigError:
        return ConfigError(
            f"{type(self).__name__} has no latent space: it does not map conformations to a simple density.",
            fix="Use a model that does, e.g. a flow.",
        )

    def reference(self, integrator: Integrator) -> Proposal | None:
        """The same density computed with far smaller errors, for audits of a few samples: float64, tight solver.

        Args:
            integrator: Solves differential equations tightly, where the density needs one.

        Returns:
            A proposal of its own; None if the density cannot be computed better than it is.
        """
        return None

    def log_prob_batch(self, x: Tensor, batch: Batch) -> Tensor:
        """log-density [B] of rows of several systems, for training: differentiable in the parameters.

        The default evaluates one system after the other. A density that is made for batches overrides it, and may
        compute in the type of ``x``; a row off the support is -inf.

        Args:
            x: States [B, *event]; nm for molecules, padded atoms zero.
            batch: Which system each row is of.
        """
        log_q = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for i, system in enumerate(batch.systems):
            rows = (batch.index == i).nonzero()[:, 0]
            if len(rows):
                size = system.space.event_shape[0]
                log_q = log_q.index_put((rows,), self.log_prob(x[rows][:, :size], system).log_q)
        return log_q

    def augment(self, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        """States that the target cannot tell from x, drawn at random, for training; by default x itself.

        Args:
            x: States [B, *event], padded.
            batch: Which system each row is of.
            keys: One key per row.
        """
        return x

    def fit_constants(self, systems: Sequence[System], states: Sequence[np.ndarray]) -> None:
        """Sets constants that depend on all of the training data, before training; by default only a length scale.

        Args:
            systems: The training systems.
            states: Training states of each [n, *event]; nm for molecules.
        """
        self.prepare_training(torch.from_numpy(states[0][:]))

    def extend_constants(self, systems: Sequence[System], states: Sequence[np.ndarray]) -> dict[str, Any]:
        """Adds constants of systems that a trained model is trained on next; what it has stays. By default nothing.

        Args:
            systems: The training systems, new and old.
            states: Training states of each [n, *event]; nm for molecules.

        Returns:
            Options of the model that changed with it.
        """
        return {}

    def coverage(self, system: System) -> float | None:
        """Share of what the model must know of a system that its training showed it, from 0 to 1.

        A model that carries over to systems that it was not trained on says so here; None: it cannot say.
        """
        return None

    def training_warning(self, systems: Sequence[System]) -> str:
        """What is likely to go wrong in training on these systems, for the user to read; empty if nothing is known."""
        return ""
