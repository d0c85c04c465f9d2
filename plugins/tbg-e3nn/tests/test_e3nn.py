"""The tensor-product field: symmetries, mirror images, exact divergence, density."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.system import Batch
from tbg_core.errors import UnsupportedSystemError
from tbg_core.loading import load_system
from tbg_core.testing.field import FieldConformance
from tbg_e3nn.config import TensorProductConfig
from tbg_e3nn.field import TensorProductField

molecule = cache(load_system)
SMALL = {"scalars": 8, "channels": 4, "edge_width": 8}


def make(text: str, **options) -> TensorProductField:
    torch.manual_seed(0)  # noqa: TID251 - torch initialises weights from its global generator
    config = TensorProductConfig(**{**SMALL, **options})
    field = TensorProductField(TensorProductField.adapt(config, [molecule(text)]))
    # Untrained, the steps are almost zero, and with them every comparison trivial.
    for layer in field.layers:
        torch.nn.init.normal_(layer.step.weight, std=1.0)
    return field


def states(system, count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, system.n_atoms, 3, dtype=torch.float64, generator=generator)
    return torch.rand(count, dtype=torch.float64, generator=generator), system.space.project(x)


class TestConformance(FieldConformance):
    """Parities mixed: commutes with rotations, and must not with reflections."""

    def make(self) -> TensorProductField:
        return make("ACE-NME", layers=3, encoding="element")

    def system(self):
        return molecule("ACE-NME")

    def other_system(self):
        return molecule("ACE-NH2")


class TestConformanceWithoutMixing(FieldConformance):
    """Natural parities: commutes with reflections too."""

    def make(self) -> TensorProductField:
        return make("ACE-NME", layers=3, lmax=2, encoding="element", mix_parities=False)

    def system(self):
        return molecule("ACE-NME")


@torch.no_grad()
def violation(field: TensorProductField, system) -> float:
    """Largest |v(-x) + v(x)| relative to the largest |v|."""
    t, x = states(system, 8)
    batch = Batch.single(system, 8)
    v = field.double()(t, x, batch)
    return float((field(t, -x, batch) + v).abs().max() / v.abs().max())


@pytest.mark.parametrize("lmax", [1, 2])
def test_mirror_images_are_told_apart_by_a_clear_margin(lmax, n_methylacetamide):
    field = make("ACE-NME", layers=3, lmax=lmax)
    assert field.symmetry == Symmetry("SE3", permutation=True)
    assert not field.symmetry.reflection
    assert violation(field, n_methylacetamide) > 1e-3  # without mixing: 1e-15


@pytest.mark.parametrize("lmax", [1, 2])
def test_without_mixing_they_are_not(lmax, n_methylacetamide):
    """What makes the difference is the odd products and nothing else."""
    field = make("ACE-NME", layers=3, lmax=lmax, mix_parities=False)
    assert field.symmetry == Symmetry("E3", permutation=True)
    assert violation(field, n_methylacetamide) < 1e-10


def test_it_is_no_rotation_in_disguise(n_methylacetamide):
    """The handedness of a planar molecule cannot matter: v(-x) = -v(x) there, by rotation about the normal."""
    t, x = states(n_methylacetamide, 4)
    x[..., 2] = 0.0
    field, batch = make("ACE-NME", layers=3).double(), Batch.single(n_methylacetamide, 4)
    v, mirrored = field(t, x, batch), field(t, -x, batch)
    # -1 is the rotation by pi about z followed by z -> -z, which a planar molecule does not feel.
    assert torch.allclose(mirrored[..., :2], -v[..., :2], atol=1e-10)
    assert torch.allclose(mirrored[..., 2], v[..., 2], atol=1e-10)


@pytest.mark.parametrize(("layers", "lmax"), [(1, 1), (2, 2), (4, 1)])
def test_divergence_is_the_trace_of_the_jacobian(layers, lmax, n_methylacetamide):
    field = make("ACE-NME", layers=layers, lmax=lmax).double()
    t, x = states(n_methylacetamide, 2)
    with torch.no_grad():
        _, divergence = field.velocity_and_divergence(t, x, Batch.single(n_methylacetamide, 2))
    for row in range(2):
        jacobian = torch.autograd.functional.jacobian(
            lambda z, row=row: field(t[row : row + 1], z.view(1, 12, 3), Batch.single(n_methylacetamide, 1)).flatten(),
            x[row].flatten(),
        )
        assert divergence[row] == pytest.approx(float(jacobian.trace()), rel=1e-9)


def test_derivatives_are_finite_where_atoms_coincide(n_methylacetamide):
    """First, second and forward-over-reverse derivatives at distance zero and at t = 0 and 1."""
    field = make("ACE-NME", layers=2, lmax=2).double()
    x = torch.zeros(2, 12, 3, dtype=torch.float64, requires_grad=True)
    t = torch.tensor([0.0, 1.0], dtype=torch.float64)
    v, divergence = field.velocity_and_divergence(t, x, Batch.single(n_methylacetamide, 2))
    (gradient,) = torch.autograd.grad(divergence.sum() + v.square().sum(), x)
    assert torch.isfinite(v).all()
    assert torch.isfinite(divergence).all()
    assert torch.isfinite(gradient).all()


def test_a_network_for_one_molecule_refuses_another():
    field = make("ACE-ALA-NME", layers=1)
    with pytest.raises(UnsupportedSystemError, match="not the kind of molecule"):
        field(torch.zeros(1), torch.zeros(1, 12, 3), Batch.single(molecule("ACE-NME"), 1))
