"""Small real systems and fields whose flows can be checked by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from tbg_core.contracts.field import Symmetry, VectorField
from tbg_core.contracts.system import Batch, Euclidean, MeanFree, StateSpace
from tbg_core.flows.config import FlowConfig
from tbg_core.flows.proposal import FlowProposal
from tbg_core.priors.config import GaussianConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, MeanFreeGaussian
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config

torch.set_num_threads(1)


@dataclass(frozen=True)
class Toy:
    name: str
    space: StateSpace

    @property
    def key(self):
        return f"toy-{self.name}"


def euclidean(d: int) -> Toy:
    return Toy(f"r{d}", Euclidean(d))


def atoms(n: int) -> Toy:
    return Toy(f"atoms{n}", MeanFree(n))


class LinearField(VectorField):
    """v = A x + b."""

    def __init__(self, matrix, shift=None):
        super().__init__()
        self.register_buffer("matrix", torch.as_tensor(matrix, dtype=torch.float64))
        zero = torch.zeros(len(self.matrix), dtype=torch.float64)
        self.register_buffer("shift", zero if shift is None else torch.as_tensor(shift, dtype=torch.float64))

    def forward(self, t, x, batch, condition=None):
        return x @ self.matrix.T.to(x) + self.shift.to(x)


class MlpField(VectorField):
    """A random two-layer network on R^d, condition added to its input if there is one."""

    def __init__(self, d, seed=0, strength=1.5, activation=torch.tanh):
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.w1 = torch.nn.Parameter(torch.randn(16, d + 1, generator=g) / (d + 1) ** 0.5)
        self.b1 = torch.nn.Parameter(torch.randn(16, generator=g))
        self.w2 = torch.nn.Parameter(strength * torch.randn(d, 16, generator=g) / 4)
        self.activation = activation

    def forward(self, t, x, batch, condition=None):
        y = x if condition is None else x + condition
        hidden = self.activation(torch.cat([y, t[:, None]], dim=1) @ self.w1.T + self.b1)
        return hidden @ self.w2.T


class PairField(VectorField):
    """Forces between all pairs of atoms of two kinds: E(3)-equivariant and mean-free."""

    symmetry = Symmetry("E3", permutation=True)

    def __init__(self, strength=0.6):
        super().__init__()
        self.strength = torch.nn.Parameter(torch.tensor([strength, -0.5 * strength, 0.3]))

    def forward(self, t, x, batch, condition=None):
        n = x.shape[1]
        real = torch.ones(x.shape[:2], dtype=torch.bool) if batch.mask is None else batch.mask
        pairs = (real[:, :, None] & real[:, None, :]).to(x)
        kind = (torch.arange(n) % 2).to(x)
        difference = x[:, :, None] - x[:, None]
        d2 = difference.square().sum(-1)
        a, b, c = self.strength
        g = (
            a * torch.exp(-d2)
            + b * torch.sin(3 * t)[:, None, None] * kind[:, None] * kind / (1 + d2)
            + c * t[:, None, None] / (2 + d2)
        )
        return ((pairs * g)[..., None] * difference).sum(2)

    def atom_classes(self, system):
        return torch.arange(system.space.event_shape[0]) % 2


class _Opaque(torch.autograd.Function):
    """tanh without a forward-mode derivative."""

    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        (y,) = ctx.saved_tensors
        return gradient * (1 - y * y)


def opaque_mlp(d):
    """The network of MlpField made of an operation that only reverse mode can differentiate."""
    return MlpField(d, activation=_Opaque.apply)


def dopri5(tolerance=1e-8):
    return Dopri5(Dopri5Config(rtol=tolerance, atol=tolerance))


def flow(field, likelihood, *, tolerance=1e-8, dtype="float64", scale=None, prior=None):
    if prior is None:
        molecular = isinstance(field, PairField)
        prior = MeanFreeGaussian(MeanFreeGaussianConfig()) if molecular else Gaussian(GaussianConfig())
    config = FlowConfig(length_scale_nm=scale, dtype=dtype)
    integrator = tolerance if not isinstance(tolerance, float) else dopri5(tolerance)
    return FlowProposal(config, prior=prior, field=field, integrator=integrator, likelihood=likelihood)


def padded(counts, width, seed=0):
    """A padded float64 batch: states, Batch, and the unpadded rows."""
    g = torch.Generator().manual_seed(seed)
    systems = tuple(atoms(n) for n in sorted(set(counts)))
    index = torch.tensor([sorted(set(counts)).index(n) for n in counts])
    mask = torch.arange(width) < torch.tensor(counts)[:, None]
    batch = Batch(systems, index, mask)
    x = batch.centre(torch.randn(len(counts), width, 3, generator=g, dtype=torch.float64))
    return x, batch, [x[i, :n] for i, n in enumerate(counts)]


@pytest.fixture(scope="session")
def toys():
    """The definitions of this file, for test modules (which cannot import one another)."""
    from types import SimpleNamespace

    return SimpleNamespace(
        euclidean=euclidean,
        atoms=atoms,
        LinearField=LinearField,
        MlpField=MlpField,
        PairField=PairField,
        opaque_mlp=opaque_mlp,
        dopri5=dopri5,
        flow=flow,
        padded=padded,
    )
