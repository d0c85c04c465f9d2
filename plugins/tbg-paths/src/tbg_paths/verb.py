"""``tbg paths`` from request to report; what Python calls as well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tbg_core.api.arguments import as_checkpoint
from tbg_core.config.request import make_request, recorded
from tbg_core.contracts.system import Euclidean
from tbg_core.errors import ConfigError
from tbg_core.pipeline.checkpoints import find_checkpoint
from tbg_core.pipeline.components import bind_target, build_system
from tbg_core.pipeline.folder import read_provenance
from tbg_paths.analysis import analyse
from tbg_paths.config import PathSettings
from tbg_paths.report import write_results
from tbg_paths.run import sample_paths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tbg_core.config.request import Components, Overrides, Source
    from tbg_core.contracts.system import System
    from tbg_core.pipeline.progress import Progress


def find_paths(
    *,
    components: Components,
    values: Mapping[str, Any],
    given: Mapping[str, Any],
    checkpoint: Path | None,
    config: Source,
    options: Overrides,
    out: Path | None,
    resume: bool,
    progress: Progress,
) -> tuple[Path, dict[str, Any]]:
    """Samples paths and writes the report; returns the folder and the metrics.

    Args:
        components: System, model, energy, integrator, likelihood as chosen, None where not.
        values: ``temperature_K`` and ``seed``.
        given: Fields of :class:`~tbg_paths.config.PathSettings`; of a job that is resumed only those that change.
        checkpoint: A trained model; the one that ships for the system if None.
        config: The lowest layer of the configuration.
        options: Settings over it.
        out: Folder of the job.
        resume: Complete what was begun there.
        progress: Where to report to.

    Raises:
        TbgError: If anything given cannot be used.
    """
    stored = recorded(out, "paths") if resume and out is not None else None
    begun_with = recorded(out, "checkpoint") if resume and out is not None else None
    chosen = as_checkpoint(checkpoint or begun_with)
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components=components,
        values=values,
        out=out,
        resume=resume,
        needs=("system", "model", "energy"),
        checkpoint=chosen,
    )
    system = build_system(resolved)
    settings = make_settings(system, {**(stored or {}), **given})
    sample_paths(
        resolved, settings, chosen or find_checkpoint(resolved, system), folder, resume=resume, progress=progress
    )
    with bind_target(resolved, system) as target:
        about = {
            "system": system.name,
            "model": resolved.model_label,
            "energy": resolved.energy["name"],
            "temperature_K": target.state.temperature_K,
        }
        analysis = analyse(folder, settings, target)
        metrics = write_results(folder, analysis, about, resolved.seed, str(read_provenance(folder).get("created", "")))
    return folder, metrics


def make_settings(system: System, given: Mapping[str, Any]) -> PathSettings:
    """Settings with the defaults that belong to the class of the system.

    Raises:
        ConfigError: If one cannot be used.
    """
    if not given.get("start") or not given.get("end"):
        raise ConfigError("paths need two states.", fix="Give --from and --to, see `tbg paths --help`.")
    if isinstance(system.space, Euclidean):
        plane = ("x:0", "x:1" if system.space.dim > 1 else "x:0")
        defaults = {"dynamics": "overdamped", "frames": 100, "timestep": 0.005, "friction": 1.0, "cvs": plane}
    else:
        # Long enough for what happens by itself; latent moves map every frame and are for those who ask.
        defaults = {"dynamics": "langevin", "frames": 1000, "timestep": 0.001, "friction": 2.0, "cvs": ("phi", "psi")}
        defaults |= {"moves": ("shooting",), "committor_points": 16}
    values = {**defaults, **given}
    if isinstance(values["cvs"], str):
        values["cvs"] = _two(values["cvs"])
    try:
        return PathSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{where or 'paths'}: {first['msg'].removeprefix('Value error, ')}.", fix="See --help."
        ) from None


def _two(text: str) -> tuple[str, str]:
    """Two observables separated by a comma; ``;`` separates those that contain commas themselves."""
    parts = [part.strip() for part in text.split(";" if ";" in text else ",")]
    if len(parts) == 1:
        parts *= 2
    if len(parts) != 2:
        raise ConfigError(f"--cv {text!r} is not two observables.", fix="Write --cv phi,psi.")
    return parts[0], parts[1]


def outcome(folder: Path, metrics: Mapping[str, Any], *, as_json: bool) -> list[str]:
    """What the command prints at its end."""
    if as_json:
        return [json.dumps(metrics, indent=2)]
    lines = [f"{'moves':24}{'accepted':>10}{'effective paths':>18}{'per 1000 energies':>24}{'CPU s':>9}"]
    for name, m in metrics["moves"].items():
        rate = f"{m['effective_paths_per_1000_energies']:.2g}"
        rate = f"{rate} +- {m['effective_paths_per_1000_energies_err']:.1g}" if m["mixed"] else f"at most {rate}"
        worth = f"{m['effective_paths']:.3g}" if m["mixed"] else "not mixed"
        lines.append(f"{name:24}{100 * m['acceptance']:>8.3g} %{worth:>18}{rate:>24}{m['cpu_seconds']:>9.3g}")
    return [*lines, f"report  {folder / 'report.html'}"]
