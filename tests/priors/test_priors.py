from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from tbg_core.contracts.prior import Prior
from tbg_core.contracts.system import Batch, Euclidean, MeanFree, StateSpace
from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule import Molecule
from tbg_core.priors.config import GaussianConfig, HarmonicPriorConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.priors.harmonic import HarmonicPrior
from tbg_core.randomness import SampleKeys

torch.set_num_threads(1)


@dataclass(frozen=True)
class Toy:
    name: str
    space: StateSpace

    @property
    def key(self):
        return f"toy-{self.name}"


def molecule(elements, bonds, name="M"):
    n = len(elements)
    return Molecule(
        name=name,
        elements=tuple(elements),
        atom_names=tuple(f"{e}{i}" for i, e in enumerate(elements)),
        residue_index=(0,) * n,
        residue_names=("MOL",),
        bonds=tuple(sorted(bonds)),
        masses=(1.0,) * n,
        formal_charges=(0,) * n,
        handedness=(),
    )


# Ethanol: C0 with H2 H3 H4, C1 with H5 H6, O7 with H8.
ETHANOL = molecule("CCHHHHHOH", [(0, 1), (0, 2), (0, 3), (0, 4), (1, 5), (1, 6), (1, 7), (7, 8)], "ethanol")
CYCLOPROPANE = molecule(
    "CCCHHHHHH", [(0, 1), (0, 2), (1, 2), (0, 3), (0, 4), (1, 5), (1, 6), (2, 7), (2, 8)], "cyclopropane"
)
# Matrix products of this size run in blocks, whose rounding must not depend on the batch.
CHAIN = molecule("C" * 70, [(i, i + 1) for i in range(69)], "chain")
PLANE, FIVE = Toy("plane", Euclidean(2)), Toy("five", MeanFree(5))

CASES = {
    "gaussian": (Gaussian(GaussianConfig()), PLANE),
    "wide gaussian": (Gaussian(GaussianConfig(std=1.7)), PLANE),
    "mean-free": (MeanFreeGaussian(MeanFreeGaussianConfig()), FIVE),
    "narrow mean-free": (MeanFreeGaussian(MeanFreeGaussianConfig(std=0.6)), FIVE),
    "harmonic": (HarmonicPrior(HarmonicPriorConfig()), ETHANOL),
    "harmonic chain": (HarmonicPrior(HarmonicPriorConfig()), CHAIN),
    "harmonic ring": (HarmonicPrior(HarmonicPriorConfig(spring_constant=0.8)), CYCLOPROPANE),
}


def basis_of(space):
    """An orthonormal basis of the space [dim, D], made without the code under test."""
    if isinstance(space, Euclidean):
        return np.eye(space.size)
    q, _ = np.linalg.qr(np.hstack([np.ones((space.n_atoms, 1)), np.eye(space.n_atoms)[:, 1:]]))
    return np.kron(q[:, 1:].T, np.eye(3))


def covariance_of(prior, system):
    if isinstance(prior, HarmonicPrior):
        n = system.n_atoms
        laplacian = np.zeros((n, n))
        for i, j in system.bonds:
            laplacian[[i, j], [i, j]] += prior.config.spring_constant
            laplacian[[i, j], [j, i]] -= prior.config.spring_constant
        full = np.kron(np.linalg.pinv(laplacian), np.eye(3))
    else:
        full = prior.config.std**2 * np.eye(math.prod(system.space.event_shape))
    basis = basis_of(system.space)
    return basis @ full @ basis.T


@pytest.mark.parametrize("case", CASES)
def test_log_prob_is_the_normal_density_on_the_space(case):
    prior, system = CASES[case]
    x = prior.sample(SampleKeys.range(0, "x", 0, 6), system)
    coordinates = x.flatten(1).numpy() @ basis_of(system.space).T
    assert coordinates.shape == (6, system.space.dim)
    expected = multivariate_normal.logpdf(coordinates, cov=covariance_of(prior, system))
    log_prob = prior.log_prob(x.float(), system)
    assert log_prob.dtype == torch.float64
    np.testing.assert_allclose(prior.log_prob(x, system), expected, rtol=1e-11)
    np.testing.assert_allclose(log_prob, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.statistical
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_samples_have_the_covariance_of_the_density(case, batched):
    """E[c c^T] with c whitened is the identity; 5 standard errors, false alarms below 1e-4."""
    prior, system = CASES[case]
    n = 4000
    if batched:
        generator = torch.Generator().manual_seed(1)
        x = prior.sample_batch(Batch.single(system, n), system.space.event_shape, generator, torch.float64)
    else:
        x = prior.sample(SampleKeys.range(7, "x", 0, n), system)
    assert x.dtype == torch.float64
    torch.testing.assert_close(system.space.project(x), x, rtol=0, atol=1e-12)
    coordinates = x.flatten(1).numpy() @ basis_of(system.space).T
    whitened = np.linalg.solve(np.linalg.cholesky(covariance_of(prior, system)), coordinates.T)
    assert abs(whitened.mean(axis=1)).max() < 5 / n**0.5
    assert abs(whitened @ whitened.T / n - np.eye(len(whitened))).max() < 5 * (2 / n) ** 0.5


def test_harmonic_prior_of_two_atoms_integrates_to_one():
    """One spring: with y = (x0 - x1)/2^(1/2) orthonormal in R^3 the density is exp(-k |y|^2)."""
    prior = HarmonicPrior(HarmonicPriorConfig(spring_constant=2.5))
    rho = torch.linspace(0, 8, 2000, dtype=torch.float64)
    x = torch.zeros(2000, 2, 3, dtype=torch.float64)
    x[:, 0, 2], x[:, 1, 2] = rho / math.sqrt(2), -rho / math.sqrt(2)
    log_p = prior.log_prob(x, molecule("HH", [(0, 1)]))
    torch.testing.assert_close(log_p - log_p[0], -2.5 * rho.square())
    assert abs(torch.trapezoid(4 * math.pi * rho**2 * log_p.exp(), rho) - 1) < 1e-9


def test_default_springs_make_bonds_of_unit_length():
    prior = HarmonicPrior(HarmonicPriorConfig())
    x = prior.sample(SampleKeys.range(0, "x", 0, 4000), ETHANOL)
    i, j = zip(*ETHANOL.bonds, strict=True)
    lengths = (x[:, list(i)] - x[:, list(j)]).square().sum(-1).mean(0).sqrt()
    torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=0.05, atol=0)


