"""The proposal: s from a density on a grid, fine coordinates given s; or fine coordinates at given s alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from tbg_coarse.coordinates import Coordinates, split_coordinates
from tbg_coarse.density import FineDensity
from tbg_coarse.grid import GridDensity
from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from tbg_coarse.config import CoarseConfig
    from tbg_core.contracts.system import System
    from tbg_core.randomness import SampleKeys


class Coarse(Proposal):
    """q(x) = p(s) q(fine | s) / volume element, for one system.

    With a ``condition`` s [B, d] draws have that s, and log q(x | s) is such that log q(x) = log p(s) + log q(x | s).
    Then F(s) = -log <exp(-u - log q(x | s))> over the draws.

    Attributes:
        fine: The conditional density.
        grid: The density of s.
    """

    reparameterised: ClassVar[bool] = True

    def __init__(self, config: CoarseConfig) -> None:
        super().__init__()
        self.config = config
        self.fine = FineDensity(config)
        self.grid = GridDensity(len(config.cvs), config.grid, periodic=config.periodic)
        self._coordinates: dict[str, Coordinates] = {}

    @classmethod
    def adapt(cls, config: CoarseConfig, systems: Sequence[System]) -> CoarseConfig:
        """Sets the numbers of coordinates.

        Raises:
            UnsupportedSystemError: If there is more than one system.
        """
        if len({system.key for system in systems}) != 1:
            raise UnsupportedSystemError(
                "the coarse-grained model is of one system at a time.", fix="Train it on frames of one system."
            )
        found = split_coordinates(systems[0], config.cvs)
        sizes = {"rotors": found.rotors, "stiff": found.stiff, "periodic": found.periodic}
        return config.model_copy(update=sizes)

    @property
    @override
    def symmetry(self) -> Symmetry:
        """Rotations for a molecule, nothing for a point: internal coordinates know left from right."""
        return Symmetry("SE3" if self.config.periodic else "none", permutation=False)

    @override
    def atom_classes(self, system: System) -> Tensor:
        """All atoms are told apart; a system that the model is not made for is refused."""
        self.coordinates(system)
        return super().atom_classes(system)

    @override
    def fit_constants(self, systems: Sequence[System], states: Sequence[np.ndarray]) -> None:
        """Centre and covariance of the fine coordinates, and p(s), from data."""
        x = torch.from_numpy(states[0][:]).double()
        parts = self.coordinates(systems[0]).split(x)
        self.fine.fit_constants(parts.coarse, parts.stiff)
        self.grid.fit(parts.coarse)

    def coordinates(self, system: System) -> Coordinates:
        """The split of a system, made once.

        Raises:
            UnsupportedSystemError: If it has other numbers of coordinates than the model.
        """
        if system.key not in self._coordinates:
            found = split_coordinates(system, self.config.cvs)
            if (found.rotors, found.stiff) != (self.fine.rotors, self.fine.stiff):
                raise UnsupportedSystemError(
                    f"{system.name} has {found.stiff} stiff coordinates and {found.rotors} rotors; the coarse-grained "
                    f"model was made for {self.fine.stiff} and {self.fine.rotors}.",
                    fix="It is of one system: train one for this, or run `tbg explore`.",
                )
            self._coordinates[system.key] = found
        return self._coordinates[system.key]

    @override
    def sample_with_log_prob(self, keys: SampleKeys, system: System, condition: Tensor | None = None) -> Draws:
        coordinates, t, d = self.coordinates(system), self.fine.rotors, len(self.config.cvs)
        uniform = keys.child("coarse/uniform").uniform((2 * t + d + 2,))
        normal = keys.child("coarse/normal").normal((self.fine.stiff + d,))
        log_p = uniform.new_zeros(len(keys))
        coarse = condition
        if coarse is None:
            coarse, log_p = self.grid.sample(uniform[:, 2 * t :], normal[:, self.fine.stiff :])
        rotors, stiff, log_fine = self.fine.sample(coarse, uniform[:, :t], normal[:, : self.fine.stiff])
        x = coordinates.join(coarse, rotors, stiff, uniform[:, t : 2 * t])
        log_volume = coordinates.split(x.detach() if not x.requires_grad else x).log_volume
        return Draws.in_one_pass(x, log_p + log_fine - log_volume)

    @override
    def log_prob(self, x: Tensor, system: System, condition: Tensor | None = None) -> Draws:
        parts = self.coordinates(system).split(x.double())
        log_p = self.grid.log_prob(parts.coarse) if condition is None else 0.0
        log_q = self.fine.log_prob(parts.coarse, parts.rotors, parts.stiff) - parts.log_volume + log_p
        return Draws.in_one_pass(x, log_q.masked_fill(~parts.inside, -math.inf))
