"""The hollow field: what its divergence rests on."""

from __future__ import annotations

import pytest
import torch

from tbg_core.contracts.system import Batch
from tbg_core.loading import load_system as molecule
from tbg_core.testing.field import FieldConformance
from tbg_egnn.config import HollowConfig
from tbg_egnn.hollow import HollowField


def make(text: str, **options) -> HollowField:
    torch.manual_seed(0)  # noqa: TID251 - torch initialises weights from its global generator
    field = HollowField(HollowField.adapt(HollowConfig(width=16, vectors=3, **options), [molecule(text)]))
    torch.nn.init.normal_(field.speak.vectors.weight, std=0.3)
    return field


class TestConformance(FieldConformance):
    def make(self) -> HollowField:
        return make("ACE-NME", encoding="element")

    def system(self):
        return molecule("ACE-NME")


class TestConformanceOfDipeptides(FieldConformance):
    def make(self) -> HollowField:
        return make("GA", encoding="full")

    def system(self):
        return molecule("GA")

    def other_system(self):
        return molecule("GG")


def test_an_atom_is_not_in_the_surroundings_that_it_is_shown(n_methylacetamide):
    """The environment of every other atom must not change at all when atom j moves: the divergence rests on it."""
    field, x = make("ACE-NME").double(), torch.randn(1, 12, 3, dtype=torch.float64)
    batch, t = Batch.single(n_methylacetamide, 1), torch.tensor([0.4], dtype=torch.float64)
    pairs = batch.pairs(x)
    h = field._embed(t, batch, x)
    moved = x.clone()
    moved[0, 5] += torch.tensor([0.3, -0.2, 0.1], dtype=torch.float64)
    others = [i for i in range(12) if i != 5]
    for before, after in zip(field.environment(h, x, pairs), field.environment(h, moved, pairs), strict=True):
        assert torch.allclose(before[:, 5, others], after[:, 5, others], atol=1e-12)
        assert not torch.allclose(before[:, 4, others], after[:, 4, others], atol=1e-3)


def test_three_reverse_passes_give_the_trace_of_the_jacobian(n_methylacetamide):
    field = make("ACE-NME").double()
    x = n_methylacetamide.space.project(torch.randn(2, 12, 3, dtype=torch.float64))
    t = torch.tensor([0.2, 0.9], dtype=torch.float64)
    with torch.no_grad():
        v, divergence = field.velocity_and_divergence(t, x, Batch.single(n_methylacetamide, 2))
    assert torch.allclose(v, field(t, x, Batch.single(n_methylacetamide, 2)), atol=1e-12)
    for row in range(2):
        one = Batch.single(n_methylacetamide, 1)
        jacobian = torch.autograd.functional.jacobian(
            lambda z, row=row, one=one: field(t[row : row + 1], z.view(1, 12, 3), one).flatten(), x[row].flatten()
        )
        assert divergence[row] == pytest.approx(float(jacobian.trace()), rel=1e-10)


def test_padded_divergence_is_that_of_the_molecule_alone():
    small, large = molecule("GG"), molecule("GA")
    field = make("GA").double()
    n, size = small.n_atoms, large.n_atoms
    x = torch.zeros(2, size, 3, dtype=torch.float64)
    x[0, :n] = small.space.project(torch.randn(n, 3, dtype=torch.float64))
    x[1] = large.space.project(torch.randn(size, 3, dtype=torch.float64))
    mask = torch.zeros(2, size, dtype=torch.bool)
    mask[0, :n], mask[1] = True, True
    t = torch.tensor([0.3, 0.3], dtype=torch.float64)
    with torch.no_grad():
        v, divergence = field.velocity_and_divergence(t, x, Batch((small, large), torch.tensor([0, 1]), mask))
        alone, expected = field.velocity_and_divergence(t[:1], x[:1, :n], Batch.single(small, 1))
    assert divergence[0] == pytest.approx(float(expected[0]), rel=1e-9)
    assert torch.allclose(v[0, :n], alone[0], atol=1e-10)
    assert not v[0, n:].any()
