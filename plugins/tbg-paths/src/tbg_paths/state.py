"""Paths on their way: positions, energies, latent states, and what a move makes of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tbg_core.contracts.integrator import Status
from tbg_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.proposal import Proposal
    from tbg_paths.dynamics import PathDynamics
    from tbg_paths.regions import Region


@dataclass(frozen=True)
class Paths:
    """One path of each of C chains.

    Attributes:
        x: Frames [C, L, *event], on the space, nm for molecules.
        u: Reduced energies [C, L].
        g: Gradients of u [C, L, *event].
        z: Latent states [C, L, ...] of frames that have been mapped.
        log_det: log|det dx/dz| [C, L] of these.
        mapped: Which frames have [C, L].
    """

    x: Tensor
    u: Tensor
    g: Tensor
    z: Tensor
    log_det: Tensor
    mapped: Tensor

    def where(self, chosen: Tensor, other: Paths) -> Paths:
        """Paths of ``other`` where ``chosen`` [C], else these."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Paths(*(torch.where(chosen.view(-1, *(1,) * (old.ndim - 1)), new, old) for old, new in pairs))

    def arrays(self) -> dict[str, np.ndarray]:
        """As named arrays, for storage."""
        arrays = {f.name: getattr(self, f.name).numpy() for f in fields(self)}
        return arrays | {"mapped": arrays["mapped"].astype(np.uint8)}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Paths:
        """From :meth:`arrays`."""
        tensors = {f.name: torch.from_numpy(arrays[f.name].copy()) for f in fields(cls)}
        return cls(**(tensors | {"mapped": tensors["mapped"].bool()}))


@dataclass(frozen=True)
class Trial:
    """What a move proposes.

    Attributes:
        paths: The trial paths.
        log_ratio: log of P(X') q(X | X') / (P(X) q(X' | X)) [C]; nan or -inf where the move cannot be made.
    """

    paths: Paths
    log_ratio: Tensor


class PathSpace:
    """Paths of L frames from A to B under a dynamics: what every move needs to know.

    Attributes:
        target: The energy.
        dynamics: The dynamics.
        start: A.
        end: B.
        proposal: Whose latent space moves may use; None if none does.
        mapped_frames: Frames carried through the map so far, either way.
    """

    def __init__(
        self, target: Target, dynamics: PathDynamics, start: Region, end: Region, proposal: Proposal | None = None
    ) -> None:
        if proposal is not None and (proposal.biased or not proposal.has_latent):
            what = "has a stochastic log q" if proposal.biased else "has no latent space"
            raise ConfigError(
                f"{type(proposal).__name__} {what}, so that no latent move can be accepted exactly.",
                fix="Use a flow with a deterministic likelihood rule, or --moves shooting.",
            )
        self.target, self.dynamics, self.start, self.end, self.proposal = target, dynamics, start, end, proposal
        self.mapped_frames = 0

    def begin(self, x: Tensor) -> Paths:
        """Paths through given frames [C, L, *event]; no frame is mapped yet."""
        u, g = self.energies(x.flatten(0, 1))
        shape = x.shape[:2]
        latent = () if self.proposal is None else self.to_latent(x[:1, 0])[0].shape[1:]
        zeros = torch.zeros(shape, dtype=torch.float64)
        z = torch.zeros(*shape, *latent, dtype=torch.float64)
        return Paths(x, u.view(shape), g.view_as(x), z, zeros, zeros.bool())

    def energies(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """u [n] and its gradient [n, *event], float64 on the CPU."""
        if not len(x):
            return x.new_zeros(0), x.new_zeros(x.shape)
        u, g = self.target.energy_and_grad(x)
        return u.double().cpu(), g.double().cpu()

    def log_path(self, paths: Paths) -> Tensor:
        """Log-density of each path [C]."""
        return self.dynamics.log_path(paths.x, paths.u, paths.g)

    def connects(self, x: Tensor) -> Tensor:
        """Whether paths x [C, L, *event] begin in A and end in B [C]."""
        first, last = x[:, 0].numpy(), x[:, -1].numpy()
        with np.errstate(invalid="ignore"):
            return torch.from_numpy(self.start.contains(first) & self.end.contains(last))

    @torch.no_grad()
    def to_latent(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latent states [n, ...] of x [n, *event], and log|det dx/dz| [n]; nan where the map fails."""
        assert self.proposal is not None  # noqa: S101 - moves are checked when chains are set up
        self.mapped_frames += len(x)
        moved = self.proposal.to_latent(x, self.target.system)
        return moved.x.double().cpu(), -_good(moved.log_det, moved.status)

    @torch.no_grad()
    def from_latent(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """States [n, *event] of latent z [n, ...], and log|det dx/dz| [n]; nan where the map fails."""
        assert self.proposal is not None  # noqa: S101
        self.mapped_frames += len(z)
        moved = self.proposal.from_latent(z, self.target.system)
        return moved.x.double().cpu(), _good(moved.log_det, moved.status)

    def with_latent(self, paths: Paths, needed: Tensor) -> Paths:
        """Paths of which the frames ``needed`` [C, L] are mapped."""
        missing = needed & ~paths.mapped
        if not missing.any():
            return paths
        z, log_det = paths.z.clone(), paths.log_det.clone()
        z[missing], log_det[missing] = self.to_latent(paths.x[missing])
        return replace(paths, z=z, log_det=log_det, mapped=paths.mapped | missing)


def _good(log_det: Tensor, status: Tensor) -> Tensor:
    return log_det.double().masked_fill(status != Status.OK, torch.nan).cpu()
