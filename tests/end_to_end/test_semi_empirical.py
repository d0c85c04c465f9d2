"""Samples of a force field, weighted for quantum chemistry, give the averages of quantum-chemical dynamics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tbg_core

SETTINGS = Path(__file__).with_name("semi_empirical.yaml")
LANGEVIN = {"dynamics.friction_per_ps": 10.0, "dynamics.equilibration_ps": 1.0, "simulation.block_frames": 25}


@pytest.mark.slow
def test_force_field_samples_weighted_for_gfn2_agree_with_its_dynamics(tmp_path, deviations, bound):
    """N-methylacetamide, twelve averages and the energy, in both energies; about twelve minutes of a core.

    The two energies put the minima of stiff bonds at other lengths, so that few conformations of the force field
    matter to GFN2-xTB. Hence the density learns frames of both. What it draws is weighted for the force field, and for
    GFN2-xTB by one more command.
    """
    pytest.importorskip("tbg_ase")
    pytest.importorskip("tbg_autoregressive")
    force_field = tbg_core.simulate(config=SETTINGS, out=tmp_path / "md")
    quantum = tbg_core.simulate(
        config=SETTINGS,
        energy="ase",
        dynamics="langevin",
        walkers=8,
        frames=100,
        options=LANGEVIN,
        out=tmp_path / "md-xtb",
        threads=2,
    )
    checkpoint = tbg_core.train([force_field, quantum], config=SETTINGS, out=tmp_path / "trained")
    sampled = tbg_core.sample(checkpoint, config=SETTINGS, out=tmp_path / "run")
    weighted = tbg_core.reweight(tmp_path / "run", energy="ase", out=tmp_path / "gfn2")
    for ensemble, simulation in ((sampled, force_field), (weighted, quantum)):
        assert ensemble.reliability.reliable
        scores = deviations(ensemble, simulation)
        assert np.abs(scores).max() < bound(len(scores))
