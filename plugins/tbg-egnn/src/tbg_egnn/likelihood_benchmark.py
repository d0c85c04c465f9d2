"""The flows that ``tbg bench likelihood`` measures: trained ones where there are any, or fresh ones of a size."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import torch

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.errors import ConfigError
from tbg_core.flows.cost import Plan, measure
from tbg_core.flows.proposal import FlowProposal
from tbg_core.molecule import Molecule
from tbg_core.pipeline.checkpoints import load_proposal, shipped_checkpoints
from tbg_core.pipeline.components import adapt_model, build_proposal, build_system
from tbg_core.registry import get_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tbg_core.contracts.system import System

MOLECULES: Final = ("ACE-ALA-NME", "FA", "WW")
"""Of 22, 33 and 51 atoms."""
TIGHT: Final = {"name": "dopri5", "rtol": 1e-8, "atol": 1e-8}
_OUTPUTS: Final = MappingProxyType({"coordinate_out.weight": 0.8, "speak.vectors.weight": 0.1})
"""Weights of the fields of this package that scale the velocity, and a scale at which paths are not trivial."""


@dataclass(frozen=True)
class Model:
    """Which flows to measure.

    Attributes:
        checkpoint: A trained flow for all molecules, or None.
        field: The vector field of other flows.
        layers: Layers of flows with fresh weights; None, like a width of None, takes the model that ships with a
            molecule where there is one, and else the default size of the field.
        width: Their width.
        seed: Of fresh weights.
    """

    checkpoint: Path | None = None
    field: str = "egnn"
    layers: int | None = None
    width: int | None = None
    seed: int = 0


def measure_all(molecules: tuple[str, ...], model: Model, plan: Plan, advance: Callable[[str], None]) -> dict[str, Any]:
    """Measures the flows of several molecules; the result is plain data, for JSON.

    Args:
        molecules: Sequences or residue codes.
        model: Which flows.
        plan: How to measure.
        advance: Told of each of the ``steps(plan)`` steps that a molecule takes.

    Raises:
        ConfigError: If a checkpoint is no continuous flow, or a system without one is no molecule.
        CheckpointError: If it is for other molecules.
        UnsupportedSystemError: If a molecule is not understood.
    """
    tight = get_registry().build("integrator", TIGHT)
    # All of them first: a mistake in the last name shows before the first is measured.
    flows = [(name, *build_flow(name, model)) for name in molecules]
    results = []
    for name, proposal, system, weights in flows:

        def tell(step: str, name: str = name) -> None:
            advance(f"{name}: {step}")

        found = measure(proposal, system, tight, plan, tell)
        atoms = system.space.event_shape[0]
        results.append({"molecule": name, "atoms": atoms, "weights": weights, **found})
    return {"plan": asdict(plan), "torch": torch.__version__, "molecules": results}


def build_flow(molecule: str, model: Model) -> tuple[FlowProposal, System, str]:
    """The flow of a molecule, the molecule, and what the weights are."""
    size = {key: value for key, value in (("layers", model.layers), ("width", model.width)) if value is not None}
    config = resolve(make_config({"system": molecule, "model": {"name": model.field, **size}}), ("system", "model"))
    system = build_system(config)
    folder = model.checkpoint
    if folder is None and not size:
        folder = next((c.folder for c in shipped_checkpoints(config) if system.key in c.molecules), None)
    if folder is not None:
        proposal = load_proposal(config, folder, system, "cpu")
        if not isinstance(proposal, FlowProposal):
            raise ConfigError(f"the checkpoint {folder} is no continuous flow.", fix="Give one of a flow.")
        return proposal, system, f"trained ({folder.name})"
    if not isinstance(system, Molecule):
        raise ConfigError(
            f"{system.name} is no molecule, and a fresh flow is measured at the size of one.",
            fix="Give --molecules such as ACE-ALA-NME,FA, or a trained flow: --checkpoint DIR.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.seed)  # noqa: TID251 - torch initialises weights from its global generator
        proposal = build_proposal(adapt_model(config, [system]), config)
        if not isinstance(proposal, FlowProposal):
            raise ConfigError(f"{model.field} is no vector field.", fix="Give one, e.g. --model egnn.")
        # The published initialisation makes velocities almost zero, and every error trivial. These give paths of about
        # as many stages as a trained network's.
        for name, weight in proposal.named_parameters():
            for output, scale in _OUTPUTS.items():
                if name.endswith(output):
                    torch.nn.init.normal_(weight, std=scale / math.sqrt(weight.shape[1]))
    proposal.prepare_training(torch.as_tensor(system.reference).unsqueeze(0))
    parameters = sum(p.numel() for p in proposal.field.parameters())
    return proposal.eval(), system, f"fresh {model.field}, not trained ({parameters:,} parameters, seed {model.seed})"
