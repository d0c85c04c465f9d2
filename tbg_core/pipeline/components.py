"""The components of a run, built from its resolved configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tbg_core.config.resolve import proposal_reference
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import ConfigError
from tbg_core.registry import get_registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.config.run_config import RunConfig
    from tbg_core.contracts.dynamics import Dynamics
    from tbg_core.contracts.energy import EnergyBackend, Target
    from tbg_core.contracts.executor import Executor
    from tbg_core.contracts.objective import Objective
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.sampler import Sampler
    from tbg_core.contracts.system import System

SAMPLING_SLOTS = ("integrator", "likelihood")
"""Slots of a proposal that may be chosen anew for every sampling; the others are part of what was trained."""


def build_system(config: RunConfig) -> System:
    """The system, with its topology."""
    registry = get_registry()
    system: System = registry.build("system", registry.resolve_system(config.system)).build()
    return system


def bind_target(config: RunConfig, system: System) -> Target:
    """The target density of ``system`` at the run's temperature."""
    backend: EnergyBackend = get_registry().build("energy", config.energy)
    return backend.bind(system, target_state(config, system))


def describe_target(config: RunConfig, system: System) -> dict[str, Any]:
    """What the target says of itself; binding it shows that the energy supports the system."""
    with bind_target(config, system) as target:
        return target.describe()


def target_state(config: RunConfig, system: System) -> ThermodynamicState:
    """The state that was asked for, or else the default of the energy for this system."""
    if config.temperature_K is not None:
        return ThermodynamicState(config.temperature_K)
    backend: EnergyBackend = get_registry().build("energy", config.energy)
    return ThermodynamicState(backend.default_temperature_K(system))


def build_dynamics(config: RunConfig) -> Dynamics:
    """The simulation engine.

    Raises:
        ConfigError: If the run has none.
    """
    if config.dynamics is None:
        raise ConfigError("this run has no dynamics.", fix="Name one: -s dynamics=engine.")
    dynamics: Dynamics = get_registry().build("dynamics", config.dynamics)
    return dynamics


def build_executor(config: RunConfig) -> Executor:
    """Where units of work are computed."""
    executor: Executor = get_registry().build("executor", config.executor)
    return executor


def build_sampler(config: RunConfig) -> Sampler:
    """The sampler."""
    sampler: Sampler = get_registry().build("sampler", config.sampler)
    return sampler


def build_objective(config: RunConfig) -> Objective:
    """The training objective.

    Raises:
        ConfigError: If the run has none.
    """
    if config.objective is None:
        raise ConfigError("this run has no objective.", fix="Name one: -s objective=flow-matching.")
    objective: Objective = get_registry().build("objective", config.objective)
    return objective


def adapt_model(config: RunConfig, systems: Sequence[System]) -> dict[str, Any]:
    """The proposal's reference with every option that follows from the training systems written out.

    This is what a checkpoint stores: sampling slots are left out, they are chosen when it is used.
    """
    registry = get_registry()
    reference = registry.complete("proposal", proposal_reference(config))
    slots = registry.spec("proposal", reference["name"]).slots
    own = {key: value for key, value in reference.items() if key not in slots}
    reference |= _adapted("proposal", own, systems)
    for slot, kind in slots.items():
        if reference.get(slot) is not None:
            reference[slot] = _adapted(kind, reference[slot], systems)
    return {key: value for key, value in reference.items() if key not in SAMPLING_SLOTS}


def _adapted(kind: str, reference: dict[str, Any], systems: Sequence[System]) -> dict[str, Any]:
    """A component's reference after its own ``adapt``, if it has one."""
    registry, name = get_registry(), reference["name"]
    component = registry.load(registry.spec(kind, name).target, f"{kind} {name!r}")
    if not hasattr(component, "adapt"):
        return reference
    options = {key: value for key, value in reference.items() if key != "name"}
    adapted = component.adapt(registry.validated(kind, name, options), systems)
    return {"name": name, **adapted.model_dump(mode="json")}


def build_proposal(model: dict[str, Any], config: RunConfig) -> Proposal:
    """The proposal that ``model`` (of :func:`adapt_model` or of a checkpoint) describes, weights untrained."""
    registry = get_registry()
    slots = registry.spec("proposal", model["name"]).slots
    chosen = {slot: getattr(config, slot) for slot in SAMPLING_SLOTS if slot in slots}
    proposal: Proposal = registry.build("proposal", model, **{k: v for k, v in chosen.items() if v is not None})
    return proposal
