"""Which evaluator a System gets, and why."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal

import torch

from tbg_core.errors import EnergyError
from tbg_openmm.engine.engine import Engine
from tbg_openmm.engine.parameters import Unreadable
from tbg_openmm.engine.reading import compile_system

if TYPE_CHECKING:
    import openmm

    from tbg_openmm.engine.engine import Backend

EvaluatorName = Literal["auto", "native", "torch", "openmm"]
_DTYPES: Final = {"single": torch.float32, "mixed": torch.float64, "double": torch.float64}
# Pairs of so many atoms take about 0.2 GB; beyond, cutoffs and neighbour lists win.
_LARGEST: Final = 1000
_log = logging.getLogger(__name__)


def choose_engine(
    system: openmm.System, name: str, evaluator: EvaluatorName, precision: str, threads: int
) -> tuple[Engine | None, str]:
    """The engine that evaluates a System, or None where OpenMM does, and why it is not the native one.

    Args:
        system: What to evaluate.
        name: What it is called in messages.
        evaluator: ``"auto"`` takes the native engine, else torch, else OpenMM, and logs why.
        precision: ``"single"``, ``"mixed"`` or ``"double"``; mixed is double here.
        threads: Threads of the native engine.

    Raises:
        EnergyError: If the engine is asked for and cannot read the System, or does not work here.
    """
    if evaluator == "openmm":
        return None, ""
    if evaluator == "auto" and system.getNumParticles() > _LARGEST:
        reason = f"it has more than {_LARGEST} atoms, and the engine keeps every pair"
        _log.info("%s is evaluated by OpenMM, not by the energy engine: %s.", name, reason)
        return None, reason
    try:
        parameters = compile_system(system)
    except Unreadable as reason:
        if evaluator != "auto":
            raise EnergyError(
                f"The energy engine cannot read the force field of {name} exactly: {reason}.",
                fix="Use energy.evaluator: openmm, or auto.",
            ) from None
        _log.info("%s is evaluated by OpenMM, not by the energy engine: %s.", name, reason)
        return None, str(reason)
    backend: Backend = evaluator
    engine = Engine(parameters, _DTYPES[precision], backend=backend, threads=threads)
    if engine.reason:
        _log.info("%s is evaluated in torch, not by the native kernel: %s.", name, engine.reason)
    return engine, engine.reason