@pytest.mark.parametrize("case", CASES)
def test_a_sample_depends_on_its_key_alone(case):
    prior, system = CASES[case]
    whole = prior.sample(SampleKeys.range(3, "s", 0, 10), system)
    part = prior.sample(SampleKeys.range(3, "s", 4, 7), system)
    assert torch.equal(part, whole[4:7])
    assert not torch.equal(prior.sample(SampleKeys.range(4, "s", 0, 10), system), whole)


def test_atoms_the_harmonic_prior_cannot_tell_apart():
    prior = HarmonicPrior(HarmonicPriorConfig())
    assert prior.atom_classes(ETHANOL).tolist() == [0, 1, 2, 2, 2, 5, 5, 7, 8]
    # Not the three carbons: swapping two of them leaves their hydrogens behind.
    assert prior.atom_classes(CYCLOPROPANE).tolist() == [0, 1, 2, 3, 3, 5, 5, 7, 7]
    # A bare three-ring and a diatomic: bonded twins.
    assert prior.atom_classes(molecule("OOO", [(0, 1), (0, 2), (1, 2)])).tolist() == [0, 0, 0]
    assert prior.atom_classes(molecule("HH", [(0, 1)])).tolist() == [0, 0]
    assert prior.atom_classes(molecule("HOH", [(0, 1), (1, 2)])).tolist() == [0, 1, 0]


@pytest.mark.parametrize("case", [c for c in CASES if "gaussian" not in c])
def test_density_is_invariant_inside_classes_and_under_the_mirror(case):
    prior, system = CASES[case]
    x = prior.sample(SampleKeys.range(0, "x", 0, 3), system)
    log_p = prior.log_prob(x, system)
    assert prior.symmetry.reflection
    torch.testing.assert_close(prior.log_prob(-x, system), log_p)
    classes = prior.atom_classes(system)
    n = len(classes)
    for i in range(n):
        for j in range(i):
            order = torch.arange(n)
            order[[i, j]] = order[[j, i]]
            same = torch.allclose(prior.log_prob(x[:, order], system), log_p, rtol=1e-12)
            assert same == bool(classes[i] == classes[j]), (i, j)


def test_disconnected_molecules_are_refused_by_the_harmonic_prior():
    prior = HarmonicPrior(HarmonicPriorConfig())
    two = molecule("HHHH", [(0, 1), (2, 3)], "two hydrogens")
    with pytest.raises(UnsupportedSystemError, match=r"two hydrogens: no chain of bonds joins atom 2"):
        prior.sample(SampleKeys.range(0, "x", 0, 1), two)
    with pytest.raises(UnsupportedSystemError, match="needs a molecule with bonds; five"):
        prior.log_prob(torch.zeros(1, 5, 3), FIVE)


def test_priors_refuse_the_wrong_space_and_name_the_right_prior():
    with pytest.raises(UnsupportedSystemError, match="harmonic"):
        CASES["gaussian"][0].sample(SampleKeys.range(0, "x", 0, 1), FIVE)
    with pytest.raises(UnsupportedSystemError, match="prior gaussian"):
        CASES["mean-free"][0].log_prob(torch.zeros(1, 2), PLANE)


@pytest.mark.parametrize("kind", ["mean-free", "harmonic", "default"])
def test_padded_batches_are_drawn_on_each_rows_own_space(kind):
    prior = CASES["mean-free" if kind == "default" else kind][0]
    water = molecule("HOH", [(0, 1), (1, 2)])
    batch = Batch((water, ETHANOL), torch.tensor([1, 0, 1] * 700), None)
    counts = torch.tensor([3, 9])[batch.index]
    batch.mask = torch.arange(10) < counts[:, None]
    draw = prior.sample_batch if kind != "default" else lambda *a: Prior.sample_batch(prior, *a)
    x = draw(batch, (10, 3), torch.Generator().manual_seed(0), torch.float32)
    assert x.dtype == torch.float32
    assert (x[~batch.mask] == 0).all()
    assert x.sum(dim=1).abs().max() < 1e-4
    again = draw(batch, (10, 3), torch.Generator().manual_seed(0), torch.float32)
    assert torch.equal(x, again)
    # Mean square of a row: trace of the covariance.
    for i, system in enumerate(batch.systems):
        found = x[batch.index == i].square().sum((1, 2)).double().mean()
        expected = np.trace(covariance_of(prior, system))
        assert abs(found - expected) < 0.1 * expected


def test_configs_import_no_torch():
    modules = "tbg_core.priors.config, tbg_core.flows.config, tbg_core.objectives.config"
    code = f"import sys, {modules}; print('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
