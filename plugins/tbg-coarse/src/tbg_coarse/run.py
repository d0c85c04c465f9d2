"""``tbg explore`` from its arguments to its files: folder, rounds, metrics, report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ValidationError

from tbg_coarse.comparison import (
    Reference,
    Trace,
    first_below,
    load_reference,
    trace_of_dynamics,
    trace_of_rounds,
)
from tbg_coarse.coordinates import split_coordinates
from tbg_coarse.explore import Plan, explore, why_stopped
from tbg_coarse.settings import ExploreSettings
from tbg_core.config.load import parse_yaml
from tbg_core.config.validation import one_line
from tbg_core.ensemble.metrics import finite
from tbg_core.errors import ConfigError
from tbg_core.loading import load_system, load_target
from tbg_core.molecule import Molecule
from tbg_core.pipeline.folder import open_folder, write_provenance
from tbg_core.registry import get_registry
from tbg_core.storage.atomic import write_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tbg_coarse.rounds import State
    from tbg_core.contracts.system import System
    from tbg_core.pipeline.progress import Progress

METRICS: Final = "metrics.json"
LEVELS: Final = (0.2, 0.1, 0.05, 0.03, 0.02, 0.01)
"""Divergences at which the cost of two methods is compared."""
_AXES: Final = {"x": "x:0", "y": "x:1", "z": "x:2"}


@dataclass(frozen=True)
class Compared:
    """What a reference says of the rounds.

    Attributes:
        reference: The reference distribution of s.
        rounds: Divergence after each round.
        dynamics: The same of plain dynamics, if there is one.
    """

    reference: Reference
    rounds: Trace
    dynamics: Trace | None

    def ratios(self) -> list[dict[str, float]]:
        """Energies of both methods at each level that the rounds reach, for each walker of the dynamics."""
        found = []
        for level in LEVELS:
            own = first_below(self.rounds, level)
            if not np.isfinite(own) or self.dynamics is None:
                continue
            runs = [Trace(self.dynamics.energies, column) for column in self.dynamics.divergence.T]
            each = np.array([first_below(run, level) for run in runs])
            reached = np.isfinite(each)
            # A walker that does not get there in its time counts with all of it: ratios are then lower bounds.
            ratio = np.where(reached, each, self.dynamics.energies[-1]) / own
            found.append(
                {
                    "forward_kl": level,
                    "energies": own,
                    "walkers": float(len(runs)),
                    "walkers_that_reach": float(reached.sum()),
                    "ratio_mean": float(ratio.mean()),
                    "ratio_least": float(ratio.min()),
                    "ratio_greatest": float(ratio.max()),
                }
            )
        return found


def make_plan(
    system: str,
    cvs: str,
    energy: str | None,
    temperature_K: float | None,
    budget: int,
    seed: int,
    options: Sequence[str],
) -> Plan:
    """The plan that the arguments of the command make.

    Raises:
        ConfigError: If something cannot be used as given.
    """
    loaded = load_system(system)
    vectors = not isinstance(loaded, Molecule)
    names = tuple((_AXES.get(name.strip(), name.strip()) if vectors else name.strip()) for name in cvs.split(","))
    split_coordinates(loaded, names)  # refuses what cannot be a coarse coordinate before a folder is made
    settings, model = _options(options)
    return Plan(loaded, names, energy or _energy_of(loaded), temperature_K, budget, seed, settings, model)


def run_exploration(
    plan: Plan, out: Path, *, resume: bool, reference: Path | None, md: Path | None, progress: Progress
) -> dict[str, Any]:
    """Explores, compares and writes ``metrics.json`` and ``report.html``; returns the metrics.

    Raises:
        ConfigError: If a plain simulation is given without a reference.
    """
    from tbg_coarse.page import write_page

    if md is not None and reference is None:
        raise ConfigError("--md needs --reference, which says what the right answer is.", fix="Give both.")
    with load_target(plan.system, plan.energy, plan.temperature_K) as target:
        described, kelvin = target.describe(), target.state.temperature_K
    coordinates = split_coordinates(plan.system, plan.cvs)
    # What cannot be read is said before hours are spent.
    known = None if reference is None else load_reference(reference, plan.system, coordinates)
    dynamics = trace_of_dynamics(md, plan.system, coordinates, known) if md is not None and known else None
    content = {
        "explore": {
            "system": plan.system.name,
            "cvs": list(plan.cvs),
            "energy": plan.energy,
            "temperature_K": kelvin,
            "seed": plan.seed,
            "energy_budget": plan.budget,
            "settings": plan.settings.model_dump(mode="json"),
            "model": plan.model,
        }
    }
    open_folder(out, content, resume=resume, growing={"explore.energy_budget": 1})
    write_provenance(out, energy=plan.energy, target=described)
    rounds = explore(plan, out, progress)
    compared = None
    if known is not None:
        own = trace_of_rounds(rounds, known, periodic=coordinates.periodic)
        compared = Compared(known, own, dynamics)
    metrics: dict[str, Any] = finite(_metrics(plan, kelvin, rounds, compared))
    write_json(out / METRICS, metrics)
    write_page(out, plan, coordinates, rounds, compared, metrics)
    return metrics


def _metrics(plan: Plan, kelvin: float, rounds: Sequence[State], compared: Compared | None) -> dict[str, Any]:
    last, spent = rounds[-1], [int(n) for n in rounds[-1].evaluations]
    found: dict[str, Any] = {
        "system": plan.system.name,
        "cvs": list(plan.cvs),
        "energy": plan.energy,
        "temperature_K": kelvin,
        "seed": plan.seed,
        "energy_evaluations": {"example": spent[0], "training": spent[1], "labels": spent[2], "total": last.spent},
        "stopped": why_stopped(list(rounds), plan),
        "converged": not len(last.points),
        "labels": len(last.labels),
        "draws_per_label": plan.settings.draws,
        "label_ess_median": float(np.median(last.labels.ess)),
        "label_error_median": float(np.median(last.labels.error)),
        "left_out": int(last.left_out[0]),
        "clipping_shift_median": float(np.median(last.labels.clipped - last.labels.free_energy)),
        "deviation_by_population": _mean_deviation(last),
        "rounds": [_round(n, state) for n, state in enumerate(rounds[1:], 1)],
    }
    if compared is not None:
        found |= {
            "forward_kl": float(compared.rounds.divergence[-1]),
            "reference_floor": compared.reference.floor,
            "reference_frames": compared.reference.frames,
            "trace": [
                {"energies": int(e), "forward_kl": float(d)}
                for e, d in zip(compared.rounds.energies, compared.rounds.divergence, strict=True)
            ],
            "against_dynamics": compared.ratios(),
        }
        if compared.dynamics is not None:
            found["dynamics_trace"] = [
                {"energies": int(e), "forward_kl": [float(v) for v in row]}
                for e, row in zip(compared.dynamics.energies, compared.dynamics.divergence, strict=True)
            ]
    return found


def _round(number: int, state: State) -> dict[str, Any]:
    return {
        "round": number,
        "energies": state.spent,
        "labels": len(state.labels),
        "walkers_lost": int(state.uncertain[0]),
        "walkers": int(state.uncertain[1]),
        "deviation_by_population": _mean_deviation(state),
        "loss": float(state.loss[0]),
    }


def _mean_deviation(state: State) -> float:
    """Root of the mean square of the standard deviation of F, weighted by population (kT)."""
    w = np.exp(-(state.free_energy - state.free_energy.min()))
    return float(np.sqrt(w @ state.deviation**2 / w.sum()))


def _options(items: Sequence[str]) -> tuple[ExploreSettings, dict[str, Any]]:
    own: dict[str, Any] = {}
    model: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"setting {item!r} is not KEY=VALUE.", fix="Write e.g. -s threshold=0.3.")
        value = parse_yaml(text, f"setting {item!r}")
        name = key.strip()
        if name.startswith("model."):
            model[name.removeprefix("model.")] = value
        else:
            own[name] = value
    get_registry().validated("proposal", "coarse", model)
    try:
        return ExploreSettings.model_validate(own), model
    except ValidationError as error:
        raise one_line(error, ExploreSettings, "setting") from None


def _energy_of(system: System) -> str:
    """The energy of a molecule by default, or that which bears the name of a toy.

    Raises:
        ConfigError: If there is none.
    """
    if isinstance(system, Molecule):
        return "openmm"
    name = system.name.partition(":")[0]
    known = [spec.name for spec in get_registry().specs("energy")]
    if name in known:
        return name
    raise ConfigError(f"which energy {system.name} has is not known.", fix=f"Name it: --energy {' or '.join(known)}.")
