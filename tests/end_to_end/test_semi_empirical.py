"""Samples of a force field, weighted for quantum chemistry, give the averages of quantum-chemical dynamics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tbg_core

SETTINGS = Path(__file__).with_name("semi_empirical.yaml")
LANGEVIN = {"dynamics.friction_per_ps": 10.0, "dynamics.equilibration_ps": 1.0, "simulation.block_frames": 25}
FINE_TUNING = {"training.learning_rate": 1e-3, "training.warmup_steps": 20}


@pytest.mark.slow
def test_force_field_samples_weighted_for_gfn2_agree_with_its_dynamics(tmp_path, deviations, bound):
    """N-methylacetamide, twelve averages and the energy; about twenty-five minutes of a core.

    The two energies put the minima of stiff bonds at other lengths, so that few draws of a flow that knows the force
    field alone matter to GFN2-xTB. Hence it goes on with frames of GFN2-xTB before it is sampled; what it draws is
    weighted for the force field first, and for GFN2-xTB by one more command.
    """
    pytest.importorskip("tbg_ase")
    force_field = tbg_core.simulate(config=SETTINGS, walkers=4, frames=1000, out=tmp_path / "md")
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
    first = tbg_core.train(force_field, config=SETTINGS, out=tmp_path / "first")
    second = tbg_core.train(
        quantum,
        checkpoint=first,
        steps=1000,
        config=SETTINGS,
        options=FINE_TUNING,
        out=tmp_path / "second",
    )
    weighted = {}
    for name, folder, number in (("first", first, 500), ("second", second, 4000)):
        run = tmp_path / f"run-{name}"
        tbg_core.sample(folder, config=SETTINGS, num_samples=number, out=run, threads=2)
        weighted[name] = tbg_core.reweight(run, energy="ase", out=tmp_path / f"gfn2-{name}")
    ensemble = weighted["second"]
    assert ensemble.ess_fraction > weighted["first"].ess_fraction
    assert ensemble.reliability.reliable
    scores = deviations(ensemble, quantum)
    assert np.abs(scores).max() < bound(len(scores))
