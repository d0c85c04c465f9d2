"""Checkpoints in a run: finding the one that ships, binding a configuration to it, loading it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import torch

from tbg_core.config.resolve import proposal_reference
from tbg_core.contracts.proposal import Proposal
from tbg_core.errors import CheckpointError, ConfigError, TbgError, UnsupportedSystemError
from tbg_core.pipeline.components import SAMPLING_SLOTS, adapt_model, build_proposal
from tbg_core.registry import get_registry
from tbg_core.registry.shipped import shipped_entries
from tbg_core.storage.checkpoint import Checkpoint, listed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tbg_core.config.run_config import RunConfig
    from tbg_core.contracts.energy import ThermodynamicState
    from tbg_core.contracts.system import System


SERVES: Final = 0.5
"""Least coverage of a system by a shipped checkpoint that was not trained on it, but carries over to others."""


def find_checkpoint(config: RunConfig, system: System) -> Path:
    """The checkpoint that a plugin ships for this model and system: trained on it, or else covering most of it.

    Of several that cover it alike it is one that contradicts nothing that was set, of those the one whose options
    differ least from those of the run, and then the one that was trained on the fewest molecules, the specialist.

    Raises:
        CheckpointError: If there is none; lists what there is.
    """
    shipped = list(shipped_checkpoints(config))
    asked = get_registry().complete("proposal", proposal_reference(config))
    trained = [opened for opened in shipped if system.key in opened.molecules]
    ranks = {
        opened.folder: (
            coverage(config, opened, system) or 0.0,
            _binds(config, opened.folder),
            -_differences(asked, opened.model),
            -len(opened.molecules),
        )
        for opened in trained or shipped
    }
    best = max(ranks, key=ranks.__getitem__, default=None)
    if best is not None and ranks[best][0] >= SERVES:
        return best
    names = list(dict.fromkeys(entry["name"] for opened in shipped for entry in opened.manifest.get("systems", [])))
    known = f" Shipped for {config.model_label}: {listed(names)}." if names else ""
    serving = models_that_serve(config, system)
    ways = [f"use --model {serving[0]}, which ships one that does"] if serving else []
    with suppress(TbgError):
        check_trainable(config, system)
        ways.append("add --from-scratch to simulate and train one first")
    fix = "; or ".join([*ways, "give --checkpoint DIR."])
    raise CheckpointError(
        f"no checkpoint of {config.model_label} covers {system.name}.{known}",
        fix=fix[0].upper() + fix[1:],
    )


def check_trainable(config: RunConfig, system: System) -> None:
    """Builds the model that training on ``system`` would begin with.

    Raises:
        UnsupportedSystemError: If it cannot be made for the system.
    """
    build_proposal(adapt_model(config, [system]), config).atom_classes(system)


def _binds(config: RunConfig, checkpoint: Path) -> bool:
    """Whether the run may use it as it is configured: see :func:`bind_checkpoint`."""
    try:
        bind_checkpoint(config, checkpoint)
    except CheckpointError:
        return False
    return True


def _differences(asked: dict[str, Any], have: dict[str, Any]) -> int:
    """Options that are not as asked, in all parts; those that training finds out are asked for by nobody."""
    count = 0
    for option, value in asked.items():
        if isinstance(value, dict):
            other = have.get(option)
            count += _differences(value, other if isinstance(other, dict) else {})
        elif value is not None and option in have:
            count += value != have[option]
    return count


def models_that_serve(config: RunConfig, system: System) -> list[str]:
    """Installed models with a shipped checkpoint for a system, for ``--model``."""
    found = []
    for kind in ("proposal", "field"):
        for spec in get_registry().specs(kind):
            # What is wrong with a plugin that nobody asked for is no part of this message.
            with suppress(ImportError, TbgError):
                if any((coverage(config, opened, system) or 0.0) >= SERVES for opened in _shipped(spec.checkpoints)):
                    found.append(spec.name)
    return found


def coverage(config: RunConfig, opened: Checkpoint, system: System) -> float | None:
    """How much of ``system`` the training of a checkpoint showed, from 0 to 1; None if the model cannot say."""
    if system.key in opened.molecules:
        return 1.0
    name, registry = opened.model["name"], get_registry()
    component = registry.load(registry.spec("proposal", name).target, f"proposal {name!r}")
    if component.coverage is Proposal.coverage:
        return None
    proposal = build_proposal(opened.model, config)
    opened.load_into(proposal)
    try:
        return proposal.coverage(system)
    except UnsupportedSystemError:
        return 0.0


def outside_training(config: RunConfig, checkpoint: Path, system: System) -> str:
    """A warning where a system has parts that the training of its model never showed; empty if there are none."""
    opened = Checkpoint.open(checkpoint)
    share = coverage(config, opened, system)
    if share is None or share >= 1.0:
        return ""
    return (
        f"warning: {system.name} was not in the model's training, and {1.0 - share:.0%} of what it must know of it "
        "was seen nowhere there; expect a low ESS."
    )


def shipped_checkpoints(config: RunConfig) -> Iterator[Checkpoint]:
    """Checkpoints in the packages of the run's proposal and its field."""
    registry = get_registry()
    reference = proposal_reference(config)
    for kind, inner in (("field", reference.get("field")), ("proposal", reference)):
        name = inner["name"] if isinstance(inner, dict) else inner
        if name is not None:
            yield from _shipped(registry.spec(kind, name).checkpoints)


