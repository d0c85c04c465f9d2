"""A Gaussian prior whose atoms hang together by springs along the bonds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.prior import Prior
from tbg_core.contracts.system import MeanFree
from tbg_core.errors import UnsupportedSystemError

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.system import Batch, System
    from tbg_core.priors.config import HarmonicPriorConfig
    from tbg_core.randomness import SampleKeys


@dataclass(frozen=True)
class _Springs:
    """What one molecule's bond graph comes to.

    Attributes:
        laplacian: Spring constant times the graph Laplacian L [N, N], float64.
        factor: A [N, N] with A A^T = pseudo-inverse of L, whose rows and columns sum to zero.
        log_pdet: Logarithm of the product of the non-zero eigenvalues of L.
    """

    laplacian: Tensor
    factor: Tensor
    log_pdet: float


class HarmonicPrior(Prior):
    """p(x) ~ exp(-k/2 sum over bonds |x_i - x_j|^2) on mean-free coordinates.

    With L = k times the Laplacian of the bond graph and pdet its pseudo-determinant,

        log p(x) = -1/2 sum_d x_d^T L x_d + 3/2 log pdet(L) - 3(N-1)/2 log 2 pi,   d = 1, 2, 3.

    The density is normalised only if the graph is connected: each further component would be free to
    drift. Source: Jing et al., "EigenFold", arXiv 2304.02198.
    """

    symmetry: ClassVar[Symmetry] = Symmetry("E3", permutation=True)

    def __init__(self, config: HarmonicPriorConfig) -> None:
        self.config = config
        self._springs: dict[str, _Springs] = {}

    @override
    def sample(self, keys: SampleKeys, system: System) -> Tensor:
        springs = self._springs_of(system)
        noise = keys.normal(system.space.event_shape)
        # Row by row: the rounding of a batched product would depend on the size of the batch.
        return torch.stack([springs.factor @ row for row in noise]) if len(noise) else noise

    @override
    def sample_batch(
        self, batch: Batch, event_shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
    ) -> Tensor:
        shape = (len(batch), *event_shape)
        noise = torch.randn(shape, generator=generator, device=generator.device, dtype=dtype)
        factors = noise.new_zeros((len(batch.systems), event_shape[0], event_shape[0]))
        for i, system in enumerate(batch.systems):
            n = system.space.event_shape[0]
            factors[i, :n, :n] = self._springs_of(system).factor.to(noise)
        return factors[batch.index] @ noise

    @override
    def log_prob(self, x: Tensor, system: System) -> Tensor:
        springs = self._springs_of(system)
        x = x.double()
        stretch = (x * (springs.laplacian.to(x.device) @ x)).flatten(1).sum(dim=1)
        return -0.5 * stretch + 1.5 * springs.log_pdet - 0.5 * system.space.dim * math.log(2 * math.pi)

    def atom_classes(self, system: System) -> Tensor:
        """Atoms that share all their neighbours, e.g. the hydrogens of one methyl group, are alike.

        Atoms i and j may be swapped without touching the others if and only if their neighbours, i and j
        themselves left out, are the same: not bonded to each other and equal sets of neighbours, or bonded
        (as in a three-ring) and equal sets once each atom is counted as its own neighbour.
        """
        neighbours = _neighbours(system)
        open_sets = [frozenset(row) for row in neighbours]
        closed_sets = [frozenset({*row, i}) for i, row in enumerate(neighbours)]
        classes = list(range(len(neighbours)))
        for sets in (open_sets, closed_sets):
            first: dict[frozenset[int], int] = {}
            for i, members in enumerate(sets):
                # No atom has twins of both sorts, so the second pass cannot undo the first.
                classes[i] = min(classes[i], first.setdefault(members, i))
        return torch.tensor(classes, dtype=torch.int64)

    def _springs_of(self, system: System) -> _Springs:
        if system.key not in self._springs:
            self._springs[system.key] = _springs(_neighbours(system), self.config.spring_constant)
        return self._springs[system.key]


def _neighbours(system: System) -> list[list[int]]:
    """Bonded atoms of each atom.

    Raises:
        UnsupportedSystemError: If the system has no bonds or they leave it in several pieces.
    """
    bonds = getattr(system, "bonds", None)
    if not isinstance(system.space, MeanFree) or bonds is None:
        raise UnsupportedSystemError(
            f"The harmonic prior needs a molecule with bonds; {system.name} has none.",
            fix="Use the prior mean-free-gaussian (or gaussian, for R^d).",
        )
    table: list[list[int]] = [[] for _ in range(system.space.n_atoms)]
    for i, j in bonds:
        table[i].append(j)
        table[j].append(i)
    reached, front = {0}, {0}
    while front:
        front = {j for i in front for j in table[i]} - reached
        reached |= front
    if len(reached) < len(table):
        apart = next(i for i in range(len(table)) if i not in reached)
        raise UnsupportedSystemError(
            f"The harmonic prior cannot be normalised for {system.name}: no chain of bonds joins "
            f"atom {apart} to atom 0.",
            fix="Use the prior mean-free-gaussian.",
        )
    return table


def _springs(neighbours: list[list[int]], spring_constant: float) -> _Springs:
    n = len(neighbours)
    laplacian = np.zeros((n, n))
    for i, row in enumerate(neighbours):
        laplacian[i, i] = spring_constant * len(row)
        laplacian[i, row] = -spring_constant
    basis = _mean_free_basis(n)
    # On the mean-free space L is positive definite. Its Cholesky factor is unique, unlike eigenvectors of
    # the repeated eigenvalues that molecules have: all linear algebra libraries draw the same samples.
    cholesky = np.linalg.cholesky(basis @ laplacian @ basis.T)
    factor = basis.T @ np.linalg.solve(cholesky.T, basis)
    log_pdet = 2.0 * float(np.log(np.diag(cholesky)).sum())
    return _Springs(torch.from_numpy(laplacian), torch.from_numpy(factor), log_pdet)


def _mean_free_basis(n: int) -> np.ndarray:
    """Orthonormal rows [n-1, n] that are orthogonal to (1, ..., 1): the Helmert contrasts."""
    basis = np.zeros((n - 1, n))
    for k in range(1, n):
        basis[k - 1, :k] = 1.0
        basis[k - 1, k] = -k
        basis[k - 1] /= math.sqrt(k * (k + 1))
    return basis
