"""The draws of a run, weighted for another energy or temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tbg_core.config.load import make_config, read_mapping
from tbg_core.config.resolve import resolve
from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.files import from_arrays
from tbg_core.ensemble.validity import Validity
from tbg_core.pipeline.components import bind_target, build_system, describe_target
from tbg_core.pipeline.finish import StageClock, finish, label_run, started
from tbg_core.pipeline.folder import open_folder, read_provenance, write_provenance
from tbg_core.pipeline.sample import SHARDS
from tbg_core.pipeline.stages import STAGES, stage_content
from tbg_core.pipeline.workers import single_thread
from tbg_core.storage.shards import ShardStore

if TYPE_CHECKING:
    from pathlib import Path

    from tbg_core.pipeline.progress import Progress


def reweight(run: Path, changes: dict[str, Any], out: Path, *, resume: bool, progress: Progress) -> Path:
    """Evaluates the samples of ``run`` with another target and writes them as a run of its own; returns ``out``.

    Positions and log q stay as they are, so that nothing is sampled; shard k of ``out`` is shard k of ``run``.

    Args:
        run: Folder of a finished or unfinished run.
        changes: Configuration keys that replace those of the run, e.g. ``{"temperature_K": 330.0}``.
        out: Folder of the new run.
        resume: Complete a reweighting begun there.
        progress: Told of every shard.
    """
    # What made the model and its data is settled: dynamics that cannot integrate the new energy do not matter.
    known = {k: v for k, v in read_mapping(run / "config.yaml").items() if k in STAGES["sample"]}
    source = read_provenance(run)
    if known.get("temperature_K") is None and _name(changes.get("energy")) not in {None, _name(known.get("energy"))}:
        # The temperature stays that of the run: each energy may have another default.
        known["temperature_K"] = source.get("target", {}).get("temperature_K")
    config = resolve(make_config({**known, **changes}, str(run)), needs=("energy",))
    system = build_system(config)
    described = describe_target(config, system)  # an energy that does not fit is refused before a folder is claimed
    open_folder(out, {**stage_content(config, "sample"), "reweighted_from": str(run)}, resume=resume)
    label_run(out, config, model=source.get("model", config.model_label), reweighted_from=str(run))
    started("reweight", config, out)
    clock = StageClock(out)
    Ensemble.record(out, system)
    old, new = ShardStore(run / SHARDS), ShardStore(out / SHARDS)
    evaluations = 0  # by all attempts
    with (
        clock.measure("reweight"),
        single_thread(),
        bind_target(config, system) as target,
        progress.stage("reweight", total=len(old.indices), unit="shards") as bar,
    ):
        for index in old.indices:
            part = from_arrays(system, old.read(index))
            usable = np.isin(part.status, (Validity.OK, Validity.NONFINITE_ENERGY))
            evaluations += int(usable.sum())
            if index not in new.indices:
                u = np.full(len(part), np.nan)
                if usable.any():
                    x = torch.from_numpy(part.positions[usable]).double()
                    u[usable] = target.reduced_energy(x).cpu().numpy()
                new.write(index, part.with_energy(u, target.state.temperature_K).arrays())
            bar.advance(1)
    new.seal(reweighted_from=str(run))
    write_provenance(out, target=described, energy_evaluations=evaluations, biased=source.get("biased", False))
    finish("reweight", config, out, clock, progress)
    return out


def _name(energy: Any) -> str | None:
    """Name of an energy in a configuration: a name, or a mapping with one."""
    return energy.get("name") if isinstance(energy, dict) else energy
