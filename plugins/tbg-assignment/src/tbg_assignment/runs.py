"""The model, the system and the target of a run on discrete variables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tbg_assignment.config import LabelsConfig, LabelTableConfig, PottsConfig
from tbg_assignment.system import LabelSource, LabelSystem, PottsSystem
from tbg_assignment.target import LabelTable, LabelTarget, Potts
from tbg_core.config.load import make_config, read_mapping
from tbg_core.config.run_config import RunConfig
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import ConfigError, UnsupportedSystemError
from tbg_core.flows.proposal import FlowProposal
from tbg_core.pipeline.checkpoints import bind_checkpoint, load_proposal
from tbg_core.pipeline.components import build_system
from tbg_core.pipeline.folder import read_provenance
from tbg_core.pipeline.sample import SOURCE
from tbg_core.pipeline.train import CHECKPOINT
from tbg_core.storage.atomic import read_json
from tbg_core.storage.folders import check_run

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENERGIES: Final[dict[str, tuple[Any, Any]]] = {
    "potts": (Potts, PottsConfig),
    "label-table": (LabelTable, LabelTableConfig),
}


class Model(NamedTuple):
    """What a run sampled with.

    Attributes:
        flow: The trained flow.
        target: What it was weighed by.
    """

    flow: FlowProposal
    target: LabelTarget


def energy_of(system: LabelSystem) -> str:
    """Name of the energy that belongs to a system."""
    return "potts" if isinstance(system, PottsSystem) else "label-table"


def find_system(text: str) -> LabelSystem:
    """The system that a text means.

    Raises:
        UnsupportedSystemError: If it means none.
    """
    options = LabelSource.parse(text)
    if options is None:
        raise UnsupportedSystemError(f"{text!r} is no system of discrete variables.", fix="See `tbg labels list`.")
    return LabelSource(LabelsConfig.model_validate(options)).build()


def target_of(system: LabelSystem, temperature_K: float, energy: str, options: Mapping[str, Any]) -> LabelTarget:
    """The target of an energy by its options; entries that are none of the energy's are ignored."""
    backend, config = _ENERGIES[energy]
    known = {name: value for name, value in options.items() if name in config.model_fields}
    target: LabelTarget = backend(config(**known)).bind(system, ThermodynamicState(temperature_K))
    return target


def model_of(run: Path) -> Model:
    """The model of a run.

    Raises:
        ConfigError: If it is no run of a flow on discrete variables.
    """
    settings = check_run(run) / "config.yaml"
    known = {k: v for k, v in read_mapping(settings).items() if k in RunConfig.model_fields}
    record = run / SOURCE
    if not record.is_file():
        raise ConfigError(f"{run} has no samples.", fix="Give a folder of `tbg run` or `tbg sample`.")
    # A run that was moved takes its training along.
    checkpoint = next(iter(run.glob(f"*/{CHECKPOINT}")), Path(read_json(record)["checkpoint"]))
    config = bind_checkpoint(make_config(known, str(settings)), checkpoint)
    system = build_system(config)
    model = load_proposal(config, checkpoint, system, "cpu")
    if not isinstance(system, LabelSystem) or not isinstance(model, FlowProposal):
        raise ConfigError(
            f"{run} is no run of a flow on discrete variables.", fix="Make one: tbg run --system coupled-binary ..."
        )
    provenance = read_provenance(run)
    target = provenance["target"]
    return Model(model, target_of(system, target["temperature_K"], provenance["energy"], target))
