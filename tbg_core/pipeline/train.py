"""Stage two: train a proposal on simulated frames."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from tbg_core.datasets.folder import load_data, origin
from tbg_core.errors import ConfigError
from tbg_core.pipeline.checkpoints import bind_checkpoint, resolve_device
from tbg_core.pipeline.components import adapt_model, build_objective, build_proposal
from tbg_core.pipeline.folder import open_folder, read_provenance, write_provenance
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.workers import single_thread
from tbg_core.storage.checkpoint import Checkpoint, save_checkpoint
from tbg_core.training.data import TrainingData, merge_frames, oversampling_weights
from tbg_core.training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.config.run_config import RunConfig
    from tbg_core.pipeline.progress import Progress
    from tbg_core.training.data import Frames

CHECKPOINT = "checkpoint"

_EXTENDING: Final = 4000
"""States of a system that constants are added from: enough for averages, and little to read where frames are many."""


def train(
    config: RunConfig,
    data: Sequence[Path],
    out: Path,
    *,
    resume: bool,
    device: str = "auto",
    devices: int = 1,
    threads: int = 1,
    checkpoint: Path | None = None,
    progress: Progress,
) -> Path:
    """Trains ``config.model`` on the frames of simulation folders; returns the checkpoint folder.

    Args:
        config: Uses model, prior, objective, training and seed.
        data: Simulation folders, one per system (or several of one system), folders of datasets, and runs whose
            weighted samples are to be learned from.
        out: Folder of the training run; the checkpoint is ``out/checkpoint``.
        resume: Go on from the last saved training state.
        device: Where to train.
        devices: How many such devices; each has a process, and its share of every batch.
        threads: CPU threads; with one, and one device, a resumed run repeats an uninterrupted one bitwise.
        checkpoint: Start from these weights instead of random ones (fine-tuning).
        progress: Told of every step.
    """
    if not data:
        raise ConfigError("no training data were given.", fix="Name simulation folders: --data DIR.")
    frames = _weighted([frames for folder in data for frames in load_data(folder, training=True)], config)
    content = {**stage_content(config, "train"), "data": [str(folder) for folder in data]}
    start = None
    if checkpoint is not None:
        start, config = Checkpoint.open(checkpoint), bind_checkpoint(config, checkpoint)
        content = {**content, **stage_content(config, "train"), "weights": start.manifest["sha256"]}
    settings = config.training
    parts = [f.split(settings.validation_fraction) for f in frames]
    training = TrainingData(merge_frames([part[0] for part in parts]))
    held_out = merge_frames([part[1] for part in parts if part[1] is not None])
    with single_thread():
        torch.set_num_threads(threads)
        torch.manual_seed(config.seed)  # noqa: TID251 - torch initialises weights from its global generator
        model = adapt_model(config, training.systems)
        proposal = build_proposal(model if start is None else start.model, config)
        trainer = Trainer(settings, config.seed, out, resolve_device(device), devices)
        objective = build_objective(config)
        # A folder is begun with settings that work: they can be mended without another name for it.
        open_folder(out, content, resume=resume)
        write_provenance(out)
        if start is None:
            proposal.fit_constants(training.systems, [f.drawn() for f in training.frames])
        else:
            # What followed from the systems that a checkpoint was trained on stays; other systems add to it.
            start.load_into(proposal)
            model |= proposal.extend_constants(training.systems, [f.drawn(_EXTENDING) for f in training.frames])
        if warning := proposal.training_warning(training.systems):
            progress.say(warning)
        # The loop may compile or move the model; the checkpoint is written from a clean copy.
        clean = copy.deepcopy(proposal)
        try:
            validation = TrainingData(held_out) if held_out else None
            average = trainer.fit(proposal, objective, training, validation, progress)
        finally:
            objective.close()
        clean.load_state_dict(average.tensors)
    save_checkpoint(
        out / CHECKPOINT,
        clean,
        model,
        systems=[{"name": s.name, "key": s.key} for s in training.systems],
        data={
            "frames": sum(len(f.positions) for f in frames),
            **origin(Path(data[0])),
        },
        # A checkpoint travels: it names its data, not where they lay.
        training={**content, "data": [Path(folder).name for folder in data]},
        parameters=sum(p.numel() for p in clean.parameters()),
        versions=read_provenance(out).get("versions", {}),
    )
    return out / CHECKPOINT


def _weighted(frames: list[Frames], config: RunConfig) -> list[Frames]:
    """Frames with drawing probabilities, where the config asks for a region to be oversampled.

    Each molecule by itself, and over the weights that its frames have; one without the observable is left as it is.

    Raises:
        ConfigError: If no molecule has the observable.
    """
    oversample = config.training.oversample
    if oversample is None:
        return frames
    from tbg_core.observables import parse_observable

    result, failures = [], []
    for f in frames:
        try:
            observable = parse_observable(oversample.observable, f.system)
        except ConfigError as error:
            failures.append(error)
            result.append(f)
            continue
        values = observable(f.positions)
        weights = oversampling_weights(values, oversample.centre, oversample.kappa, oversample.share, f.weights)
        result.append(replace(f, weights=weights))
    if len(failures) == len(frames):
        raise failures[0]
    return result
