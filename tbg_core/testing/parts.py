"""Small parts that other components are tested with; everything about them is known exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from tbg_core.contracts.energy import EnergyBackend, Target, ThermodynamicState
from tbg_core.contracts.field import Symmetry, VectorField
from tbg_core.contracts.integrator import Integrator, Solution, Status
from tbg_core.contracts.proposal import Draws, Proposal
from tbg_core.contracts.system import Batch, Euclidean, Logits, MeanFree, StateSpace
from tbg_core.molecule import Molecule
from tbg_core.molecule.graph import neighbour_table
from tbg_core.molecule.handedness import handedness_labels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tbg_core.contracts.integrator import Rhs
    from tbg_core.contracts.prior import Prior
    from tbg_core.contracts.system import System
    from tbg_core.randomness import SampleKeys

# ------------------------------------------------------------------------------------------------ systems


@dataclass(frozen=True)
class Point:
    """A system without chemistry: a point in R^dim, or ``atoms`` points in space."""

    space: StateSpace

    @property
    def name(self) -> str:
        """Says what it is."""
        return f"test-{type(self.space).__name__.lower()}-{self.space.event_shape[0]}"

    @property
    def key(self) -> str:
        """Its own; hexadecimal as the contract asks."""
        return self.name.encode().hex()


def plane(dim: int = 2) -> Point:
    """A point in R^dim."""
    return Point(Euclidean(dim))


def atoms(count: int = 4) -> Point:
    """Points in space that are no molecule."""
    return Point(MeanFree(count))


def labels(variables: int = 3, classes: int = 3) -> Point:
    """Discrete variables of which nothing but their number is known."""
    return Point(Logits(variables, classes))


def n_methylacetamide() -> Molecule:
    """ACE-NME: twelve atoms, an amide, two methyl groups; the smallest molecule that the residue names describe."""
    x = np.array(
        [
            [-0.1807, 0.0453, -0.0419],
            [-0.2090, 0.0880, 0.0543],
            [-0.2209, -0.0556, -0.0500],
            [-0.2206, 0.1070, -0.1223],
            [-0.0298, 0.0401, -0.0518],
            [0.0284, 0.1007, -0.1418],
            [0.0331, -0.0325, 0.0411],
            [-0.0240, -0.0785, 0.1108],
            [0.1781, -0.0502, 0.0489],
            [0.2036, -0.1134, 0.1342],
            [0.2269, 0.0467, 0.0608],
            [0.2149, -0.0974, -0.0424],
        ]
    )
    elements = tuple("CHHHCONHCHHH")
    bonds = ((0, 1), (0, 2), (0, 3), (0, 4), (4, 5), (4, 6), (6, 7), (6, 8), (8, 9), (8, 10), (8, 11))
    masses = {"C": 12.011, "H": 1.008, "N": 14.007, "O": 15.999}
    return Molecule(
        name="ACE-NME",
        elements=elements,
        atom_names=("CH3", "H1", "H2", "H3", "C", "O", "N", "H", "C", "H1", "H2", "H3"),
        residue_index=(0,) * 6 + (1,) * 6,
        residue_names=("ACE", "NME"),
        bonds=bonds,
        masses=tuple(masses[e] for e in elements),
        formal_charges=(0,) * 12,
        handedness=handedness_labels(neighbour_table(12, bonds), x, elements),
        reference=x,
    )


def near_reference(molecule: Molecule, count: int, spread: float = 0.005, seed: int = 11) -> Tensor:
    """Conformations [count, N, 3] (nm, float64) close to the reference."""
    noise = np.random.default_rng(seed).normal(scale=spread, size=(count, molecule.n_atoms, 3))
    return torch.from_numpy(np.asarray(molecule.reference, dtype=np.float64) + noise)


# ------------------------------------------------------------------------------------------------- fields


class LinearField(VectorField):
    """v = A x on R^d: its flow is the exponential of A, its divergence the trace."""

    def __init__(self, matrix: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.matrix = torch.tensor(matrix, dtype=torch.float64)

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        return x @ self.matrix.to(x).T


class CurvedField(VectorField):
    """A smooth nonlinear field on R^d, with weights that can be trained."""

    def __init__(self, dim: int, width: int = 16) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.inner = nn.Parameter(torch.randn(dim + 1, width, generator=generator) / math.sqrt(dim + 1))
        self.outer = nn.Parameter(torch.randn(width, dim, generator=generator) / math.sqrt(width))
        self.shift = nn.Parameter(torch.zeros(dim))

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        velocity: Tensor = torch.tanh(torch.cat([x, t.to(x)[:, None]], dim=1) @ self.inner) @ self.outer + self.shift
        return velocity


class PairField(VectorField):
    """Smooth forces between all pairs of atoms: equivariant, mean-free, and at home in padded batches."""

    symmetry = Symmetry("E3", permutation=True)

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.strength = nn.Parameter(scale * torch.tensor([0.5, -0.2]))

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if batch.mask is None else batch.mask
        pairs = (real[:, :, None] & real[:, None, :]).to(x)
        between = x[:, :, None] - x[:, None]
        square = between.square().sum(-1)
        a, b = self.strength.to(x)
        law = pairs * (a * torch.exp(-square) + b * t.to(x)[:, None, None] / (1 + square))
        velocity: Tensor = (law[..., None] * between).sum(2)
        return velocity

    @override
    def atom_classes(self, system: System) -> Tensor:
        return torch.zeros(system.space.event_shape[0], dtype=torch.int64)


# --------------------------------------------------------------------------------------------- integrator


class ClassicRK4(Integrator):
    """The classical Runge-Kutta method with equal steps and cubic Hermite dense output."""

    order = 4
    adaptive = False

    def __init__(self, steps: int = 24) -> None:
        self.steps = steps

    @override
    def integrate(self, rhs: Rhs, x0: Tensor, t0: float, t1: float, accumulators: Sequence[str] = ()) -> Solution:
        rows = torch.arange(len(x0), device=x0.device)
        shape = (-1,) + (1,) * (x0.ndim - 1)
        h = (t1 - t0) / self.steps

        def slope(t: float, x: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
            return rhs(torch.full((len(x0),), t, dtype=x0.dtype, device=x0.device), x, rows)

        x, status = x0, torch.zeros(len(x0), dtype=torch.int64, device=x0.device)
        sums = {name: torch.zeros(len(x0), dtype=torch.float64, device=x0.device) for name in accumulators}
        steps = self.steps if t1 != t0 and len(x0) else 0
        first = slope(t0, x0)
        knots, slopes = [x0], [first[0]]
        for step in range(steps):
            t, stages = t0 + step * h, [first]
            for fraction in (0.5, 0.5, 1.0):
                stages.append(slope(t + fraction * h, x + fraction * h * stages[-1][0]))
            weights = (h / 6, h / 3, h / 3, h / 6)
            new = x + sum(w * v for w, (v, _) in zip(weights, stages, strict=True))
            finite = torch.isfinite(new.detach()).flatten(1).all(dim=1) & (status == Status.OK)
            status = torch.where(finite, status, int(Status.NONFINITE))
            x = torch.where(finite.view(shape), new, x)
            for name in accumulators:
                rate = sum(w * rates[name].double() for w, (_, rates) in zip(weights, stages, strict=True))
                sums[name] = sums[name] + torch.where(finite, rate, 0.0)
            first = slope(t + h, x)
            knots.append(x)
            slopes.append(first[0])

        def path(t: float) -> Tensor:
            if not min(t0, t1) <= t <= max(t0, t1):
                raise ValueError(f"t = {t} is outside [{t0}, {t1}]")
            if len(knots) == 1:
                return x0
            at = min(int((t - t0) / h), self.steps - 1)
            s = (t - t0) / h - at
            a, b, va, vb = knots[at], knots[at + 1], slopes[at], slopes[at + 1]
            blend = (1 + 2 * s) * (1 - s) ** 2 * a + s * (1 - s) ** 2 * h * va.nan_to_num()
            return blend + s * s * (3 - 2 * s) * b + s * s * (s - 1) * h * vb.nan_to_num()

        evaluations = torch.full((len(x0),), 1 + 4 * steps, dtype=torch.int64, device=x0.device)
        return Solution(x, sums, evaluations, status, path)


# --------------------------------------------------------------------------------- densities and energies


class Bowl(Target):
    """u = stiffness |x - centre|^2 / 2 on the space, with its exact log Z and mean energy."""

    def __init__(self, system: System, state: ThermodynamicState, stiffness: float = 2.0) -> None:
        super().__init__(system, state)
        self.stiffness = stiffness
        reference = getattr(system, "reference", None)
        self.centre = torch.zeros(system.space.event_shape, dtype=torch.float64)
        if reference is not None:
            self.centre = torch.from_numpy(np.asarray(reference, dtype=np.float64))

    def _evaluate(self, x: Tensor, *, gradient: bool) -> tuple[Tensor, Tensor | None]:
        away = self.system.space.project(x.double()) - self.centre.to(x.device)
        u = 0.5 * self.stiffness * away.flatten(1).square().sum(dim=1)
        return u, self.stiffness * away if gradient else None

    @property
    @override
    def reference_values(self) -> Mapping[str, float]:
        dim = self.system.space.dim
        return {"log_z": 0.5 * dim * math.log(2 * math.pi / self.stiffness), "mean_energy": 0.5 * dim}


class Harmonic(EnergyBackend):
    """The backend of :class:`Bowl`."""

    def __init__(self, stiffness: float = 2.0) -> None:
        self.stiffness = stiffness

    @override
    def bind(self, system: System, state: ThermodynamicState) -> Bowl:
        return Bowl(system, state, self.stiffness)


class GaussianProposal(Proposal):
    """A prior of unit length scale, as it is, with a width that can be trained."""

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        self.prior = prior
        self.log_width = nn.Parameter(torch.zeros((), dtype=torch.float64))

    @property
    @override
    def symmetry(self) -> Symmetry:
        return self.prior.symmetry

    @override
    def sample_with_log_prob(self, keys: SampleKeys, system: System, condition: Tensor | None = None) -> Draws:
        return self.log_prob(self.prior.sample(keys.child("prior"), system) * self.log_width.exp(), system)

    @override
    def log_prob(self, x: Tensor, system: System, condition: Tensor | None = None) -> Draws:
        log_q = self.prior.log_prob(x.double() / self.log_width.exp(), system) - system.space.dim * self.log_width
        zeros = torch.zeros(len(x), dtype=torch.int64)
        return Draws(x, log_q, torch.zeros(len(x), dtype=torch.float64), zeros, zeros)

    @override
    def atom_classes(self, system: System) -> Tensor:
        return self.prior.atom_classes(system)
