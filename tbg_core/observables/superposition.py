"""Root-mean-square deviation after the optimal rigid motion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


def rmsd(x: ArrayLike, reference: ArrayLike, atoms: Sequence[int] | None = None) -> NDArray[np.float64]:
    """RMSD [...], nm, of conformations x [..., N, 3] from one reference [N, 3], nm.

    Each conformation is moved and turned onto the reference, not mirrored. With singular values s_1 >= s_2 >= s_3 of
    the covariance of the two and d the sign of its determinant, the sum of squares left is
    |x|^2 + |y|^2 - 2 (s_1 + s_2 + d s_3) (Kabsch, Acta Cryst. A 32, 922 (1976)).

    Args:
        x: Conformations.
        reference: What they are compared with, in the same order of atoms.
        atoms: The atoms that are superposed and compared; all if None.
    """
    a, b = np.asarray(x).astype(np.float64), np.asarray(reference, dtype=np.float64)
    if atoms is not None:
        a, b = a[..., list(atoms), :], b[list(atoms)]
    a = a - a.mean(axis=-2, keepdims=True)
    b = b - b.mean(axis=-2, keepdims=True)
    covariance = np.einsum("...ni,nj->...ij", a, b)
    finite = np.isfinite(covariance).all(axis=(-2, -1))  # an SVD of NaN would end the whole batch
    covariance = np.where(finite[..., None, None], covariance, 0.0)
    s = np.linalg.svd(covariance, compute_uv=False)
    overlap = s[..., 0] + s[..., 1] + np.sign(np.linalg.det(covariance)) * s[..., 2]
    squares = np.sum(a * a, axis=(-2, -1)) + np.sum(b * b) - 2.0 * overlap
    deviation = np.sqrt(np.maximum(squares, 0.0) / b.shape[0])
    return np.asarray(np.where(finite, deviation, np.nan))
