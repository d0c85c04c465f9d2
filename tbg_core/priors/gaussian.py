"""Isotropic Gaussian priors on R^d, on mean-free coordinates and on mean-free logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from typing_extensions import override

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.prior import Prior
from tbg_core.contracts.system import Euclidean, Logits, MeanFree, StateSpace
from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.system import Batch, System
    from tbg_core.priors.config import GaussianConfig, MeanFreeGaussianConfig
    from tbg_core.randomness import SampleKeys


class _Isotropic(Prior):
    """N(0, std^2) along every direction of a space."""

    symmetry: ClassVar[Symmetry] = Symmetry("E3", permutation=True)
    space: ClassVar[type[StateSpace]]
    fix: ClassVar[str]

    def __init__(self, config: GaussianConfig | MeanFreeGaussianConfig) -> None:
        self.config = config

    @override
    def sample(self, keys: SampleKeys, system: System) -> Tensor:
        space = self._space_of(system)
        return self.config.std * space.project(keys.normal(space.event_shape))

    @override
    def log_prob(self, x: Tensor, system: System) -> Tensor:
        dim = self._space_of(system).dim
        squares = x.double().flatten(1).square().sum(dim=1) / self.config.std**2
        return -0.5 * squares - dim * (0.5 * math.log(2 * math.pi) + math.log(self.config.std))

    def atom_classes(self, system: System) -> Tensor:
        """All atoms are alike."""
        return torch.zeros(self._space_of(system).event_shape[0], dtype=torch.int64)

    def _space_of(self, system: System) -> StateSpace:
        if not isinstance(system.space, self.space):
            raise UnsupportedSystemError(
                f"The prior {type(self).__name__} is a density on {self.space.__name__} coordinates, "
                f"{system.name} has {type(system.space).__name__} ones.",
                fix=self.fix,
            )
        return system.space


class Gaussian(_Isotropic):
    """N(0, std^2 I) on R^d, with respect to Lebesgue measure."""

    space = Euclidean
    fix = "Use the prior mean-free-gaussian or harmonic for molecules, logit-gaussian for labels."

    @override
    def sample_batch(
        self, batch: Batch, event_shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
    ) -> Tensor:
        for system in batch.systems:
            self._space_of(system)
        shape = (len(batch), *event_shape)
        return self.config.std * torch.randn(shape, generator=generator, device=generator.device, dtype=dtype)


class MeanFreeGaussian(_Isotropic):
    """N(0, std^2 I) restricted to configurations whose centroid is zero.

    It is the law of N independent Gaussian points after their centroid is subtracted. With respect to the
    orthonormal measure of the 3(N-1)-dimensional space

        log p(z) = -|z|^2 / (2 std^2) - 3(N-1)/2 log(2 pi std^2).

    Source: Koehler, Klein and Noe, "Equivariant flows", ICML 2020.
    """

    space = MeanFree
    fix = "Use the prior gaussian."

    @override
    def sample_batch(
        self, batch: Batch, event_shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
    ) -> Tensor:
        for system in batch.systems:
            self._space_of(system)
        shape = (len(batch), *event_shape)
        z = torch.randn(shape, generator=generator, device=generator.device, dtype=dtype)
        return self.config.std * batch.centre(z)


class LogitGaussian(_Isotropic):
    """N(0, std^2 I) on the mean-free logits of discrete variables, with respect to their orthonormal measure.

    It prefers no class of any variable: softmax of a draw has the same law whatever the order of the classes.
    """

    space = Logits
    fix = "Use the prior gaussian, or mean-free-gaussian or harmonic for molecules."

    @override
    def sample_batch(
        self, batch: Batch, event_shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
    ) -> Tensor:
        space = self._space_of(batch.systems[0])
        shape = (len(batch), *event_shape)
        return self.config.std * space.project(
            torch.randn(shape, generator=generator, device=generator.device, dtype=dtype)
        )
