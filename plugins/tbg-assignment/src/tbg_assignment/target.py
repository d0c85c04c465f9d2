"""The extended target: a distribution over labellings as a density on their logits, and the energies that give one."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from typing_extensions import override

from tbg_assignment.distributions import LabelDistribution, enumerate_labels
from tbg_assignment.embedding import Embedding, labels_of
from tbg_assignment.system import DistributionSystem, PottsSystem
from tbg_core.contracts.energy import EnergyBackend, Target, ThermodynamicState
from tbg_core.errors import EnergyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from tbg_assignment.config import EmbeddingConfig, LabelTableConfig, PottsConfig
    from tbg_assignment.system import LabelSystem
    from tbg_core.contracts.system import System


class LabelTarget(Target):
    """u(v) = U(alpha(v))/kT - log rho(v | alpha(v)), with alpha(v) the largest logit of each variable.

    rho(. | alpha) is a normalised density on the cone of alpha (:class:`~tbg_assignment.embedding.Embedding`), so that
    log Z is that of the discrete model, and the weight of a labelling, integrated over its cone, is exp(-U/kT): every
    average over labellings is the discrete one. u jumps between cones, where hardly any state lies.

    Args:
        system: Discrete variables.
        state: Temperature.
        config: The embedding.
    """

    system: LabelSystem

    def __init__(self, system: LabelSystem, state: ThermodynamicState, config: EmbeddingConfig) -> None:
        super().__init__(system, state)
        self.config = config
        self.embedding = Embedding(system.space, config.radius, config.width)

    @abstractmethod
    def label_energy(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """U/kT [B] of labellings [B, n]; inf where a labelling cannot be."""

    @property
    @abstractmethod
    def distribution(self) -> LabelDistribution | None:
        """The same distribution with everything about it that is exact; None where there are too many labellings."""

    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        log_rho, slope = self.embedding.log_density(x)
        energy = torch.from_numpy(self.label_energy(labels_of(x).cpu().numpy())).to(x.device)
        return energy - log_rho, -slope if gradient else None

    @property
    @override
    def reference_values(self) -> Mapping[str, float]:
        """``log_z`` where it can be had."""
        return {} if self.distribution is None else {"log_z": self.distribution.log_z}

    @override
    def describe(self) -> dict[str, Any]:
        """Temperature and options."""
        return {**super().describe(), **self.config.model_dump()}


class PottsTarget(LabelTarget):
    """A Potts model at a temperature; see :class:`tbg_assignment.config.PottsConfig`."""

    system: PottsSystem
    config: PottsConfig

    @override
    def label_energy(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        n = self.system.space.variables
        fields = self.system.fields[np.arange(n), labels].sum(axis=1)
        pairs = np.zeros(len(labels))
        for i, j in zip(*np.nonzero(np.triu(self.system.couplings)), strict=True):
            pairs += self.system.couplings[i, j] * (labels[:, i] == labels[:, j])
        return np.asarray(-(self.config.coupling * pairs + self.config.field * fields) / self.state.kT)

    @cached_property
    def distribution(self) -> LabelDistribution | None:
        """By enumeration."""
        space = self.system.space
        return enumerate_labels(space.variables, space.classes, lambda labels: -self.label_energy(labels))


class TableTarget(LabelTarget):
    """A distribution that is given: U/kT = -log p at any temperature."""

    system: DistributionSystem

    @override
    def label_energy(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        return -self.distribution.log_weight(labels) + self.distribution.log_z

    @property
    def distribution(self) -> LabelDistribution:
        """That of the system."""
        assert self.system.distribution is not None  # noqa: S101 - made with one
        return self.system.distribution


class Potts(EnergyBackend):
    """Energies of Potts models.

    Args:
        config: Coupling, field, embedding.
    """

    def __init__(self, config: PottsConfig) -> None:
        self.config = config

    @override
    def bind(self, system: System, state: ThermodynamicState) -> PottsTarget:
        if not isinstance(system, PottsSystem):
            raise EnergyError(
                f"Energy potts has no couplings for system {system.name}.",
                fix="Use label-table for a distribution, or a system such as potts-chain:6x3.",
            )
        return PottsTarget(system, state, self.config)


class LabelTable(EnergyBackend):
    """Energies of distributions that are given.

    Args:
        config: The embedding.
    """

    def __init__(self, config: LabelTableConfig) -> None:
        self.config = config

    @override
    def bind(self, system: System, state: ThermodynamicState) -> TableTarget:
        if not isinstance(system, DistributionSystem):
            raise EnergyError(
                f"System {system.name} is not a distribution over labels.",
                fix="Use the energy potts, or a system such as coupled-binary.",
            )
        return TableTarget(system, state, self.config)
