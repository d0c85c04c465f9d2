"""A one-dimensional double well, and a proposal whose map to latent space is known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.field import Symmetry
from tbg_core.contracts.likelihood import Transport
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.loading import load_target
from tbg_paths.config import PathSettings
from tbg_paths.dynamics import Inertial, Medium, Overdamped
from tbg_paths.regions import parse_region
from tbg_paths.state import PathSpace

torch.set_num_threads(1)


class Bent(Proposal):
    """x = z + bend tanh(z) in every coordinate, z standard normal: a bad model, which must not matter."""

    def __init__(self, bend=0.8):
        super().__init__()
        self.bend = bend

    symmetry = Symmetry()

    def from_latent(self, z, system, condition=None):
        log_det = torch.log1p(self.bend / torch.cosh(z).square()).flatten(1).sum(1)
        return self._moved(z + self.bend * torch.tanh(z), log_det)

    def to_latent(self, x, system, condition=None):
        z = x.double() / (1 + self.bend)
        for _ in range(60):
            z = z - (z + self.bend * torch.tanh(z) - x) / (1 + self.bend / torch.cosh(z).square())
        return self._moved(z, -self.from_latent(z, system).log_det)

    def latent_log_prob(self, z, system, condition=None):
        return -0.5 * z.square().flatten(1).sum(1) - 0.5 * z[:1].numel() / max(len(z[:1]), 1) * math.log(2 * math.pi)

    def log_prob(self, x, system, condition=None):
        moved = self.to_latent(x, system)
        zeros = torch.zeros(len(x), dtype=torch.int64)
        log_q = self.latent_log_prob(moved.x, system) + moved.log_det
        return Draws(x, log_q, moved.log_det_err, zeros + ~torch.isfinite(log_q), zeros)

    def sample_with_log_prob(self, keys, system, condition=None):
        z = keys.normal(system.space.event_shape)
        return self.log_prob(self.from_latent(z, system).x, system)

    @staticmethod
    def _moved(x, log_det):
        zeros = torch.zeros(len(x), dtype=torch.int64)
        return Transport(x, log_det, torch.zeros(len(x), dtype=torch.float64), zeros, zeros)


@pytest.fixture
def bent():
    return Bent


@pytest.fixture
def well():
    """``well(dim, inertial)``: paths between the wells of a low double well, so that chains mix in seconds."""

    def make(dim=1, inertial=False, timestep=0.04, friction=1.0, proposal=None, barrier=5.0, **states):
        energy = {"name": "double-well", "barrier": barrier}
        target = load_target(f"double-well:{dim}", energy, temperature_K=300.0)
        kind = Inertial if inertial else Overdamped
        dynamics = kind(Medium.of(target), timestep, friction)
        states = {"start": "x:0=-1+-0.4", "end": "x:0=1+-0.4", **states}
        regions = [parse_region(states[end], target.system) for end in ("start", "end")]
        return PathSpace(target, dynamics, *regions, proposal=proposal)

    return make


@pytest.fixture
def brute():
    """Free trajectories from the Boltzmann distribution in A, those kept that end in B."""

    def run(space, frames, count, seed=0):
        rng = np.random.default_rng(seed)
        target = space.target
        x = torch.from_numpy(target.draw(rng, count))
        x = x[torch.from_numpy(space.start.contains(x.numpy()))]
        path, before = [x], None
        for _ in range(frames - 1):
            normal = torch.from_numpy(rng.standard_normal(x.shape))
            x, before = space.dynamics.forward(x, before, space.energies(x)[1], normal), x
            path.append(x)
        paths = torch.stack(path, dim=1)
        return paths[space.connects(paths)].numpy()

    return run


@pytest.fixture
def lines():
    """Straight paths from -1 to 1 in the first coordinate."""

    def make(chains, frames, dim=1):
        x = torch.zeros(chains, frames, dim, dtype=torch.float64)
        x[:, :, 0] = torch.linspace(-1, 1, frames)
        return x

    return make


@pytest.fixture
def settings():
    def make(**given):
        base = {"start": "A", "end": "B", "dynamics": "overdamped", "frames": 16, "timestep": 0.04, "friction": 1.0}
        return PathSettings(**{**base, "cvs": ("x:0", "x:0"), **given})

    return make
