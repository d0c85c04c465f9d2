"""Harmonics and couplings are e3nn's, up to norms that are chosen here."""

from __future__ import annotations

import pytest
import torch
from e3nn import o3

from tbg_e3nn.couplings import Coupling, Harmonics, couplings


@pytest.mark.parametrize("lmax", [1, 2, 3])
def test_harmonics_are_those_of_e3nn(lmax):
    u = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for degree, found in enumerate(Harmonics(lmax)(u), start=1):
        expected = o3.spherical_harmonics(degree, u, normalize=False, normalization="norm")
        assert torch.allclose(found, expected, atol=1e-5), degree  # e3nn keeps its coefficients in float32


def test_natural_parities_admit_even_sums_only_and_mixed_ones_all():
    natural = couplings(3, mix_parities=False)
    mixed = couplings(3, mix_parities=True)
    assert natural == [c for c in mixed if (c.l1 + c.l2 + c.l3) % 2 == 0]
    assert len(mixed) == sum(abs(a - b) <= c <= a + b for a in (1, 2, 3) for b in (1, 2, 3) for c in (1, 2, 3))


def test_vectors_couple_by_the_cross_product_where_parities_mix():
    assert couplings(1, mix_parities=False) == []
    (cross,) = couplings(1, mix_parities=True)
    a, b = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    product = torch.einsum("m,n,mnk->k", a, b, cross.tensor)
    assert torch.allclose(product, torch.linalg.cross(a, b) / 2**0.5, atol=1e-6)


@pytest.mark.parametrize("coupling", couplings(2, mix_parities=True), ids=str)
def test_couplings_turn_with_their_factors(coupling: Coupling):
    rotation = o3.rand_matrix(dtype=torch.float64)
    left, right, result = (o3.Irrep(i, 1).D_from_matrix(rotation) for i in (coupling.l1, coupling.l2, coupling.l3))
    turned = torch.einsum("am,bn,mnk->abk", left, right, coupling.tensor)
    assert torch.allclose(turned, torch.einsum("abc,ck->abk", coupling.tensor, result), atol=1e-5)
