"""A molecule with an ASE calculator at a temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tbg_ase.evaluation import AseEvaluator
from tbg_core.contracts.energy import Target, ThermodynamicState
from tbg_core.pipeline.evaluation import WorkerEvaluator

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_ase.calculators import Choice
    from tbg_core.molecule import Molecule
    from tbg_core.pipeline.evaluation import Evaluator


class AseTarget(Target):
    """exp(-U/kT) of one molecule, U from an ASE calculator.

    Attributes:
        molecule: The molecule.
        choice: The calculator with its options.
    """

    def __init__(
        self, molecule: Molecule, state: ThermodynamicState, choice: Choice, description: dict[str, Any], workers: int
    ) -> None:
        super().__init__(molecule, state)
        self.molecule = molecule
        self.choice = choice
        self._description = description
        self._evaluator: Evaluator = (
            WorkerEvaluator(AseEvaluator, (choice,), workers, f"ASE ({choice.name})")
            if workers
            else AseEvaluator(choice)
        )

    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        positions = np.ascontiguousarray(x.to("cpu", torch.float64).numpy())
        energies, forces = self._evaluator.evaluate(positions, forces=gradient)
        u = torch.from_numpy(energies / self.state.kT).to(x.device)
        return u, torch.from_numpy(-forces / self.state.kT).to(x.device) if gradient else None

    def describe(self) -> dict[str, Any]:
        """Calculator, charge, spin, solvent and all else that decides its numbers, with versions."""
        return {**super().describe(), **self._description, **self.choice.versions()}

    def close(self) -> None:
        """Ends the worker processes."""
        self._evaluator.close()
