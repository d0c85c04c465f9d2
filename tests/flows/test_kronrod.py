from __future__ import annotations

import numpy as np
import pytest

from tbg_core.flows.kronrod import gauss_kronrod


@pytest.mark.parametrize("n", [7, 10, 15])
def test_rules_integrate_polynomials_exactly(n):
    rule = gauss_kronrod(n)
    assert len(rule.nodes) == 2 * n + 1
    assert (np.diff(rule.nodes) > 0).all()
    assert abs(rule.nodes).max() < 1
    assert (rule.weights > 0).all()
    for degree in range(3 * n + 2):
        exact = 2 / (degree + 1) if degree % 2 == 0 else 0.0
        assert abs(rule.weights @ rule.nodes**degree - exact) < 2e-15
        if degree < 2 * n:
            assert abs(rule.gauss_weights @ rule.nodes**degree - exact) < 2e-15
    assert np.count_nonzero(rule.gauss_weights) == n
    # A degree that the pair must not be able to integrate: it would be another rule.
    degree = 2 * n
    assert abs(rule.gauss_weights @ rule.nodes**degree - 2 / (degree + 1)) > 1e-10


def test_published_digits():
    """Kronrod's own table, n = 7 (also in QUADPACK's QK15)."""
    rule = gauss_kronrod(7)
    nodes = [0.991455371120812639206854697526329, 0.949107912342758524526189684047851]
    weights = [0.022935322010529224963732008058970, 0.063092092629978553290700663189204]
    np.testing.assert_allclose(rule.nodes[[-1, -2]], nodes, rtol=2e-16, atol=0)
    np.testing.assert_allclose(rule.weights[[-1, -2]], weights, rtol=2e-14, atol=0)
