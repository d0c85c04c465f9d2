"""The flows that ``tbg bench likelihood`` measures: trained ones where there are any, or fresh ones of a size."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.errors import ConfigError
from tbg_core.flows.cost import Plan, measure
from tbg_core.flows.proposal import FlowProposal
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
_LAYERS: Final = 5
_WIDTH: Final = 64


@dataclass(frozen=True)
class Model:
    """Which flows to measure.

    Attributes:
        checkpoint: A trained flow for all molecules, or None.
        layers: Layers of flows with fresh weights; None, like a width of None, takes the model that ships with a
            molecule where there is one, and else 5 layers of width 64.
        width: Their width.
        seed: Of fresh weights.
    """

    checkpoint: Path | None = None
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
        ConfigError: If a checkpoint is no continuous flow.
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
    options = {"layers": model.layers or _LAYERS, "width": model.width or _WIDTH}
    config = resolve(make_config({"system": molecule, "model": {"name": "egnn", **options}}), ("system", "model"))
    system = build_system(config)
    folder = model.checkpoint
    if folder is None and model.layers is None and model.width is None:
        folder = next((c.folder for c in shipped_checkpoints(config) if system.key in c.molecules), None)
    if folder is not None:
        proposal = load_proposal(config, folder, system, "cpu")
        if not isinstance(proposal, FlowProposal):
            raise ConfigError(f"the checkpoint {folder} is no continuous flow.", fix="Give one of a flow.")
        return proposal, system, f"trained ({folder.name})"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model.seed)  # noqa: TID251 - torch initialises weights from its global generator
        proposal = build_proposal(adapt_model(config, [system]), config)
        assert isinstance(proposal, FlowProposal)  # noqa: S101 - egnn is a field of a flow
        # The published initialisation makes velocities almost zero, and every error trivial. These give paths of about
        # as many stages as a trained network's.
        for name, weight in proposal.named_parameters():
            if name.endswith("coordinate_out.weight"):
                torch.nn.init.normal_(weight, std=0.8 / math.sqrt(options["width"]))
    proposal.prepare_training(torch.as_tensor(system.reference).unsqueeze(0))  # type: ignore[attr-defined]
    size = f"EGNN {options['layers']} x {options['width']}"
    return proposal.eval(), system, f"fresh, not trained ({size}, seed {model.seed})"
