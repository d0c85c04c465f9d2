"""Linear predictions of stiff coordinates from earlier ones, in closed form from data: what rings and angles need.

Bonds and angles move in concert (a ring must close), and to a few per cent of their widths that is linear algebra:
z_i = c + sum_j A_ij z_j + sum_j B_ij z_j^2 + s eps, with squares only of torsions that bend a plane, one regression for
each kind of coordinate in its surroundings. The network then describes eps given everything placed before, instead of
learning to resolve picometres.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from tbg_autoregressive.coordinates import gather, internals
from tbg_autoregressive.order import Torsion
from tbg_autoregressive.plan import Plan, Topology, make_plan, stack
from tbg_core.errors import NumericalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

RIDGE = 1e-5
"""Added to the unit diagonal of the correlation matrix: hardly any, enough for collinear coordinates."""
_SMALLEST = 1e-4
_Row = tuple[np.ndarray, float, float]
"""Coefficients, intercept and residual standard deviation."""
_ROWS = 4000


def row_sizes(topologies: Iterable[Topology]) -> dict[int, int]:
    """Names of all predictions for these molecules, ascending, with their number of regressors.

    Each coordinate has two names with its regressors, of which one tells surroundings less finely, and two without:
    molecules with surroundings never seen fall back on them.
    """
    sizes: dict[int, int] = {}
    for t in topologies:
        for (n, q), keys in t.keys.items():
            sizes |= dict.fromkeys(keys, len(t.regressors[n, q]) + len(t.bends[n, q]))
            sizes |= dict.fromkeys(_bare(t, n, q), 0)
    return dict(sorted(sizes.items()))


class Predictions(nn.Module):
    """The table of predictions: buffers that are fitted, not trained.

    Args:
        rows: Number of names.
        coefficients: Number of coefficients of all of them.
    """

    keys: Tensor
    start: Tensor
    coefficient: Tensor
    intercept: Tensor
    scale: Tensor

    def __init__(self, rows: int, coefficients: int) -> None:
        super().__init__()
        self.register_buffer("keys", torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("start", torch.zeros(rows + 1, dtype=torch.int64))
        self.register_buffer("coefficient", torch.zeros(coefficients))
        self.register_buffer("intercept", torch.zeros(rows))
        self.register_buffer("scale", torch.zeros(rows))

    def fit(self, topologies: Sequence[Topology], positions: Sequence[np.ndarray]) -> None:
        """Fills the table from conformations.

        Args:
            topologies: The molecules.
            positions: Conformations of each, [n, N, 3], nm.

        Raises:
            NumericalError: If no conformation of a molecule lies on the support (its handedness is wrong).
        """
        self._fill(_regressions(topologies, positions, row_sizes(topologies)))

    def extend(self, topologies: Sequence[Topology], positions: Sequence[np.ndarray]) -> None:
        """Adds the names that the table lacks; those that it has stay what the network was trained with.

        Raises:
            NumericalError: See :meth:`fit`.
        """
        known = {
            key: (self.coefficient[start:end].cpu().numpy(), float(c), float(scale))
            for key, start, end, c, scale in zip(
                self.keys.tolist(), self.start[:-1], self.start[1:], self.intercept, self.scale, strict=True
            )
        }
        sizes = {key: size for key, size in row_sizes(topologies).items() if key not in known}
        if sizes:
            self._fill(known | _regressions(topologies, positions, sizes))

    def _fill(self, table: dict[int, _Row]) -> None:
        """Replaces the table."""
        device, (keys, rows) = self.scale.device, zip(*sorted(table.items()), strict=True)
        coefficients, intercepts, scales = zip(*rows, strict=True)
        self.keys = torch.tensor(keys, device=device)
        self.start = torch.tensor([0, *np.cumsum([len(a) for a in coefficients])], device=device)
        self.coefficient = torch.from_numpy(np.concatenate(coefficients)).to(device, torch.float32)
        self.intercept = torch.tensor(intercepts, dtype=torch.float32, device=device)
        self.scale = torch.tensor(scales, dtype=torch.float32, device=device)

    def plan(self, topology: Topology) -> Plan:
        """The plan of a molecule with its predictions."""
        n = topology.molecule.n_atoms
        matrix, square = torch.zeros(3 * n, 3 * n), torch.zeros(3 * n, n)
        intercept, scale = torch.zeros(3 * n), torch.ones(3 * n)
        index = {int(k): i for i, k in enumerate(self.keys.tolist())}
        for (a, q), keys in topology.keys.items():
            i = 3 * a + q
            row = next((index[key] for key in keys if key in index), None)
            if row is not None:
                at = torch.tensor([3 * m + s for m, s in topology.regressors[a, q]], dtype=torch.int64)
                found = self.coefficient[self.start[row] : self.start[row + 1]].cpu()
                matrix[i, at] = found[: len(at)]
                square[i, torch.tensor(topology.bends[a, q], dtype=torch.int64)] = found[len(at) :]
            else:
                row = next((index[name] for name in _bare(topology, a, q) if name in index), None)
            if row is None:
                intercept[i], scale[i] = _unknown(topology, a, q)
            else:
                intercept[i], scale[i] = self.intercept[row], self.scale[row]
        return make_plan(topology, matrix, square, intercept, scale)

    def coverage(self, topology: Topology) -> float:
        """Share of a molecule's stiff coordinates that are predicted from others: in surroundings seen in training."""
        known = set(self.keys.tolist())
        return sum(not known.isdisjoint(keys) for keys in topology.keys.values()) / len(topology.keys)


