"""What a component of each kind must do: one file per kind, each with its documented base class.

``KINDS`` maps the name of a kind, as plugins and configs use it, to the base class that its components
inherit, as ``"module:Class"`` so that listing the kinds imports no torch.
"""

from __future__ import annotations

from typing import Final

KINDS: Final[dict[str, str]] = {
    "system": "tbg_core.contracts.system:SystemSource",
    "prior": "tbg_core.contracts.prior:Prior",
    "field": "tbg_core.contracts.field:VectorField",
    "integrator": "tbg_core.contracts.integrator:Integrator",
    "sde": "tbg_core.contracts.sde:SdeIntegrator",
    "likelihood": "tbg_core.contracts.likelihood:LikelihoodRule",
    "energy": "tbg_core.contracts.energy:EnergyBackend",
    "dynamics": "tbg_core.contracts.dynamics:Dynamics",
    "dataset": "tbg_core.contracts.dataset:Dataset",
    "proposal": "tbg_core.contracts.proposal:Proposal",
    "objective": "tbg_core.contracts.objective:Objective",
    "sampler": "tbg_core.contracts.sampler:Sampler",
    "executor": "tbg_core.contracts.executor:Executor",
    "observable": "tbg_core.contracts.observable:ObservableSource",
}
