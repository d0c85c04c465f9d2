"""XTC trajectories of a finished run, for viewers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from openmm import app

from tbg_core.ensemble import Ensemble
from tbg_core.molecule import Molecule
from tbg_core.storage.atomic import write_atomically
from tbg_openmm.topology import to_topology

if TYPE_CHECKING:
    from pathlib import Path


def write_run_trajectories(folder: Path) -> None:
    """Writes ``samples.xtc`` and ``proposal.xtc`` beside the ensemble of a run.

    ``samples.xtc`` holds samples drawn by weight, as many as the effective sample size; ``proposal.xtc`` the
    valid samples as the model drew them. Folders without an ensemble, and systems that are no molecules, are
    left alone.
    """
    if not (folder / "ensemble").is_dir():
        return
    ensemble = Ensemble.load(folder)
    molecule = ensemble.system
    if not isinstance(molecule, Molecule) or not ensemble.valid.any():
        return
    write_xtc(folder / "samples.xtc", molecule, ensemble.resample(seed=0).positions)
    write_xtc(folder / "proposal.xtc", molecule, ensemble.positions[ensemble.valid])


def write_xtc(path: Path, molecule: Molecule, positions: np.ndarray) -> None:
    """Writes conformations as an XTC trajectory, one frame per picosecond; the file appears when it is whole.

    XTC rounds to 0.001 nm, so that energies must not be computed from it.

    Args:
        path: The file; replaced if it exists.
        molecule: The molecule.
        positions: Conformations [n, N, 3], nm, n at least 1.

    Raises:
        StorageError: If the file cannot be written.
    """
    topology = to_topology(molecule)

    def write(temporary: Path) -> None:
        temporary.unlink(missing_ok=True)
        trajectory = app.XTCFile(str(temporary), topology, 1.0)
        for frame in positions:
            trajectory.writeModel(np.asarray(frame, dtype=np.float64))

    write_atomically(path, write)
