"""Exact path ensembles of overdamped dynamics in one or two dimensions, by products of transition matrices.

The integral over frames is replaced by a sum over the nodes of a regular grid. For the smooth densities of steps that
is as good as exact once the spacing is below the width of a step; the edges of A and B, which are sharp, are resolved
to a fraction of the spacing, best where they lie between nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.interpolate import RegularGridInterpolator

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_paths.regions import Region


class GridPaths:
    """Paths x_{l+1} = x_l - h grad u + sqrt(2 h) xi on the nodes of a grid.

    Args:
        target: A target on R^1 or R^2.
        start: A.
        end: B.
        timestep: h.
        axes: Nodes along each coordinate, equally spaced.

    Attributes:
        nodes: [n, d].
        transition: Probabilities [n, n].
    """

    def __init__(self, target: Target, start: Region, end: Region, timestep: float, *axes: np.ndarray) -> None:
        self.axes = axes
        self.nodes = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        u, g = target.energy_and_grad(torch.from_numpy(self.nodes))
        self.weights = np.exp(float(u.min()) - u.numpy())
        self.in_start, self.in_end = start.contains(self.nodes), end.contains(self.nodes)
        mean = self.nodes - timestep * g.numpy()
        square = np.zeros((len(mean), len(mean)))
        for i in range(len(axes)):
            square += np.square(np.subtract.outer(mean[:, i], self.nodes[:, i]))
        cell = float(np.prod([axis[1] - axis[0] for axis in axes]))
        self.transition = np.exp(-square / (4 * timestep)) * cell / (4 * np.pi * timestep) ** (len(axes) / 2)

    def marginals(self, frames: int) -> np.ndarray:
        """Distribution of every frame over the nodes [L, n], of paths from A to B of L frames."""
        forward, backward = self._messages(frames)
        weights = np.stack(forward) * np.stack(backward)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def passages(self, frames: int) -> np.ndarray:
        """Joint distribution [L, L] of the last frame in A before B is first reached, and the first frame in B."""
        _, backward = self._messages(frames)
        between = ~(self.in_start | self.in_end)
        weights = np.zeros((frames, frames))
        before = self.weights * self.in_start  # has not been in B
        for leaves in range(frames - 1):
            moving = (before * self.in_start) @ self.transition
            for arrives in range(leaves + 1, frames):
                weights[leaves, arrives] = moving @ (self.in_end * backward[arrives])
                moving = (moving * between) @ self.transition
            before = (before @ self.transition) * ~self.in_end
        return np.asarray(weights / weights.sum())

    def committor(self) -> np.ndarray:
        """Probability to reach B before A from every node [n]: 1 in B, 0 in A, q = P q elsewhere."""
        between = np.flatnonzero(~(self.in_start | self.in_end))
        q = self.in_end.astype(float)
        inner = self.transition[np.ix_(between, between)]
        into = self.transition[np.ix_(between, np.flatnonzero(self.in_end))].sum(axis=1)
        q[between] = np.linalg.solve(np.eye(len(between)) - inner, into)
        return q

    def _messages(self, frames: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        forward, backward = [self.weights * self.in_start], [self.in_end.astype(float)]
        for _ in range(frames - 1):
            forward.append(forward[-1] @ self.transition)
            backward.append(self.transition @ backward[-1])
        return forward, backward[::-1]

    def at(self, x: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Values of the nodes [n], interpolated linearly at points x [m, d]."""
        return np.asarray(RegularGridInterpolator(self.axes, values.reshape([len(a) for a in self.axes]))(x))
