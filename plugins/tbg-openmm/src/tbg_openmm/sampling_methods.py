"""Ways to sample a peptide that ``tbg bench sampling`` compares: each yields samples for as long as it is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import openmm
import torch

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.errors import TbgError
from tbg_core.pipeline.checkpoints import bind_checkpoint, find_checkpoint, load_proposal, models_that_serve
from tbg_core.pipeline.components import build_sampler, build_system
from tbg_core.randomness import SampleKeys, generator
from tbg_openmm import quantities
from tbg_openmm.config import EngineDynamicsConfig
from tbg_openmm.engine_dynamics import EngineDynamics
from tbg_openmm.minimising import minimised
from tbg_openmm.platforms import choose_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tbg_openmm.target import OpenMMTarget

    Method = Callable[[OpenMMTarget, int], Iterator["Part"]]
    """Samples a target with a seed, in parts, without end."""

LADDER_K: Final = (310.0, 380.0, 465.0, 570.0, 700.0)
WALKERS: Final = 16
PLAIN: Final = {"temperatures_K": [], "friction_per_ps": 1.0}
"""Changes of :func:`tempering` that make plain dynamics."""
SAMPLERS: Final = ("importance", "smc", "independence-metropolis")
_BLOCK: Final = 256
_STEP_PS: Final = 0.002
_FRAME_STEPS: Final = 500
_LARGEST_SEED: Final = 2**31 - 1


class Part(NamedTuple):
    """What one unit of work gave.

    Attributes:
        x: Conformations [n, N, 3], nm.
        u: Reduced energies [n]; nan where they are not those of the target.
        log_w: Log-weights [n].
        evaluations: Energies evaluated for it.
    """

    x: np.ndarray
    u: np.ndarray
    log_w: np.ndarray
    evaluations: int


def methods(system: str, names: tuple[str, ...] = ()) -> dict[str, Method]:
    """The methods by name: three of molecular dynamics, and every shipped generator that covers the system.

    Args:
        system: The peptide.
        names: Those wanted; all by default.

    Raises:
        TbgError: If a name is none of them.
    """
    found: dict[str, Method] = {
        "openmm-md": constrained_dynamics,
        "engine-md": lambda target, seed: engine_dynamics(target, seed, PLAIN),
        "engine-tempering": lambda target, seed: engine_dynamics(target, seed, {}),
    }
    config = resolve(make_config({"system": system, "energy": "openmm"}), needs=("system", "energy"))
    for model in models_that_serve(config, build_system(config)):
        for sampler in SAMPLERS:
            found[f"{model}/{sampler}"] = _generator(system, model, sampler)
    unknown = [name for name in names if name not in found]
    if unknown:
        raise TbgError(f"there is no method {unknown[0]!r} for {system}.", fix=f"Choose among {', '.join(found)}.")
    return {name: found[name] for name in names or found}


def tempering(kelvin: float) -> dict[str, Any]:
    """Options of the engine's replica exchange, from ``kelvin`` up: 2 fs with hydrogens of 3 amu."""
    return {
        "temperatures_K": [t * kelvin / LADDER_K[0] for t in LADDER_K],
        "timestep_fs": 1000 * _STEP_PS,
        "hydrogen_mass_amu": 3.0,
        "friction_per_ps": 3.0,
        "exchange_interval_ps": 0.1,
        "heating_ps": 1.0,
        "walkers_together": WALKERS,
    }


def engine_dynamics(target: OpenMMTarget, seed: int, changes: dict[str, Any]) -> Iterator[Part]:
    """Langevin dynamics on the engine with the options of :func:`tempering`, some of them changed.

    Sixteen walkers start from conformations scrambled at 800 K; getting there is part of the work.
    """
    times = {"frame_interval_ps": _FRAME_STEPS * _STEP_PS, "scramble_ps": 5.0, "equilibration_ps": 5.0}
    config = EngineDynamicsConfig.model_validate(tempering(target.state.temperature_K) | times | changes)
    simulation, walkers = EngineDynamics(config).bind(target), range(WALKERS)
    rungs = max(1, len(config.temperatures_K or ()))
    state = simulation.start(seed, walkers)
    started = config.heating_ps + config.scramble_ps + config.equilibration_ps
    extra, block = round(started / _STEP_PS) * WALKERS * rungs, 0
    while True:
        made = simulation.advance(state, 2, seed, walkers, block)
        x, u = made.positions, made.reduced_energy
        state, block = made.state, block + 1
        work = extra + 2 * _FRAME_STEPS * WALKERS * rungs
        yield Part(x.reshape(-1, *x.shape[2:]), u.reshape(-1), np.zeros(u.size), work)
        extra = 0


