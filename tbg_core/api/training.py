"""The verbs that lead to a model: simulate, train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tbg_core.api.arguments import as_checkpoint, as_path, as_progress
from tbg_core.config.request import make_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tbg_core.api.arguments import Folder, SystemReference
    from tbg_core.config.request import Overrides, Source
    from tbg_core.pipeline.progress import Progress
    from tbg_core.registry.references import Reference


def simulate(
    *,
    system: SystemReference | None = None,
    energy: Reference | None = None,
    dynamics: Reference | None = None,
    temperature_K: float | None = None,
    walkers: int | None = None,
    frames: int | None = None,
    seed: int | None = None,
    trust_forcefield: bool = False,
    config: Source = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    threads: int = 1,
    executor: Reference | None = None,
    progress: bool | Progress = False,
) -> Path:
    """Training or reference data: ``simulate(system="ACE-NME", walkers=4, frames=2000)``; returns the folder.

    ``walkers`` are independent simulations, ``frames`` is what each of them stores, ``dynamics`` the engine. The
    other arguments, and what is raised, are those of :func:`run`.
    """
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components={"system": system, "energy": energy, "dynamics": dynamics, "executor": executor},
        values={
            "temperature_K": temperature_K,
            "simulation.walkers": walkers,
            "simulation.frames": frames,
            "seed": seed,
        },
        out=as_path(out),
        resume=resume,
        needs=["system", "energy", "dynamics"],
        trust_forcefield=trust_forcefield,
        folder="data",
        named_by=("system", "energy"),
    )
    from tbg_core.pipeline.simulate import simulate as simulate_pipeline

    return simulate_pipeline(resolved, folder, resume=resume, workers=threads, progress=as_progress(progress))


def train(
    data: Folder | Iterable[Folder],
    *,
    model: Reference | None = None,
    prior: Reference | None = None,
    objective: Reference | None = None,
    steps: int | None = None,
    seed: int | None = None,
    checkpoint: Folder | None = None,
    recipe: str | None = None,
    config: Source = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    device: str = "auto",
    devices: int = 1,
    threads: int = 1,
    progress: bool | Progress = False,
) -> Path:
    """A model of simulated data: ``train("data/nma", model="egnn", steps=4000)``; returns the checkpoint folder.

    ``data`` are folders that :func:`simulate` or :func:`make_dataset` made, or names of datasets whose frames ship,
    ``objective`` is the loss, ``steps`` counts optimiser steps; training starts from the weights of ``checkpoint``
    where one is given; ``recipe`` names settings that a plugin ships, which all others overrule; so many ``devices`` of
    the kind ``device`` share each batch. The other arguments, and what is raised, are those of :func:`run`.
    """
    from tbg_core.datasets.verbs import data_folder

    folders = [data_folder(d) for d in ([data] if isinstance(data, (str, Path)) else data)]
    start = as_checkpoint(checkpoint)
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components={"model": model, "prior": prior, "objective": objective},
        values={"training.steps": steps, "seed": seed},
        recipe=recipe,
        out=as_path(out),
        resume=resume,
        needs=["model", "objective"],
        checkpoint=start,
        data=folders,
        folder="trained",
        named_by=("model",),
    )
    from tbg_core.pipeline.train import train as train_pipeline

    return train_pipeline(
        resolved,
        folders,
        folder,
        resume=resume,
        device=device,
        devices=devices,
        threads=threads,
        checkpoint=start,
        progress=as_progress(progress),
    )
