"""XTC files that viewers can read."""

from __future__ import annotations

import mdtraj
import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.errors import StorageError
from tbg_openmm.trajectory import write_run_trajectories, write_xtc


@pytest.fixture
def ensemble(nma, near_reference):
    n = 40
    random = np.random.default_rng(0)
    valid = np.arange(n) % 4 != 0
    positions = near_reference(nma, n).numpy().astype(np.float32)
    positions[0] = np.nan
    return Ensemble(
        system=nma,
        temperature_K=300.0,
        positions=positions,
        log_q=np.zeros(n),
        reduced_energy=random.standard_normal(n),
        valid=valid,
        log_q_err=np.zeros(n),
        status=np.where(valid, 0, 2),
    )


def _read(path, molecule, ensemble):
    return mdtraj.load(str(path), top=ensemble.to_mdtraj().topology).xyz


def test_frames_are_those_of_the_ensemble(tmp_path, nma, ensemble):
    ensemble.save(tmp_path)
    write_run_trajectories(tmp_path)
    proposal = _read(tmp_path / "proposal.xtc", nma, ensemble)
    assert np.abs(proposal - ensemble.positions[ensemble.valid]).max() < 6e-4
    samples = _read(tmp_path / "samples.xtc", nma, ensemble)
    expected = ensemble.resample(seed=0).positions
    assert samples.shape == expected.shape
    assert np.abs(samples - expected).max() < 6e-4


def test_writing_again_replaces_and_leaves_nothing_behind(tmp_path, nma, near_reference):
    path = tmp_path / "samples.xtc"
    for n in (3, 5):
        write_xtc(path, nma, near_reference(nma, n).numpy())
    assert mdtraj.formats.XTCTrajectoryFile(str(path)).read()[0].shape == (5, nma.n_atoms, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["samples.xtc"]


def test_folders_without_samples_are_left_alone(tmp_path, ensemble):
    write_run_trajectories(tmp_path)
    assert not list(tmp_path.iterdir())
    none = Ensemble(
        **{
            name: getattr(ensemble, name)
            for name in ("system", "temperature_K", "positions", "log_q", "reduced_energy", "log_q_err")
        },
        valid=np.zeros(len(ensemble), dtype=bool),
        status=np.full(len(ensemble), 2),
    )
    none.save(tmp_path / "run")
    write_run_trajectories(tmp_path / "run")
    assert not list((tmp_path / "run").glob("*.xtc"))


def test_a_path_that_cannot_be_written_is_named(tmp_path, nma, near_reference):
    path = tmp_path / "samples.xtc"
    path.mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_xtc(path, nma, near_reference(nma, 1).numpy())
