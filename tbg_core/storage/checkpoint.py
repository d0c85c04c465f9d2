"""Checkpoints: a folder with weights, the resolved config and a manifest; never a pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tbg_core.errors import CheckpointError, StorageError
from tbg_core.storage.atomic import read_json, sha256, write_atomically, write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_core.contracts.proposal import Proposal

SCHEMA = 1
WEIGHTS, CONFIG, MANIFEST = "model.safetensors", "config.yaml", "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A trained proposal on disk.

    Attributes:
        folder: Where it lies.
        model: Config of the proposal with all of its slots, options complete.
        manifest: Schema version, versions, hashes, molecules seen, measured quality.
    """

    folder: Path
    model: dict[str, Any]
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Checkpoint:
        """Reads config and manifest, not yet the weights.

        Raises:
            CheckpointError: If a file is missing, of a later schema, or the weights were altered.
        """
        folder = Path(folder)
        for name in (WEIGHTS, CONFIG, MANIFEST):
            if not (folder / name).is_file():
                inner = folder / "checkpoint"
                raise CheckpointError(
                    f"{folder} is not a checkpoint: it has no {name}.",
                    fix=f"Give {inner}."
                    if (inner / WEIGHTS).is_file()
                    else "Give the folder `checkpoint` that `tbg train` wrote (it holds model.safetensors).",
                )
        try:
            manifest = read_json(folder / MANIFEST)
            config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        except (StorageError, yaml.YAMLError, OSError) as error:
            raise CheckpointError(f"checkpoint {folder} is damaged: {error}") from error
        if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
            found = manifest.get("schema") if isinstance(manifest, dict) else None
            raise CheckpointError(f"checkpoint {folder} has schema {found!r}; this version reads {SCHEMA}.")
        if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
            raise CheckpointError(f"checkpoint {folder} has a config.yaml without a model.")
        if sha256(folder / WEIGHTS) != manifest.get("sha256"):
            raise CheckpointError(
                f"the weights of {folder} are not those its manifest names (sha256 differs).",
                fix="Copy the checkpoint again, or train it anew.",
            )
        return cls(folder, config["model"], manifest)

    def load_into(self, proposal: Proposal) -> None:
        """Loads the weights.

        Raises:
            CheckpointError: If they are no safetensors file or are of another architecture.
        """
        load_weights(proposal, read_tensors(self.folder / WEIGHTS), str(self.folder))

    @property
    def molecules(self) -> frozenset[str]:
        """Keys of the systems that the model was trained on."""
        return frozenset(entry["key"] for entry in self.manifest.get("systems", []))

    def describe(self) -> str:
        """One line that says which network this is and what it was trained on, for echoing to the user."""
        parts = [f"{self.model.get(slot, {}).get('name')}" for slot in ("field", "prior") if slot in self.model]
        name = " from the prior ".join(parts) or str(self.model.get("name"))
        data = self.manifest.get("data", {})
        target = [str(data[key]) for key in ("energy", "preset") if data.get(key)]
        target += [f"{data['temperature_K']:g} K"] if data.get("temperature_K") else []
        systems = listed([entry["name"] for entry in self.manifest.get("systems", [])])
        size = f", {self.manifest['parameters']:,} parameters" if "parameters" in self.manifest else ""
        frames = f"{data['frames']:,} frames of " if "frames" in data else ""
        return f"{name}{size}; trained on {frames}{systems} ({', '.join(target) or 'target unknown'})"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a line of text, the first ``most`` of them."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def save_checkpoint(folder: Path, proposal: Proposal, model: dict[str, Any], **manifest: Any) -> None:
    """Writes a checkpoint; the manifest last, so that a folder with a manifest is complete."""
    folder = Path(folder)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in proposal.state_dict().items()}
    write_atomically(folder / WEIGHTS, lambda temporary: save_file(tensors, temporary))
    write_text(folder / CONFIG, yaml.safe_dump({"model": model}, sort_keys=False))
    write_json(folder / MANIFEST, {"schema": SCHEMA, "sha256": sha256(folder / WEIGHTS), **manifest})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads a safetensors file.

    Raises:
        CheckpointError: If the file is anything else, e.g. a pickle; its content is never executed.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a safetensors file: {error}.",
            fix="Weights are read from safetensors only; pickled .pt files are refused.",
        ) from error


def load_weights(proposal: Proposal, tensors: dict[str, Tensor], source: str) -> None:
    """Copies ``tensors`` into ``proposal``, refusing names or shapes that differ.

    Raises:
        CheckpointError: Naming the first difference.
    """
    own = proposal.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    wrong = [n for n in own.keys() & tensors.keys() if own[n].shape != tensors[n].shape]
    if missing or extra or wrong:
        first = (
            f"it lacks {missing[0]}"
            if missing
            else f"it has {extra[0]}"
            if extra
            else f"{min(wrong)} has another shape"
        )
        raise CheckpointError(
            f"the weights of {source} are of another architecture: {first}.",
            fix="Use them with the model they were trained as (the checkpoint's config.yaml).",
        )
    proposal.load_state_dict(tensors)
