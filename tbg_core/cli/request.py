"""From what was typed to a checked configuration and a folder that may be written."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbg_core.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tbg_core.config.run_config import RunConfig

_CONFIG = "config.yaml"
_REWEIGHTABLE = ("energy", "temperature_K")


def make_request(
    *,
    config: Path | None,
    overrides: Iterable[str] | None,
    components: Mapping[str, str | None],
    values: Mapping[str, Any],
    out: Path | None,
    resume: bool,
    needs: Iterable[str],
    trust_forcefield: bool = False,
    checkpoint: Path | None = None,
    folder: str = "runs",
) -> tuple[RunConfig, Path]:
    """The resolved configuration and the output folder of a verb.

    The config file, then overrides, then flags. A checkpoint stands for the model and the prior that it was
    trained with, where the user names none. ``--resume`` with nothing but the folder takes the folder's own
    configuration.

    Raises:
        ConfigError: If anything given cannot be used.
        StorageError: If the folder is in use or cannot be written.
    """
    from tbg_core.config.load import read_mapping
    from tbg_core.config.resolve import resolve
    from tbg_core.config.run_config import RunConfig

    data = read_mapping(config) if config else {}
    source = str(config or "config")
    begun = out / _CONFIG if out is not None else None
    named = any(v is not None for v in (*components.values(), *values.values()))
    if resume and begun is not None and begun.is_file() and not (config or overrides or named):
        # A stage may store more than the configuration there, e.g. the folders of its data.
        data = {k: v for k, v in read_mapping(begun).items() if k in RunConfig.model_fields}
        source = str(begun)
    if checkpoint is not None:
        data = _bound_to(checkpoint, data, components, overrides or ())
    made = _assemble(data, source, overrides or (), components, values, trust_forcefield)
    out = out or default_folder(made, folder)
    resolved = resolve(made, needs)
    check_folder(out, resume=resume)
    return resolved, out


def resolve_request(
    *,
    config: Path | None,
    overrides: Iterable[str] | None,
    components: Mapping[str, str | None],
    values: Mapping[str, Any],
    trust_forcefield: bool = False,
) -> RunConfig:
    """The resolved configuration alone.

    Raises:
        ConfigError: If anything given cannot be used.
    """
    from tbg_core.config.load import read_mapping
    from tbg_core.config.resolve import resolve

    data = read_mapping(config) if config else {}
    source = str(config or "config")
    return resolve(_assemble(data, source, overrides or (), components, values, trust_forcefield))


def overrides_for(
    run: Path,
    overrides: Iterable[str],
    components: Mapping[str, str | None],
    values: Mapping[str, Any],
    *,
    trust_forcefield: bool,
) -> dict[str, Any]:
    """Top-level keys of a run's configuration that overrides and flags change, with their new values.

    Raises:
        ConfigError: If one changes what the draws depend on, which reweighting cannot.
    """
    from tbg_core.config.load import make_config, read_mapping
    from tbg_core.config.run_config import RunConfig
    from tbg_core.registry import get_registry

    data = {k: v for k, v in read_mapping(run / _CONFIG).items() if k in RunConfig.model_fields}
    before = make_config(data, str(run / _CONFIG))
    after = _assemble(data, str(run / _CONFIG), overrides, components, values, trust_forcefield)
    changes: dict[str, Any] = {}
    for key in RunConfig.model_fields:
        new = getattr(after, key)
        if key == "energy":
            new = get_registry().complete("energy", new)
        if new == getattr(before, key):
            continue
        if key not in _REWEIGHTABLE:
            raise ConfigError(
                f"{key} cannot be changed by reweighting.",
                fix=f"Change {' or '.join(_REWEIGHTABLE)}, or run anew.",
            )
        changes[key] = new
    return changes


def _bound_to(
    checkpoint: Path, data: Mapping[str, Any], components: Mapping[str, str | None], overrides: Iterable[str]
) -> dict[str, Any]:
    """``data`` with the model and the prior of a checkpoint in place of the defaults."""
    from tbg_core.config.load import read_mapping
    from tbg_core.config.overrides import parse_override
    from tbg_core.config.run_config import SLOT_KEYS

    path = checkpoint / _CONFIG
    model = read_mapping(path).get("model") if path.is_file() else None
    if not isinstance(model, dict):
        return dict(data)  # opening the checkpoint will say what is wrong with it
    touched = {*data, *(parse_override(item)[0][0] for item in overrides)}
    field = model.get("field")
    labels = {model.get("name"), field.get("name") if isinstance(field, dict) else field}
    bound: dict[str, Any] = {}
    if "model" not in touched and components.get("model") in {None, *labels}:
        bound["model"] = {k: v for k, v in model.items() if k not in SLOT_KEYS}
    if "prior" not in touched and not components.get("prior") and model.get("prior"):
        bound["prior"] = model["prior"]
    return {**data, **bound}


def _assemble(
    data: Mapping[str, Any],
    source: str,
    overrides: Iterable[str],
    components: Mapping[str, str | None],
    values: Mapping[str, Any],
    trust_forcefield: bool,
) -> RunConfig:
    from tbg_core.config.load import make_config, refuse_trust
    from tbg_core.config.overrides import apply_flags, parse_flag

    if trust_forcefield:
        values = {**values, "energy.trust_forcefield": True}
    else:
        refuse_trust(data, source)
    flags = {key: parse_flag(key, text) for key, text in components.items()}
    return make_config(apply_flags(data, overrides, flags, values), source)


def default_folder(config: RunConfig, parent: str = "runs") -> Path:
    """``runs/SYSTEM-MODEL-ENERGY-seedK``; a PDB file is represented by its name without suffix."""
    label = config.system_label
    if label.lower().endswith((".pdb", ".ent", ".cif")):
        label = Path(label).stem
    parts = [label, config.model_label, str(config.energy["name"]), f"seed{config.seed}"]
    return Path(parent) / "-".join(re.sub(r"[^\w.+-]+", "_", part) for part in parts)


def check_folder(out: Path, *, resume: bool) -> None:
    """Makes sure that ``out`` can be written and holds nothing that would be overwritten.

    Raises:
        StorageError: With what to do instead.
    """
    if out.exists() and not out.is_dir():
        raise StorageError(f"{out} is a file, not a folder.", fix="Choose another --out.")
    try:
        occupied = out.is_dir() and any(not entry.name.startswith(".") for entry in out.iterdir())
        if occupied and not resume:
            raise StorageError(
                f"{out} is not empty.",
                fix="Add --resume to complete the job begun there, or choose another --out.",
            )
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out, prefix=".tbg-"):
            pass
    except OSError as error:
        raise StorageError(
            f"cannot write to {out}: {(error.strerror or str(error)).lower()}.",
            fix="Choose another folder with --out, or change its permissions.",
        ) from None


def check_run(run: Path) -> Path:
    """A folder that holds a run.

    Raises:
        StorageError: If it does not exist or holds none.
    """
    if not run.is_dir():
        raise StorageError(f"{run} is not a folder.", fix="Give the folder of a run, as `tbg run --out` made it.")
    if not (run / _CONFIG).is_file():
        raise StorageError(f"{run} holds no run (no {_CONFIG}).", fix="Give the folder that `tbg run` printed.")
    if not os.access(run, os.R_OK | os.X_OK):
        raise StorageError(f"{run} cannot be read.", fix="Change its permissions.")
    return run


def recorded(run: Path, key: str) -> Any:
    """What ``config.yaml`` of a folder says about ``key``; None where there is nothing."""
    from tbg_core.config.load import read_mapping

    path = run / _CONFIG
    return read_mapping(path).get(key) if path.is_file() else None


def check_inputs(paths: Iterable[Path], option: str) -> list[Path]:
    """Existing folders given to ``option``.

    Raises:
        ConfigError: Naming the first that does not exist.
    """
    found = list(paths)
    for path in found:
        if not path.is_dir():
            raise ConfigError(f"{option} {path}: no such folder.", fix="Check the path.")
    return found
