"""The verbs of datasets: ``tbg datasets make``, ``list``, ``show`` and ``pack``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbg_core.api.arguments import as_path, as_progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tbg_core.api.arguments import Folder
    from tbg_core.config.request import Overrides
    from tbg_core.pipeline.progress import Progress
    from tbg_core.registry.references import Reference


def make_dataset(
    dataset: str,
    *,
    split: str = "train",
    systems: Iterable[str] | None = None,
    frames: int | None = None,
    seed: int | None = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    threads: int = 1,
    executor: Reference | None = None,
    progress: bool | Progress = False,
) -> Path:
    """Frames of many systems: ``make_dataset("dipeptides", split="train", out="data/dipeptides")``; returns the folder.

    Args:
        dataset: Name of an installed dataset.
        split: Which part of it.
        systems: Only these of the split.
        frames: Frames per walker; resumed with more, a finished dataset is prolonged.
        seed: Fixes every random number.
        options: Settings over the dataset's recipe, by dotted path, e.g. ``{"simulation.walkers": 8}``.
        out: Folder of the dataset.
        resume: Complete or prolong what is there.
        threads: Systems simulated at a time.
        executor: Where they are simulated; on processes of this machine if left out.
        progress: True, or where to report to.

    Raises:
        TbgError: If anything given cannot be used, or a simulation failed (the others are then complete).
    """
    from tbg_core.datasets import verbs

    return verbs.make(
        dataset,
        split,
        systems=None if systems is None else list(systems),
        options=options,
        executor=executor,
        values={"simulation.frames": frames, "seed": seed},
        out=as_path(out),
        resume=resume,
        workers=threads,
        progress=as_progress(progress),
    )


def list_datasets() -> list[dict[str, Any]]:
    """Every split of every installed dataset, as plain data."""
    from tbg_core.datasets import verbs

    return verbs.known_datasets()


def show_dataset(dataset: str | Path) -> dict[str, Any]:
    """What a dataset (a folder or a name) says of itself: settings, and the convergence of every system."""
    from tbg_core.datasets import verbs

    return verbs.show(dataset)


def pack_dataset(
    folder: str | Path,
    *,
    out: Folder,
    frames: int | None = None,
    skip: int = 20,
    samples: Folder | None = None,
    progress: bool | Progress = False,
) -> Path:
    """The published form of a dataset, a folder or a name: 16-bit positions; returns ``out``.

    Each system has ``frames`` frames: 1600 by default, or as many as in a dataset that is packed already. The first
    ``skip`` frames of each walker are left out. Frames are drawn by weight from ``samples``, a folder with a run per
    system, where those can be trusted; those of a dataset packed before, where they give more independent ones.
    """
    from tbg_core.datasets.packing import pack
    from tbg_core.datasets.verbs import data_folder

    weighted = None if samples is None else Path(samples)
    return pack(
        data_folder(folder), Path(out), frames=frames, skip=skip, samples=weighted, progress=as_progress(progress)
    )
