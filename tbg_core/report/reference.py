"""Reference simulations: equal weights, correlated frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tbg_core.ensemble.averages import unwrapped
from tbg_core.ensemble.bootstrap import ratio_intervals
from tbg_core.ensemble.chains import independent_blocks
from tbg_core.ensemble.estimate import Estimate
from tbg_core.ensemble.free_energy import histogram_profile
from tbg_core.ensemble.recorded_system import system_from_dict
from tbg_core.errors import StorageError
from tbg_core.pipeline.folder import target_difference
from tbg_core.randomness import generator
from tbg_core.storage.atomic import read_json
from tbg_core.storage.shards import ShardStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.contracts.system import System
    from tbg_core.report.clouds import Measure

_FRAMES = "frames"


@dataclass(frozen=True, eq=False)
class Reference:
    """Frames of a simulation of the same system at the same state.

    Attributes:
        positions: [n, *event], nm for molecules.
        reduced_energy: u = U/kT [n].
        walker: Independent simulation that each frame is from [n].
    """

    positions: np.ndarray
    reduced_energy: np.ndarray
    walker: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def energy_groups(self) -> np.ndarray:
        """Blocks of frames whose mean energies are independent [n]."""
        return independent_blocks(self.walker, self.reduced_energy)

    def evaluate(self, observable: Measure) -> np.ndarray:
        """An observable of every frame [n]."""
        return np.asarray(observable(self.positions), dtype=np.float64)

    def groups(self, values: np.ndarray, period: float | None) -> np.ndarray:
        """Blocks of frames that are independent as far as ``values`` [n] can tell [n]."""
        if period is None:
            return independent_blocks(self.walker, values)
        phase = values * (2.0 * np.pi / period)
        return independent_blocks(self.walker, np.cos(phase), np.sin(phase))

    def expectation(self, observable: Measure) -> Estimate:
        """Average with a block-bootstrap interval; angles around their circular mean."""
        period = getattr(observable, "period", None)
        values = self.evaluate(observable)
        groups = self.groups(values, period)
        return _mean(unwrapped(values, np.ones(len(values)), period), groups, getattr(observable, "unit", ""))

    def mean_energy(self, factor: float, unit: str) -> Estimate:
        """Average energy with a block-bootstrap interval.

        Args:
            factor: Size of kT in ``unit``.
            unit: Unit of the result.
        """
        return _mean(self.reduced_energy * factor, self.energy_groups, unit)

    def profile(self, observable: Measure, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """F, error, low and high in given bins; see :func:`histogram_profile`."""
        values = self.evaluate(observable)
        groups = self.groups(values, getattr(observable, "period", None))
        return histogram_profile(values, np.ones(len(values)), edges, groups=groups, stream="reference")


def load_reference(
    folder: Path, system: System, energy: str | None = None, target: Mapping[str, Any] | None = None
) -> Reference:
    """Reads a simulation folder: shards in it or in its ``frames/``, with positions and reduced energies.

    Raises:
        StorageError: If there are none, or they are not of the distribution that :func:`check_reference` is told.
    """
    check_reference(folder, system, energy, target)
    store = _shards(Path(folder))
    names = ["positions", "reduced_energy"]
    if "walker" in store.read(store.indices[0]):
        names.append("walker")
    arrays: dict[str, Any] = store.concatenate(names)
    if arrays["positions"].shape[1:] != system.space.event_shape:
        raise StorageError(f"the frames in {folder} have another shape than states of {system.name}.")
    walker = arrays.get("walker", np.zeros(len(arrays["positions"]), dtype=np.int64))
    return Reference(arrays["positions"], arrays["reduced_energy"].astype(np.float64), walker)


def check_reference(
    folder: Path, system: System, energy: str | None = None, target: Mapping[str, Any] | None = None
) -> None:
    """Refuses a folder that holds no simulation of one distribution, as far as the folder tells.

    Args:
        folder: The simulation.
        system: What it should be of.
        energy: Name of the energy, if known.
        target: What the target says of itself (:meth:`tbg_core.contracts.energy.Target.describe`), if known.

    Raises:
        StorageError: Naming what differs.
    """
    folder = Path(folder)
    fix = "Give a folder that `tbg simulate` wrote for the same system, energy and temperature."
    if not folder.is_dir():
        raise StorageError(f"the reference {folder} is not a folder.", fix=fix)
    if not _shards(folder).indices:
        raise StorageError(f"the reference {folder} holds no shards of frames.", fix=fix)
    if (folder / "system.json").is_file():
        found = system_from_dict(read_json(folder / "system.json"))
        if found.key != system.key:
            raise StorageError(f"the reference {folder} is of {found.name}, not of {system.name}.", fix=fix)
    made = read_json(folder / "provenance.json") if (folder / "provenance.json").is_file() else {}
    if energy is not None and made.get("energy", energy) != energy:
        raise StorageError(f"the reference {folder} is of the energy {made['energy']}, not of {energy}.", fix=fix)
    have, want = made.get("target", {}), json.loads(json.dumps(dict(target or {})))
    if (key := target_difference(have, want)) is not None:
        raise StorageError(f"the reference {folder} has {key} {have[key]}, the run {want[key]}.", fix=fix)


def _shards(folder: Path) -> ShardStore:
    return ShardStore(folder / _FRAMES if (folder / _FRAMES).is_dir() else folder)


def _mean(values: np.ndarray, groups: np.ndarray, unit: str) -> Estimate:
    centre = float(values.mean())
    ratios = ratio_intervals(
        (values - centre)[:, None], np.ones((len(values), 1)), generator(0, "reference"), groups=groups
    )
    interval = (float(ratios.low[0]) + centre, float(ratios.high[0]) + centre)
    reliable = bool(np.isfinite(interval[0]))
    reason = "" if reliable else "too few independent blocks"
    return Estimate(
        float(ratios.value[0]) + centre,
        float(ratios.error[0]),
        interval if reliable else None,
        reliable,
        unit,
        reason=reason,
    )