def _regressions(
    topologies: Sequence[Topology], positions: Sequence[np.ndarray], sizes: Mapping[int, int]
) -> dict[int, _Row]:
    """Rows of the names in ``sizes`` from all conformations that have them."""
    moments = {k: np.zeros((size + 2, size + 2)) for k, size in sizes.items()}
    for topology, frames in zip(topologies, positions, strict=True):
        wanted = {at: [k for k in keys if k in sizes] for at, keys in topology.keys.items()}
        bare = {at: [k for k in _bare(topology, *at) if k in sizes] for at in topology.keys}
        if not any(wanted.values()) and not any(bare.values()):
            continue
        z = _coordinates(topology, frames)
        extended = np.concatenate([z, z[:, 2::3] ** 2, np.ones((len(z), 1))], axis=1)
        second, squares, one = extended.T @ extended, z.shape[1], extended.shape[1] - 1
        for (n, q), keys in wanted.items():
            helpers = [3 * m + s for m, s in topology.regressors[n, q]]
            full = np.array([3 * n + q, *helpers, *(squares + m for m in topology.bends[n, q]), one])
            for key in keys:
                moments[key] += second[np.ix_(full, full)]
            for name in bare[n, q]:
                moments[name] += second[np.ix_([3 * n + q, one], [3 * n + q, one])]
    return {name: _regress(m) for name, m in moments.items()}


def _bare(topology: Topology, n: int, q: int) -> tuple[int, int]:
    """Names of a coordinate without regressors."""
    return topology.names[n][q].fine, topology.names[n][q].coarse


def _coordinates(topology: Topology, frames: np.ndarray) -> np.ndarray:
    """z of conformations [n, 3 N], float64; at most some thousands, evenly spread, those off the support left out."""
    frames = np.asarray(frames[:: max(1, len(frames) // _ROWS)])
    plan = stack([make_plan(topology)]).rows(torch.zeros(len(frames), dtype=torch.int64))
    found = internals(gather(torch.from_numpy(frames).double(), plan.order), plan)
    z = found.z[found.inside & torch.isfinite(found.z).flatten(1).all(1)].flatten(1).numpy()
    if len(z) == 0:
        raise NumericalError(
            f"no conformation of {topology.molecule.name} has the handedness of its topology.",
            fix="Give the topology that the data were made with.",
        )
    return z


def _regress(moments: np.ndarray) -> _Row:
    """Coefficients, intercept and residual standard deviation from the second moments of (z_i, regressors, 1)."""
    count = moments[-1, -1]
    mean = moments[-1, :-1] / count
    covariance = moments[:-1, :-1] / count - np.outer(mean, mean)
    width = np.sqrt(np.maximum(covariance.diagonal(), _SMALLEST**2))
    correlation = covariance / np.outer(width, width)
    inner = correlation[1:, 1:] + RIDGE * np.eye(len(width) - 1)
    beta = np.linalg.solve(inner, correlation[1:, 0]) if len(inner) else np.zeros(0)
    rest = correlation[0, 0] - 2 * beta @ correlation[1:, 0] + beta @ correlation[1:, 1:] @ beta
    a = beta * width[0] / width[1:]
    return a, float(mean[0] - a @ mean[1:]), float(max(_SMALLEST, width[0] * math.sqrt(max(rest, 0.0))))


def _unknown(topology: Topology, n: int, q: int) -> tuple[float, float]:
    """Mean and width of a coordinate of which nothing is known but its kind."""
    p = topology.order.placements[n]
    if q == 0:
        return math.log(0.105 if topology.molecule.elements[p.atom] == "H" else 0.145), 0.1
    if q == 1:
        return (math.log(0.145), 0.1) if p.two_parents else (math.log(math.tan(math.radians(57.0))), 0.2)
    return (math.log(math.tan(math.radians(60.0))) if p.torsion is Torsion.SIGNED else 0.0), 0.3
