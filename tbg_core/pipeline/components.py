"""The components of a run, built from its resolved configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tbg_core.config.resolve import proposal_reference
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import CheckpointError, ConfigError, UnsupportedSystemError
from tbg_core.registry import get_registry
from tbg_core.storage.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.config.run_config import RunConfig
    from tbg_core.contracts.dynamics import Dynamics
    from tbg_core.contracts.energy import EnergyBackend, Target
    from tbg_core.contracts.objective import Objective
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.sampler import Sampler
    from tbg_core.contracts.system import System

SAMPLING_SLOTS = ("integrator", "likelihood")
"""Slots of a proposal that may be chosen anew for every sampling; the others are part of what was trained."""


def build_system(config: RunConfig) -> System:
    """The system, with its topology."""
    registry = get_registry()
    system: System = registry.build("system", registry.resolve_system(config.system)).build()
    return system


def bind_target(config: RunConfig, system: System) -> Target:
    """The target density of ``system`` at the run's temperature."""
    backend: EnergyBackend = get_registry().build("energy", config.energy)
    return backend.bind(system, ThermodynamicState(temperature(config, backend, system)))


def temperature(config: RunConfig, backend: EnergyBackend, system: System) -> float:
    """The temperature that was asked for, or else the default of the energy for this system (K)."""
    return config.temperature_K if config.temperature_K is not None else backend.default_temperature_K(system)


def build_dynamics(config: RunConfig) -> Dynamics:
    """The simulation engine.

    Raises:
        ConfigError: If the run has none.
    """
    if config.dynamics is None:
        raise ConfigError("this run has no dynamics.", fix="Name one: -s dynamics=openmm.")
    dynamics: Dynamics = get_registry().build("dynamics", config.dynamics)
    return dynamics


def build_sampler(config: RunConfig) -> Sampler:
    """The sampler."""
    sampler: Sampler = get_registry().build("sampler", config.sampler)
    return sampler


def build_objective(config: RunConfig) -> Objective:
    """The training objective.

    Raises:
        ConfigError: If the run has none.
    """
    if config.objective is None:
        raise ConfigError("this run has no objective.", fix="Name one: -s objective=flow-matching.")
    objective: Objective = get_registry().build("objective", config.objective)
    return objective


def adapt_model(config: RunConfig, systems: Sequence[System]) -> dict[str, Any]:
    """The proposal's reference with every option that follows from the training systems written out.

    This is what a checkpoint stores: sampling slots are left out, they are chosen when it is used.
    """
    registry = get_registry()
    reference = registry.complete("proposal", proposal_reference(config))
    for slot, kind in registry.spec("proposal", reference["name"]).slots.items():
        inner = reference.get(slot)
        component = registry.load(registry.spec(kind, inner["name"]).target, kind) if inner else None
        if hasattr(component, "adapt"):
            options = {key: value for key, value in inner.items() if key != "name"}
            adapted = component.adapt(registry.validated(kind, inner["name"], options), systems)
            reference[slot] = {"name": inner["name"], **adapted.model_dump(mode="json")}
    return {key: value for key, value in reference.items() if key not in SAMPLING_SLOTS}


def build_proposal(model: dict[str, Any], config: RunConfig) -> Proposal:
    """The proposal that ``model`` (of :func:`adapt_model` or of a checkpoint) describes, weights untrained."""
    registry = get_registry()
    slots = registry.spec("proposal", model["name"]).slots
    chosen = {slot: getattr(config, slot) for slot in SAMPLING_SLOTS if slot in slots}
    proposal: Proposal = registry.build("proposal", model, **{k: v for k, v in chosen.items() if v is not None})
    return proposal


def load_proposal(config: RunConfig, checkpoint: Path, system: System, device: str = "auto") -> Proposal:
    """The trained proposal of a checkpoint, ready to sample on ``device``.

    Raises:
        CheckpointError: If it is of another model than the run asks for, or was made for other molecules.
    """
    opened = Checkpoint.open(checkpoint)
    _check_same_model(config, opened)
    proposal = build_proposal(opened.model, config)
    opened.load_into(proposal)
    try:
        proposal.atom_classes(system)
    except UnsupportedSystemError as error:
        raise CheckpointError(
            f"the checkpoint {checkpoint} cannot be used for {system.name}: {error.message}",
            fix=error.fix or "Train a model for it: add --from-scratch.",
        ) from error
    return proposal.to(resolve_device(device)).eval()


def find_checkpoint(config: RunConfig, system: System) -> Path:
    """The checkpoint that a plugin ships for this model and system.

    Raises:
        CheckpointError: If there is none; lists what there is.
    """
    from importlib.resources import files

    registry = get_registry()
    reference = proposal_reference(config)
    shipped: list[str] = []
    for kind, inner in (("field", reference.get("field")), ("proposal", reference)):
        name = inner.get("name") if isinstance(inner, dict) else inner
        if name is None or not (package := registry.spec(kind, str(name)).checkpoints):
            continue
        module, _, folder = package.rpartition(".")
        root = Path(str(files(module) / folder))
        for entry in sorted(root.iterdir()) if root.is_dir() else []:
            if not (entry / "manifest.json").is_file():
                continue
            opened = Checkpoint.open(entry)
            if system.key in opened.molecules:
                return entry
            shipped += [s["name"] for s in opened.manifest.get("systems", [])]
    known = f"Shipped for {config.model_label}: {', '.join(shipped)}." if shipped else ""
    raise CheckpointError(
        f"no checkpoint of {config.model_label} covers {system.name}. {known}".strip(),
        fix="Add --from-scratch to simulate and train one first, or give --checkpoint DIR.",
    )


def resolve_device(device: str) -> torch.device:
    """The torch device of a name; ``auto`` takes a CUDA device where there is one.

    Raises:
        ConfigError: If the device is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {device!r} is not available here.", fix="Use --device cpu or auto.") from error
    return chosen


def _check_same_model(config: RunConfig, checkpoint: Checkpoint) -> None:
    """Compares the names of the run's trained parts with the checkpoint's."""
    asked = proposal_reference(config)
    for slot, have in checkpoint.model.items():
        if not isinstance(have, dict):
            continue
        want = asked.get(slot)
        name = want.get("name") if isinstance(want, dict) else want
        # The default prior stands for "that of the checkpoint"; only another name is a contradiction.
        given = slot != "prior" or "prior" in config.model_fields_set
        if name is not None and name != have["name"] and given:
            raise CheckpointError(
                f"the checkpoint {checkpoint.folder} was trained with {slot} {have['name']}, not {name}.",
                fix=f"Drop the option, or choose --{'model' if slot == 'field' else slot} {have['name']}.",
            )
