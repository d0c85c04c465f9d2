"""A molecule in a force field at a temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
import torch

from tbg_core.contracts.energy import Target, ThermodynamicState
from tbg_core.pipeline.evaluation import WorkerEvaluator
from tbg_openmm.evaluation import LocalEvaluator, from_xml
from tbg_openmm.topology import to_topology

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.molecule import Molecule
    from tbg_core.pipeline.evaluation import Evaluator
    from tbg_openmm.engine import Engine
    from tbg_openmm.platforms import PlatformChoice


class OpenMMTarget(Target):
    """exp(-U/kT) of one molecule, U from an OpenMM System.

    Attributes:
        molecule: The molecule.
        openmm_system: Its System, free of constraints, virtual sites, barostats and boxes. Do not change it.
        openmm_topology: Its Topology.
        platform: The OpenMM platform of contexts.
        engine: The batched engine that evaluates it, or None where contexts do.
        friction_per_ps: Friction that its preset was published with, or None.
    """

    def __init__(
        self,
        molecule: Molecule,
        state: ThermodynamicState,
        openmm_system: openmm.System,
        platform: PlatformChoice,
        *,
        engine: Engine | None = None,
        workers: int = 0,
        description: dict[str, Any] | None = None,
        friction_per_ps: float | None = None,
    ) -> None:
        super().__init__(molecule, state)
        self.molecule = molecule
        self.openmm_system = openmm_system
        self.openmm_topology = to_topology(molecule)
        self.platform = platform
        self.engine = engine
        self.friction_per_ps = friction_per_ps
        self._description = description or {}
        self._evaluator: Evaluator = (
            WorkerEvaluator(from_xml, (openmm.XmlSerializer.serialize(openmm_system), platform), workers, "OpenMM")
            if workers and engine is None
            else LocalEvaluator(openmm_system, platform)
        )

    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        if self.engine is not None:
            return self._by_engine(self.engine.on(x.device), x, gradient=gradient)
        positions = np.ascontiguousarray(x.to("cpu", torch.float64).numpy())
        energies, forces = self._evaluator.evaluate(positions, forces=gradient)
        u = torch.from_numpy(energies / self.state.kT).to(x.device)
        return u, torch.from_numpy(-forces / self.state.kT).to(x.device) if gradient else None

    def _by_engine(self, engine: Engine, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        if not gradient:
            return (engine.energy(x) / self.state.kT).to(x.device), None
        energies, forces = engine.energy_and_forces(x)
        # As of contexts: where there is no energy, nothing is pushed.
        slope = (forces.to(torch.float64) / -self.state.kT).nan_to_num(nan=0.0)
        return (energies / self.state.kT).to(x.device), slope.to(x.device)

    def describe(self) -> dict[str, Any]:
        """Force field, method, platform and version."""
        return {
            **super().describe(),
            **self._description,
            **self._how(),
            "openmm_version": openmm.Platform.getOpenMMVersion(),
        }

    def _how(self) -> dict[str, Any]:
        if self.engine is None:
            return {"platform": self.platform.name, "platform_properties": dict(self.platform.properties)}
        precision = "single" if self.engine.dtype == torch.float32 else "double"
        return {"platform": f"engine ({self.engine.backend})", "platform_properties": {"Precision": precision}}

    def close(self) -> None:
        """Ends the worker processes."""
        self._evaluator.close()
