"""The main job: a trained model, found or made, becomes a reweighted ensemble with a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tbg_core.errors import ConfigError, StorageError
from tbg_core.molecule import Molecule
from tbg_core.pipeline.checkpoints import bind_checkpoint, check_trainable, find_checkpoint, load_proposal
from tbg_core.pipeline.components import build_system, describe_target
from tbg_core.pipeline.finish import StageClock, finish, label_run, reference_entry, started
from tbg_core.pipeline.folder import open_folder, read_provenance, write_provenance
from tbg_core.pipeline.sample import draw, known_source
from tbg_core.pipeline.simulate import simulate
from tbg_core.pipeline.stages import stage_content
from tbg_core.pipeline.train import train
from tbg_core.report.reference import check_reference
from tbg_core.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from tbg_core.config.run_config import RunConfig
    from tbg_core.contracts.system import System
    from tbg_core.pipeline.progress import Progress

SIMULATION, TRAINING, REFERENCE = "simulation", "training", "reference"


def run(
    config: RunConfig,
    out: Path,
    *,
    checkpoint: Path | None = None,
    from_scratch: bool = False,
    reference: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    workers: int = 1,
    progress: Progress,
) -> Path:
    """Samples ``config.system`` and weights the samples; simulates and trains first if asked. Returns ``out``.

    Args:
        config: The resolved configuration.
        out: Run folder; simulation and training go to folders of it.
        checkpoint: The model to use; by default the one that a plugin ships for this system.
        from_scratch: Simulate and train a model for this system instead.
        reference: Simulation of the same distribution that the report compares with; by default the one made here,
            or that in the checkpoint's folder ``reference`` if it is of this distribution.
        resume: Complete a run begun in ``out``.
        device: Where the network runs.
        workers: Worker processes.
        progress: Told of every step.

    Raises:
        CheckpointError: If there is no model for the system and none is to be made.
        UnsupportedSystemError: If the model that is to be made cannot be made for the system.
        ConfigError: If a model is given and another is to be made.
        StorageError: If the reference is no simulation of the same distribution.
    """
    if from_scratch and checkpoint is not None:
        raise ConfigError(
            "--from-scratch trains a model and --checkpoint names one: they contradict each other.",
            fix="Drop one of them.",
        )
    system = build_system(config)
    progress.say(system.describe() if isinstance(system, Molecule) else f"{system.name}: {system.space.dim} dimensions")
    if from_scratch:
        check_trainable(config, system)  # or it would be refused after the simulation
    else:
        checkpoint = checkpoint or known_source(out) or find_checkpoint(config, system)
        config = bind_checkpoint(config, checkpoint)
        load_proposal(config, checkpoint, system, device)  # what cannot be loaded is refused before a folder is begun
        progress.say(f"model: {Checkpoint.open(checkpoint).describe()}")
        progress.say(f"checkpoint: {checkpoint}")
    described = describe_target(config, system)
    if reference is not None:
        check_reference(reference, system, config.energy["name"], described)
    elif checkpoint is not None:
        reference = _shipped_reference(checkpoint, system, config.energy["name"], described)
    open_folder(out, {**stage_content(config, "run"), "from_scratch": from_scratch}, resume=resume)
    label_run(out, config, target=described, **reference_entry(reference))
    started("run", config, out)
    clock = StageClock(out)
    if from_scratch:
        simulation = out / SIMULATION
        with clock.measure("simulate"):
            simulate(config, simulation, resume=True, workers=workers, progress=progress)
        with clock.measure("train"):
            checkpoint = train(
                config, [simulation], out / TRAINING, resume=True, device=device, threads=workers, progress=progress
            )
        if "reference" not in read_provenance(out):
            write_provenance(out, reference=SIMULATION)
    assert checkpoint is not None  # noqa: S101 - found, given or trained above
    with clock.measure("sample"):
        draw(config, checkpoint, out, device=device, workers=workers, progress=progress)
    finish("run", config, out, clock, progress)
    return out


def _shipped_reference(checkpoint: Path, system: System, energy: str, target: dict[str, Any]) -> Path | None:
    """The simulation that a checkpoint brings along, if it is of this distribution."""
    folder = checkpoint / REFERENCE
    try:
        check_reference(folder, system, energy, target)
    except StorageError:
        return None
    return folder
