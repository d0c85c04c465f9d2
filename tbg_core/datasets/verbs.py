"""The verbs of datasets: what the command and the Python API share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbg_core.config.overrides import apply_flags, parse_flag
from tbg_core.datasets.folder import read_manifest
from tbg_core.errors import ConfigError
from tbg_core.registry import get_registry
from tbg_core.registry.naming import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tbg_core.contracts.dataset import Dataset, Split
    from tbg_core.pipeline.progress import Progress
    from tbg_core.registry.references import Reference


def build_dataset(name: str) -> Dataset:
    """An installed dataset."""
    dataset: Dataset = get_registry().build("dataset", name)
    return dataset


def known_datasets() -> list[dict[str, Any]]:
    """Every split of every installed dataset: systems, purpose, and where the frames that ship lie."""
    found = []
    for spec in get_registry().specs("dataset"):
        dataset = build_dataset(spec.name)
        for name, split in dataset.splits.items():
            shipped = dataset.shipped(name)
            found.append(
                {
                    "dataset": spec.name,
                    "split": name,
                    "systems": len(split.systems),
                    "training": split.training,
                    "shipped": None if shipped is None else str(shipped),
                }
            )
    return found


def split_of(dataset: Dataset, name: str, split: str) -> Split:
    """A split of a dataset.

    Raises:
        ConfigError: If there is none of that name, listing those there are.
    """
    if split in dataset.splits:
        return dataset.splits[split]
    raise ConfigError(
        f"dataset {name!r} has no split {split!r}.{did_you_mean(split, dataset.splits)}",
        fix=f"It has {', '.join(dataset.splits)}.",
    )


def systems_of(contents: Split, dataset: str, split: str, systems: Sequence[str] | None) -> list[str]:
    """The systems of a split that were asked for; all of them if None.

    Raises:
        ConfigError: If one is not in the split, or there is none.
    """
    chosen = list(contents.systems) if systems is None else list(systems)
    strangers = [name for name in chosen if name not in contents.systems]
    if strangers or not chosen:
        raise ConfigError(
            f"{', '.join(strangers) or 'nothing'} is not in split {split!r} of {dataset}.",
            fix=f"It has {', '.join(contents.systems[:10])}{', ...' if len(contents.systems) > 10 else ''}.",
        )
    return chosen


def data_folder(text: str | Path) -> Path:
    """A folder of frames: one on disk, or the frames that ship with ``DATASET`` or ``DATASET:SPLIT``.

    Raises:
        ConfigError: If it is neither.
    """
    path = Path(text)
    if path.is_dir():
        return path
    name, _, split = str(text).partition(":")
    if name not in [spec.name for spec in get_registry().specs("dataset")]:
        raise ConfigError(
            f"{text}: no such folder, and no dataset of that name is installed.",
            fix="Check the path; see `tbg datasets list` for the names.",
        )
    dataset = build_dataset(name)
    chosen = split or next(iter(dataset.splits))
    split_of(dataset, name, chosen)
    shipped = dataset.shipped(chosen)
    if shipped is None:
        raise ConfigError(
            f"no frames of {name}:{chosen} are installed.",
            fix=f"Make them: tbg datasets make {name} --split {chosen} --out DIR.",
        )
    return shipped


def make(
    dataset: str,
    split: str,
    *,
    systems: Sequence[str] | None,
    options: Mapping[str, Any] | Iterable[Any] | None,
    executor: Reference | None,
    values: Mapping[str, Any],
    out: Path | None,
    resume: bool,
    workers: int,
    progress: Progress,
) -> Path:
    """Simulates a split; see :func:`tbg_core.datasets.make.make_dataset`.

    Raises:
        ConfigError: If a name is unknown, or a system is not in the split.
    """
    from tbg_core.datasets.make import make_dataset

    component = build_dataset(dataset)
    contents = split_of(component, dataset, split)
    chosen = systems_of(contents, dataset, split, systems)
    items = list(options.items()) if isinstance(options, Mapping) else list(options or ())
    recipe = apply_flags(component.recipe(split), items, {"executor": parse_flag("executor", executor)}, values)
    return make_dataset(
        dataset,
        split,
        contents,
        recipe,
        out or Path("data") / f"{dataset}-{split}",
        systems=chosen,
        resume=resume,
        workers=workers,
        progress=progress,
    )


def show(text: str | Path) -> dict[str, Any]:
    """The manifest of a dataset, by folder or name."""
    return read_manifest(data_folder(text))
