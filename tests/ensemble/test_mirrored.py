"""Which samples were mirrored is recorded, and stays with its row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tbg_core.contracts.energy import Target, ThermodynamicState
from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.ensemble import Ensemble, Validity
from tbg_core.molecule import Molecule
from tbg_core.molecule.handedness import handedness_labels
from tbg_core.randomness import SampleKeys
from tbg_core.samplers.config import ImportanceSamplerConfig
from tbg_core.samplers.importance import ImportanceSampler

# CHFClBr without the bromine's neighbours: one carbon with four different neighbours, nm.
_X = 0.1 * np.array([[0, 0, 0], [0.63, 0.63, 0.63], [-0.78, -0.78, 0.78], [-1.02, 1.02, -1.02], [1.12, -1.12, -1.12]])
_NEIGHBOURS = ((1, 2, 3, 4), (0,), (0,), (0,), (0,))
_ELEMENTS = ("C", "H", "F", "Cl", "Br")
MOLECULE = Molecule(
    name="CHFClBr",
    elements=_ELEMENTS,
    atom_names=_ELEMENTS,
    residue_index=(0,) * 5,
    residue_names=("XXX",),
    bonds=((0, 1), (0, 2), (0, 3), (0, 4)),
    masses=(12.0, 1.0, 19.0, 35.5, 79.9),
    formal_charges=(0,) * 5,
    handedness=handedness_labels(_NEIGHBOURS, _X, _ELEMENTS),
)


class BothHands(Proposal):
    """The molecule, at odd indices its mirror image; at every tenth index it has fallen apart."""

    symmetry = Symmetry(group="E3")

    def sample_with_log_prob(self, keys, system, condition=None):
        index = torch.as_tensor(np.asarray(keys.index).astype(np.int64))
        x = torch.from_numpy(_X - _X.mean(0)).repeat(len(index), 1, 1)
        x[index % 2 == 1] *= -1.0
        x[index % 10 == 0] *= 4.0
        zeros = torch.zeros(len(index), dtype=torch.float64)
        return Draws(x, zeros, zeros, zeros.long(), zeros.long())

    def log_prob(self, x, system, condition=None):
        raise NotImplementedError


class Flat(Target):
    def _evaluate(self, x, *, gradient):
        return torch.zeros(len(x), dtype=torch.float64), torch.zeros_like(x) if gradient else None


@pytest.fixture
def ensemble():
    target = Flat(MOLECULE, ThermodynamicState(300.0))
    keys = SampleKeys.range(0, "mirrored", 0, 40)
    return ImportanceSampler(ImportanceSamplerConfig()).sample_block(BothHands(), target, keys)


def test_the_sampler_says_which_rows_it_mirrored(ensemble):
    apart = np.arange(40) % 10 == 0
    np.testing.assert_array_equal(ensemble.status == Validity.WRONG_BONDS, apart)
    np.testing.assert_array_equal(ensemble.mirrored, np.arange(40) % 2 == 1)
    assert ensemble.log_q[1] == pytest.approx(np.log(2.0))


def test_it_stays_with_its_row(ensemble, tmp_path):
    ensemble.save(tmp_path)
    np.testing.assert_array_equal(Ensemble.load(tmp_path).mirrored, ensemble.mirrored)
    drawn = ensemble.resample(0, 20)
    np.testing.assert_array_equal(drawn.mirrored, ensemble.mirrored[drawn.parent])
    joined = Ensemble.concatenate([ensemble[:7], ensemble[7:]])
    np.testing.assert_array_equal(joined.mirrored, ensemble.mirrored)
