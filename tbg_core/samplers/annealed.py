"""What the samplers that move particles share: draws, a pilot that is made once, and rows of what came out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.sampler import Sampler
from tbg_core.ensemble.validity import Validity
from tbg_core.errors import ConfigError
from tbg_core.randomness import SampleKeys
from tbg_core.samplers.config import ImportanceSamplerConfig, MoveConfig
from tbg_core.samplers.importance import ImportanceSampler
from tbg_core.samplers.path import GeometricPath
from tbg_core.samplers.pilot import Tuning, tune

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.ensemble.ensemble import Ensemble
    from tbg_core.samplers.path import Drive


class MovingSampler(Sampler):
    """Draws by importance sampling, then moves that a pilot has tuned.

    Args:
        config: Options of the moves.
        drive: What moves follow; auto leaves it to the pilot.
    """

    coupled: ClassVar[bool] = True
    direct: ClassVar[bool] = False
    """True if the target is reached in one step, so that no schedule is looked for."""

    def __init__(self, config: MoveConfig, drive: Literal["auto", "target", "path"] = "target") -> None:
        self.config = config
        self.drive = drive
        self.draws = ImportanceSampler(ImportanceSamplerConfig())
        self._tuning: Tuning | None = None
        self._tuned_for: tuple[int, str] | None = None

    @override
    @torch.no_grad()
    def prepare(self, proposal: Proposal, target: Target, seed: int, stream: str) -> dict[str, Any]:
        """Runs the pilot.

        Raises:
            NumericalError: If the proposal gives nothing to anneal.
        """
        keys = SampleKeys.range(seed, f"{stream}/pilot", 0, self.config.pilot_size)
        draws = self.draws.sample_block(proposal, target, keys)

        def found(drive: Drive) -> Tuning:
            return tune(GeometricPath(proposal, target, drive), draws, self.config, keys, direct=self.direct)

        if self.drive != "auto":
            return found(self.drive).to_dict()
        tuning = found("target")
        # A density without a gradient leaves no choice.
        if tuning.narrow:
            with suppress(ConfigError):
                tuning = found("path")
        return tuning.to_dict()

    @override
    def restore(self, settings: Mapping[str, Any]) -> None:
        self._tuning, self._tuned_for = Tuning.from_dict(dict(settings)), None

    def tuning(self, proposal: Proposal, target: Target, keys: SampleKeys) -> Tuning:
        """What was restored, or else what a pilot of the same seed and stream finds."""
        name = (keys.seed, keys.stream)
        if self._tuning is None or self._tuned_for not in {None, name}:
            self._tuning = Tuning.from_dict(self.prepare(proposal, target, *name))
            self._tuned_for = name
        return self._tuning


def ensemble_of(
    path: GeometricPath,
    x: Tensor,
    draws: Ensemble,
    row: np.ndarray,
    *,
    log_weights: np.ndarray,
    parent: np.ndarray,
    statistics: dict[str, float],
) -> Ensemble:
    """The draws of a population with moved states in some of their rows.

    Args:
        path: Evaluates the states once more, in the single precision in which they are stored.
        x: Moved states [m, *event].
        draws: What was drawn [n]; rows that were not moved are outside of the domain and have no weight.
        row: Which rows the states are [m].
        log_weights: Of the states [m].
        parent: Draw that each state descends from [m].
        statistics: Of the population.
    """
    n, stored = len(draws), x.to(torch.float32)
    points = path.with_density(path.evaluate(stored.double(), 1.0))
    ok = np.full(len(row), int(Validity.OK), dtype=np.int64)
    ok[~torch.isfinite(points.u).numpy()] = Validity.NONFINITE_ENERGY
    ok[~torch.isfinite(points.log_q).numpy()] = Validity.NONFINITE_DENSITY
    columns: dict[str, Any] = {
        "positions": draws.positions.copy(),
        "log_q": draws.log_q.copy(),
        "reduced_energy": draws.reduced_energy.copy(),
        "log_q_err": draws.log_q_err.copy(),
        "status": np.where(draws.valid, int(Validity.NONFINITE_DENSITY), draws.status),
        "base_log_weights": np.full(n, -np.inf),
        "parent": np.arange(n),
    }
    moved = (stored.numpy(), points.log_q.numpy(), points.u.numpy(), points.log_q_err.numpy(), ok, log_weights, parent)
    for name, values in zip(columns, moved, strict=True):
        columns[name][row] = values
    return replace(
        draws,
        **columns,
        valid=columns["status"] == Validity.OK,
        population=np.zeros(n, dtype=np.int64),
        mirrored=None,
        provenance={"sampler": statistics},
    )
