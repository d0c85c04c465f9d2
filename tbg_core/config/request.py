"""From what a user asked for, by flags or from Python, to a checked configuration and a folder for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tbg_core.config.overrides import Override, apply_flags, parse_flag, parse_override
from tbg_core.config.run_config import SLOT_KEYS, RunConfig
from tbg_core.errors import ConfigError
from tbg_core.storage.folders import CONFIG, check_folder

if TYPE_CHECKING:
    from tbg_core.registry.references import Reference

Source = str | Path | Mapping[str, Any] | RunConfig | None
"""Where a request begins: a config file, what one would hold, a configuration, or the defaults."""

Overrides = Mapping[str, Any] | Iterable[Override] | None
"""What goes over it: dotted key -> value, or ``KEY=VALUE`` items."""

Components = Mapping[str, "Reference | Path | None"]
"""Key of the configuration -> the component chosen for it, None where the user chose none."""

_REWEIGHTABLE = ("energy", "temperature_K")


def make_request(
    *,
    config: Source,
    overrides: Overrides,
    components: Components,
    values: Mapping[str, Any],
    recipe: str | None = None,
    out: Path | None,
    resume: bool,
    needs: Iterable[str],
    trust_forcefield: bool = False,
    checkpoint: Path | None = None,
    data: Sequence[Path] = (),
    folder: str = "runs",
    named_by: Sequence[str] = ("system", "model", "energy"),
) -> tuple[RunConfig, Path]:
    """The resolved configuration and the output folder of a verb.

    The recipe, then the config file, overrides, and flags. A checkpoint stands for the model and the prior that it was
    trained with, where the user names none. ``--resume`` with nothing but the folder takes the folder's own
    configuration. The defaults of a training are those for the system of its data.

    Args:
        config: The lowest layer.
        overrides: Settings over it.
        components: Choices over both.
        values: Dotted key -> value, over all else; None was not given.
        recipe: Named settings under all these, in place of the one that the config names.
        out: The folder; by default one in ``folder``, named after the ``named_by`` parts and the seed.
        resume: The folder may hold something.
        needs: Keys whose components the verb cannot do without.
        trust_forcefield: The user said so.
        checkpoint: A trained model.
        data: Simulations to train on.
        folder: Parent of default folders.
        named_by: Keys whose labels make their names.

    Raises:
        ConfigError: If anything given cannot be used.
        StorageError: If the folder is in use or cannot be written.
    """
    from tbg_core.config.resolve import resolve

    (layer, source), items = _read(config), _items(overrides)
    recipe, items = _recipe(recipe, items)
    begun = out / CONFIG if out is not None else None
    named = any(v is not None for v in (*components.values(), *values.values()))
    if resume and begun is not None and begun.is_file() and not (config or items or named or recipe):
        # A stage may store more than the configuration there, e.g. the folders of its data.
        layer, source = _stored(begun), str(begun)
    if checkpoint is not None:
        layer = _bound_to(checkpoint, layer, components, items)
    layer = _on_recipe(layer, source, recipe)
    made = _assemble(layer, source, items, components, values, trust_forcefield)
    resolved = resolve(made, needs, data_system=recorded(data[0], "system") if data else None)
    # Named by what is run, and by the system as it was written.
    out = out or default_folder(resolved.model_copy(update={"system": made.system}), folder, named_by)
    check_folder(out, resume=resume)
    return resolved, out


def resolve_request(
    *,
    config: Source,
    overrides: Overrides,
    components: Components,
    values: Mapping[str, Any],
    recipe: str | None = None,
    trust_forcefield: bool = False,
) -> RunConfig:
    """The resolved configuration alone.

    Raises:
        ConfigError: If anything given cannot be used.
    """
    from tbg_core.config.resolve import resolve

    layer, source = _read(config)
    recipe, items = _recipe(recipe, _items(overrides))
    layer = _on_recipe(layer, source, recipe)
    return resolve(_assemble(layer, source, items, components, values, trust_forcefield))


def overrides_for(
    run: Path,
    overrides: Overrides,
    components: Components,
    values: Mapping[str, Any],
    *,
    trust_forcefield: bool,
) -> dict[str, Any]:
    """Top-level keys of a run's configuration that overrides and flags change, with their new values.

    Raises:
        ConfigError: If one changes what the draws depend on, which reweighting cannot, or nothing changes.
    """
    from tbg_core.config.load import make_config, read_mapping
    from tbg_core.registry import get_registry

    data = {k: v for k, v in read_mapping(run / CONFIG).items() if k in RunConfig.model_fields}
    before = make_config(data, str(run / CONFIG))
    after = _assemble(data, str(run / CONFIG), _items(overrides), components, values, trust_forcefield)
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
    if not changes:
        raise ConfigError(
            "nothing would change.", fix="Give --energy, --temperature or an option such as -s energy.preset=NAME."
        )
    return changes


def _read(config: Source) -> tuple[dict[str, Any], str]:
    """The layer under overrides and flags, and what to call it in messages."""
    from tbg_core.config.load import read_mapping

    if isinstance(config, (str, Path)):
        path = Path(config)
        return (_stored(path) if _is_stored(path) else read_mapping(path)), str(config)
    if isinstance(config, RunConfig):
        config = config.model_dump(mode="json", exclude_unset=True)
    return dict(config or {}), "config"


def _is_stored(path: Path) -> bool:
    return path.name == CONFIG and (path.parent / "provenance.json").is_file()


def _stored(path: Path) -> dict[str, Any]:
    """The configuration of a run, which holds more than that, e.g. whether it was from scratch."""
    from tbg_core.config.load import read_mapping

    return {k: v for k, v in read_mapping(path).items() if k in RunConfig.model_fields}


def _recipe(name: str | None, items: list[Override]) -> tuple[str | None, list[Override]]:
    """The recipe that the command names, by its flag or as ``-s recipe=NAME``, and the other overrides."""
    parsed = [(item, *parse_override(item)) for item in items]
    given = [value for _, path, value in parsed if path == ("recipe",)]
    return name or (given[-1] if given else None), [item for item, path, _ in parsed if path != ("recipe",)]


def _on_recipe(layer: Mapping[str, Any], source: str, name: str | None) -> dict[str, Any]:
    """``layer`` over the recipe that the command or the layer itself names."""
    from tbg_core.config.recipes import with_recipe

    if name is not None:
        return with_recipe({**layer, "recipe": name})
    # What a run stored is complete, and can be used where its recipe is not installed.
    return dict(layer) if _is_stored(Path(source)) else with_recipe(layer)


def _items(overrides: Overrides) -> list[Override]:
    return [*overrides.items()] if isinstance(overrides, Mapping) else [*(overrides or ())]


def _bound_to(
    checkpoint: Path, data: Mapping[str, Any], components: Components, overrides: Iterable[Override]
) -> dict[str, Any]:
    """``data`` with the model and the prior of a checkpoint in place of the defaults."""
    from tbg_core.config.load import read_mapping

    path = checkpoint / CONFIG
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
    overrides: Iterable[Override],
    components: Components,
    values: Mapping[str, Any],
    trust_forcefield: bool,  # noqa: FBT001 - passed on
) -> RunConfig:
    from tbg_core.config.load import make_config, refuse_trust

    if trust_forcefield:
        values = {**values, "energy.trust_forcefield": True}
    else:
        refuse_trust(data, source)
    flags = {key: parse_flag(key, given) for key, given in components.items()}
    return make_config(apply_flags(data, overrides, flags, values), source)


def default_folder(
    config: RunConfig, parent: str = "runs", named_by: Sequence[str] = ("system", "model", "energy")
) -> Path:
    """``runs/SYSTEM-MODEL-ENERGY-seedK``; a PDB file is represented by its name without suffix."""
    system = config.system_label
    if system.lower().endswith((".pdb", ".ent", ".cif")):
        system = Path(system).stem
    labels = {"system": system, "model": config.model_label, "energy": str(config.energy["name"])}
    parts = [*(labels[key] for key in named_by), f"seed{config.seed}"]
    return Path(parent) / "-".join(re.sub(r"[^\w.+-]+", "_", part) for part in parts)


def recorded(run: Path, key: str) -> Any:
    """What ``config.yaml`` of a folder says about ``key``; None where there is nothing."""
    from tbg_core.config.load import read_mapping

    path = run / CONFIG
    return read_mapping(path).get(key) if path.is_file() else None