def constrained_dynamics(target: OpenMMTarget, seed: int) -> Iterator[Part]:
    """One trajectory by OpenMM on its fastest platform, as usual: 2 fs, bonds to hydrogen constrained, 1/ps.

    Constraints change the distribution of energies, so that u is nan.
    """
    system = _constrained(target)
    random = generator(seed, target.molecule.key, "bench/openmm")
    context = _fastest(system, target)
    context.setPositions(minimised(target))
    context.applyConstraints(1e-6)
    kelvin = target.state.temperature_K
    context.getIntegrator().setRandomNumberSeed(int(random.integers(1, _LARGEST_SEED)))
    context.setVelocitiesToTemperature(kelvin, int(random.integers(1, _LARGEST_SEED)))
    # As for the engine: the same time to forget the minimum, without a hot start.
    extra = round(5.0 / _STEP_PS)
    context.getIntegrator().step(extra)
    while True:
        frames = []
        for _ in range(4):
            context.getIntegrator().step(_FRAME_STEPS)
            frames.append(quantities.positions(context.getState(getPositions=True)))
        yield Part(np.array(frames), np.full(4, np.nan), np.zeros(4), extra + 4 * _FRAME_STEPS)
        extra = 0


def _constrained(target: OpenMMTarget) -> openmm.System:
    """The System with bonds to hydrogen at their equilibrium lengths."""
    system = openmm.XmlSerializer.clone(target.openmm_system)
    elements = target.molecule.elements
    (bonds,) = (force for force in system.getForces() if isinstance(force, openmm.HarmonicBondForce))
    for k in range(bonds.getNumBonds()):
        i, j, length, _ = bonds.getBondParameters(k)
        if "H" in {elements[i], elements[j]}:
            system.addConstraint(i, j, length)
            bonds.setBondParameters(k, i, j, length, 0.0)
    return system


def _fastest(system: openmm.System, target: OpenMMTarget) -> openmm.Context:
    """A context on the platform that takes least time for a hundred steps on one thread."""
    contexts = []
    start = minimised(target)
    for k in range(openmm.Platform.getNumPlatforms()):
        integrator = openmm.LangevinMiddleIntegrator(target.state.temperature_K, 1.0, _STEP_PS)
        try:
            choice = choose_platform(system, openmm.Platform.getPlatform(k).getName(), "single")
            context = choice.context(system, integrator)
        except (TbgError, openmm.OpenMMException):  # a platform that does not work here is none
            continue
        context.setPositions(start)
        context.applyConstraints(1e-6)
        integrator.step(10)
        began = time.process_time()
        integrator.step(100)
        contexts.append((time.process_time() - began, k, context))
    return min(contexts, key=lambda entry: entry[:2])[2]


def _config(system: str, model: str, sampler: str) -> Any:
    raw = {"system": system, "model": model, "energy": "openmm", "sampler": sampler}
    return resolve(make_config(raw), needs=("system", "model", "energy", "sampler"))


def _generator(system: str, model: str, sampler: str) -> Method:
    """A shipped generator with a sampler; its pilot is part of the work, loading it is not."""
    config = _config(system, model, sampler)
    checkpoint = find_checkpoint(config, build_system(config))
    config = bind_checkpoint(config, checkpoint)
    loaded: list[Any] = []

    def run(target: OpenMMTarget, seed: int) -> Iterator[Part]:
        if not loaded:
            loaded.append(load_proposal(config, checkpoint, target.system, "cpu"))
        (proposal,), chosen = loaded, build_sampler(config)
        stream, before, start = f"{target.system.key}/bench/{sampler}", target.evaluations, 0
        if settings := chosen.prepare(proposal, target, seed, stream):
            chosen.restore(settings)
        while True:
            with torch.no_grad():
                block = chosen.sample_block(proposal, target, SampleKeys.range(seed, stream, start, start + _BLOCK))
            start += _BLOCK
            evaluations, before = target.evaluations - before, target.evaluations
            good = block.valid
            yield Part(block.positions[good], block.reduced_energy[good], block.log_weights[good], evaluations)

    return run
