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
    from tbg_openmm.platforms import PlatformChoice


class OpenMMTarget(Target):
    """exp(-U/kT) of one molecule, U from an OpenMM System.

    Attributes:
        molecule: The molecule.
        openmm_system: Its System, free of constraints, virtual sites, barostats and boxes. Do not change it.
        openmm_topology: Its Topology.
        platform: Where it is evaluated.
        friction_per_ps: Friction that its preset was published with, or None.
    """

    def __init__(
        self,
        molecule: Molecule,
        state: ThermodynamicState,
        openmm_system: openmm.System,
        platform: PlatformChoice,
        *,
        workers: int = 0,
        description: dict[str, Any] | None = None,
        friction_per_ps: float | None = None,
    ) -> None:
        super().__init__(molecule, state)
        self.molecule = molecule
        self.openmm_system = openmm_system
        self.openmm_topology = to_topology(molecule)
        self.platform = platform
        self.friction_per_ps = friction_per_ps
        self._description = description or {}
        self._evaluator: Evaluator = (
            WorkerEvaluator(from_xml, (openmm.XmlSerializer.serialize(openmm_system), platform), workers, "OpenMM")
            if workers
            else LocalEvaluator(openmm_system, platform)
        )

    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        positions = np.ascontiguousarray(x.to("cpu", torch.float64).numpy())
        energies, forces = self._evaluator.evaluate(positions, forces=gradient)
        u = torch.from_numpy(energies / self.state.kT).to(x.device)
        return u, torch.from_numpy(-forces / self.state.kT).to(x.device) if gradient else None

    def describe(self) -> dict[str, Any]:
        """Force field, method, platform and version."""
        return {
            **super().describe(),
            **self._description,
            "platform": self.platform.name,
            "platform_properties": dict(self.platform.properties),
            "openmm_version": openmm.Platform.getOpenMMVersion(),
        }

    def close(self) -> None:
        """Ends the worker processes."""
        self._evaluator.close()