def _shipped(package: str) -> Iterator[Checkpoint]:
    """Checkpoints in a package's folder, ``"package.folder"``; none for an empty name."""
    try:
        entries = shipped_entries(package)
    except ImportError:  # of which `tbg doctor` tells
        return
    for entry in entries:
        if (entry / "manifest.json").is_file():
            yield Checkpoint.open(entry)


def bind_checkpoint(config: RunConfig, checkpoint: Path) -> RunConfig:
    """The run with the model and prior that a checkpoint was trained as.

    Parts that were not named and options that were left at their defaults follow the checkpoint; one that was set to
    something else is a contradiction, and is not overruled silently.

    Raises:
        CheckpointError: Naming the first part or option that differs.
    """
    opened = Checkpoint.open(checkpoint)
    asked = get_registry().complete("proposal", proposal_reference(config))
    given = config.model_fields_set
    _compare("model", "proposal", asked, opened, opened.model, named="model" in given)
    for slot, kind in get_registry().spec("proposal", opened.model["name"]).slots.items():
        if slot not in SAMPLING_SLOTS:
            named = ("model" if slot == "field" else slot) in given
            _compare(slot, kind, asked[slot], opened, opened.model[slot], named=named)
    model = {key: value for key, value in opened.model.items() if key != "prior"}
    return config.model_copy(update={"model": model, "prior": opened.model.get("prior")})


def _compare(
    part: str, kind: str, asked: dict[str, Any], opened: Checkpoint, have: dict[str, Any], *, named: bool
) -> None:
    if asked["name"] != have["name"]:
        if not named:
            return
        flag = "--model" if part == "field" else f"--{part}"
        raise CheckpointError(
            f"the checkpoint {opened.folder} was trained with {part} {have['name']}, not {asked['name']}.",
            fix=f"Use {flag} {have['name']}, another --checkpoint, or --from-scratch.",
        )
    defaults = get_registry().config_class(kind, asked["name"]).model_fields
    for option, value in asked.items():
        field = defaults.get(option)
        if field is not None and value != have.get(option) and value != field.get_default(call_default_factory=True):
            raise CheckpointError(
                f"the checkpoint {opened.folder} was trained with {part}.{option} {have.get(option)!r}, not {value!r}.",
                fix="Drop the option, give another --checkpoint, or add --from-scratch.",
            )


def load_proposal(config: RunConfig, checkpoint: Path, system: System, device: str = "auto") -> Proposal:
    """The trained proposal of a checkpoint, ready to sample on ``device``.

    Raises:
        CheckpointError: If it was made for other molecules, or its weights do not fit.
    """
    opened = Checkpoint.open(checkpoint)
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


def training_mismatch(checkpoint: Path, config: RunConfig, state: ThermodynamicState) -> str:
    """A warning where the run's target is not the one that the model was trained for; empty if it is.

    Weights correct for any target, but the further it is from the training data, the fewer samples count.
    """
    data = Checkpoint.open(checkpoint).manifest.get("data", {})
    differences = []
    if data.get("temperature_K") not in {None, state.temperature_K}:
        differences.append(f"at {data['temperature_K']:g} K, not {state.temperature_K:g} K")
    if data.get("energy") not in {None, config.energy["name"]}:
        differences.append(f"with the energy {data['energy']}, not {config.energy['name']}")
    elif (
        data.get("preset") not in {None, config.energy.get("preset"), "auto"} and config.energy.get("preset") != "auto"
    ):
        differences.append(f"with the preset {data['preset']}, not {config.energy['preset']}")
    if not differences:
        return ""
    return f"warning: the model was trained on data {' and '.join(differences)}; expect a lower ESS."


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
