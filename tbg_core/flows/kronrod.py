"""Gauss-Kronrod pairs: 2n+1 nodes, of which n are those of the Gauss-Legendre rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.polynomial import legendre


@dataclass(frozen=True)
class NestedRule:
    """A pair of quadrature rules on [-1, 1] that share nodes.

    Attributes:
        nodes: Nodes [2n+1], ascending; those of the Gauss rule are at the odd positions.
        weights: Weights of the Kronrod rule [2n+1], exact for polynomials up to degree 3n+1.
        gauss_weights: Weights of the Gauss rule at the same nodes [2n+1], zero where it has none; exact up
            to degree 2n-1.
    """

    nodes: np.ndarray
    weights: np.ndarray
    gauss_weights: np.ndarray


@cache
def gauss_kronrod(n: int) -> NestedRule:
    """The Kronrod extension of the n-point Gauss-Legendre rule, to double precision.

    The n+1 further nodes are the zeros of the Stieltjes polynomial of degree n+1, which is orthogonal to all
    polynomials of degree at most n with respect to the (indefinite) weight P_n. Expanded in Legendre
    polynomials that is a small linear system. Source: A. S. Kronrod, "Nodes and weights of quadrature
    formulas", 1965; Monegato, SIAM Review 24 (1982) 137.
    """
    gauss_nodes, gauss_weights = legendre.leggauss(n)
    # Degree n + (n+1) + n is integrated exactly by 2n points and more.
    y, w = legendre.leggauss(2 * n)
    p = legendre.legvander(y, n + 1)
    moments = np.einsum("q,q,qk,qj->kj", w, p[:, n], p[:, : n + 1], p)
    coefficients = np.append(np.linalg.solve(moments[:, : n + 1], -moments[:, n + 1]), 1.0)
    zeros = np.sort(legendre.legroots(coefficients).real)
    derivative = legendre.legder(coefficients)
    for _ in range(2):  # Newton: the eigenvalues that legroots returns miss the last digits
        zeros -= legendre.legval(zeros, coefficients) / legendre.legval(zeros, derivative)
    nodes = np.empty(2 * n + 1)
    nodes[1::2], nodes[0::2] = gauss_nodes, zeros
    nodes = 0.5 * (nodes - nodes[::-1])
    # Interpolatory weights: integrals of P_0, P_1, ... are 2, 0, ...
    weights = np.linalg.solve(legendre.legvander(nodes, 2 * n).T, np.eye(2 * n + 1)[0] * 2.0)
    shared = np.zeros(2 * n + 1)
    shared[1::2] = gauss_weights
    return NestedRule(nodes, 0.5 * (weights + weights[::-1]), shared)
