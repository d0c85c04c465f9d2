from __future__ import annotations

import pytest
import torch

from tbg_core.contracts.system import Batch
from tbg_core.flows import divergence
from tbg_core.flows.divergence import exact_divergence


def _autograd_trace(field, t, x, batch):
    def velocity(y):
        return field(t, y.view(x.shape), batch).flatten()

    jacobian = torch.autograd.functional.jacobian(velocity, x.flatten())
    return jacobian.diagonal().view(len(x), -1).sum(1)


@pytest.mark.parametrize("max_pairs", [None, 1, 7, 25])
def test_divergence_is_the_trace_of_the_jacobian(toys, max_pairs):
    x = torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    field = toys.PairField().double()
    t = torch.linspace(0, 1, 5, dtype=torch.float64)
    batch = Batch.single(toys.atoms(4), 5)
    v, div = exact_divergence(field, t, x, batch, max_pairs=max_pairs)
    assert div.dtype == torch.float64
    torch.testing.assert_close(v, field(t, x, batch), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(div, _autograd_trace(field, t, x, batch), rtol=1e-12, atol=1e-12)


def test_trace_equals_that_on_the_mean_free_space(toys):
    field, n = toys.PairField().double(), 4
    x = torch.randn(1, n, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    t, batch = torch.tensor([0.4], dtype=torch.float64), Batch.single(toys.atoms(n), 1)
    jacobian = torch.autograd.functional.jacobian(lambda y: field(t, y, batch)[0].flatten(), x)
    jacobian = jacobian.view(3 * n, 3 * n)
    # An orthonormal basis of the mean-free space, from the complement of (1, ..., 1).
    q, _ = torch.linalg.qr(torch.cat([torch.ones(n, 1), torch.eye(n)[:, 1:]], dim=1).double())
    basis = torch.kron(q[:, 1:].contiguous(), torch.eye(3, dtype=torch.float64))
    expected = (basis.T @ jacobian @ basis).trace()
    _, div = exact_divergence(field, t, x, batch)
    torch.testing.assert_close(div[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("max_pairs", [None, 10])
def test_padded_rows_equal_unpadded_ones(toys, max_pairs):
    field = toys.PairField().double()
    x, batch, rows = toys.padded([3, 6, 2, 6, 4], width=8)
    t = torch.linspace(0.1, 0.9, 5, dtype=torch.float64)
    v, div = exact_divergence(field, t, x, batch, max_pairs=max_pairs)
    for i, row in enumerate(rows):
        n = len(row)
        alone, d = exact_divergence(field, t[i : i + 1], row[None], Batch.single(toys.atoms(n), 1))
        torch.testing.assert_close(v[i, :n], alone[0], rtol=1e-12, atol=1e-13)
        assert (v[i, n:] == 0).all()
        torch.testing.assert_close(div[i], d[0], rtol=1e-12, atol=1e-13)


def test_padding_is_skipped(toys, monkeypatch):
    taken = []
    original = divergence.quadratic_forms

    def counting(*args, tangents):
        taken.append(tangents.shape[0] * tangents.shape[1])
        return original(*args, tangents=tangents)

    monkeypatch.setattr(divergence, "quadratic_forms", counting)
    x, batch, _ = toys.padded([2, 2, 2, 8], width=20)
    exact_divergence(toys.PairField().double(), torch.zeros(4, dtype=torch.float64), x, batch, max_pairs=60)
    assert sum(taken) == 3 * (2 + 2 + 2 + 8)


@pytest.mark.parametrize("gradients", [True, False])
def test_fields_without_forward_mode_are_differentiated_backward(toys, gradients):
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    t, batch = torch.rand(4, dtype=torch.float64), Batch.single(toys.euclidean(3), 4)
    opaque, plain = toys.opaque_mlp(3).double(), toys.MlpField(3).double()
    with torch.set_grad_enabled(gradients):
        v, div = exact_divergence(opaque, t, x, batch)
        expected_v, expected = exact_divergence(plain, t, x, batch)
    assert opaque in divergence._reverse_only
    assert plain not in divergence._reverse_only
    torch.testing.assert_close(div, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(v, expected_v, rtol=1e-12, atol=1e-12)
    assert div.requires_grad == gradients
    if gradients:
        (a,) = torch.autograd.grad(div.sum(), opaque.w1)
        (b,) = torch.autograd.grad(expected.sum(), plain.w1)
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_constant_field_has_no_divergence(toys):
    x, batch = torch.randn(3, 2), Batch.single(toys.euclidean(2), 3)
    field = toys.LinearField(torch.zeros(2, 2), [1.0, 2.0])
    assert (exact_divergence(field, torch.zeros(3), x, batch)[1] == 0).all()


def test_a_broken_field_says_what_is_broken(toys):
    field = toys.LinearField(torch.eye(3))
    with pytest.raises(RuntimeError, match=r"shape|size"):
        exact_divergence(field, torch.zeros(2), torch.randn(2, 2), Batch.single(toys.euclidean(2), 2))
    assert field not in divergence._reverse_only


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB."),
        RuntimeError("CUDA error: out of memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_lack_of_memory_is_no_missing_derivative(toys, error):
    class Large(type(toys.MlpField(2))):
        full = True

        def forward(self, t, x, batch, condition=None):
            if self.full:
                self.full = False  # the backward passes need less
                raise error
            return super().forward(t, x, batch, condition)

    field, batch = Large(2), Batch.single(toys.euclidean(2), 3)
    with pytest.raises(type(error), match="memory"):
        exact_divergence(field, torch.zeros(3), torch.randn(3, 2), batch)
    assert field not in divergence._reverse_only


def test_condition_reaches_the_field_row_by_row(toys):
    field = toys.MlpField(2).double()
    x, c = torch.randn(2, 6, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    t, batch = torch.rand(6, dtype=torch.float64), Batch.single(toys.euclidean(2), 6)
    _, div = exact_divergence(field, t, x, batch, c, max_pairs=4)
    _, shifted = exact_divergence(field, t, x + c, batch)
    torch.testing.assert_close(div, shifted, rtol=1e-12, atol=1e-12)
