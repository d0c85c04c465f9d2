"""Moves keep the density of the path, whatever drives them, and what is outside of the domain is never reached."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import ConfigError
from tbg_core.molecule.domain import CanonicalDomain
from tbg_core.priors.config import GaussianConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_core.randomness import generator
from tbg_core.samplers.moves import Kernel, hamiltonian
from tbg_core.samplers.path import GeometricPath
from tbg_core.testing.parts import Bowl, GaussianProposal, n_methylacetamide, near_reference, plane


@pytest.mark.statistical
@pytest.mark.parametrize("drive", ["target", "path"])
@pytest.mark.parametrize(("leapfrog", "step"), [(1, 1.2), (5, 0.4)])
def test_moves_keep_the_density_of_the_path(drive, leapfrog, step):
    """q is N(0, 1) and mu N(0, 1/4): pi_0.5 is N(0, 1/2.5). Kolmogorov-Smirnov at 1e-4 for each coordinate."""
    path = GeometricPath(
        GaussianProposal(Gaussian(GaussianConfig())), Bowl(plane(), ThermodynamicState(), stiffness=4.0), drive
    )
    random = generator(5, "moves", drive, leapfrog)
    width = 2.5**-0.5
    points = path.evaluate(torch.from_numpy(width * random.standard_normal((2000, 2))), 0.5)
    start, accepted = points.x.clone(), []
    for _ in range(8):
        points, probability = hamiltonian(path, points, 0.5, Kernel(step, torch.ones(2) * 0.7, leapfrog), random)
        accepted.append(float(probability.mean()))
    assert 0.3 < np.mean(accepted) < 0.99
    assert abs(np.corrcoef(start[:, 0], points.x[:, 0])[0, 1]) < 0.2, "the points did not move"
    for column in points.x.numpy().T:
        assert kstest(column, norm(scale=width).cdf).pvalue > 1e-4


def test_points_never_leave_the_domain_and_stay_centred():
    molecule = n_methylacetamide()
    # Soft enough to break bonds: most proposals leave the domain.
    path = GeometricPath(
        GaussianProposal(MeanFreeGaussian(MeanFreeGaussianConfig())), Bowl(molecule, ThermodynamicState(), 2000.0)
    )
    random = generator(1, "domain")
    points = path.evaluate(near_reference(molecule, 64), 1.0)
    assert torch.isfinite(points.u).all()
    domain, moved = CanonicalDomain(molecule, range(12), False), points
    refused = 0.0
    for _ in range(20):
        moved, probability = hamiltonian(path, moved, 1.0, Kernel(0.5, torch.full((12, 1), 0.05), 4), random)
        refused += float((probability == 0).double().mean()) / 20
        assert domain.contains(moved.x.numpy()).all()
    assert 0.05 < refused < 0.98
    assert (moved.x - points.x).abs().max() > 0.01
    assert moved.x.mean(dim=1).abs().max() < 1e-12


def test_a_density_without_gradient_is_named_and_the_other_drive_does_without():
    class Opaque(GaussianProposal):
        def log_prob(self, x, system, condition=None):
            with torch.no_grad():
                return super().log_prob(x, system, condition)

    target, x = Bowl(plane(), ThermodynamicState()), torch.zeros(3, 2, dtype=torch.float64)
    opaque = Opaque(Gaussian(GaussianConfig()))
    with pytest.raises(ConfigError, match=r"no gradient.*drive=target"):
        GeometricPath(opaque, target, "path").evaluate(x, 0.5)
    assert torch.isfinite(GeometricPath(opaque, target, "target").evaluate(x, 0.5).log_q).all()


def test_the_slope_of_the_path_is_that_of_its_density():
    target = Bowl(plane(3), ThermodynamicState(), stiffness=3.0)
    path = GeometricPath(GaussianProposal(Gaussian(GaussianConfig())), target, "path")
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3)))
    slope, h = path.slope(path.evaluate(x, 0.3), 0.3), 1e-6
    for k in range(3):
        shift = h * torch.eye(3, dtype=torch.float64)[k]
        up, down = (path.log_density(path.evaluate(x + s * shift, 0.3), 0.3) for s in (1, -1))
        torch.testing.assert_close((up - down) / (2 * h), slope[:, k], rtol=1e-6, atol=1e-6)
