"""Conditional flow matching: regression of the field on straight lines from prior to data."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from typing_extensions import override

from tbg_core.contracts.objective import Objective
from tbg_core.contracts.system import MeanFree
from tbg_core.errors import ConfigError
from tbg_core.flows.proposal import FlowProposal
from tbg_core.objectives.coupling import align, align_alike
from tbg_core.objectives.forces import ForceTargets

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import Batch, System
    from tbg_core.objectives.config import FlowMatchingConfig
    from tbg_core.randomness import SampleKeys


class FlowMatching(Objective):
    """E |T v(T t, x_t) - (x1 - x0)|^2 / D with x_t = (1-t) x0 + t x1 + sigma eps, t in [0, 1].

    T is the time at which the flow ends, 1 for most. x0 is from the prior, x1 from the data, in units of the flow's
    length scale; eps is standard normal on the space. D is the number of coordinates of a row's own system (3N for
    molecules), so that large molecules of a mixed batch do not outweigh small ones.

    All noise of a batch comes from one generator seeded by its keys: in training the batch, not the sample,
    is the unit that is reproduced. Source: Lipman et al., ICLR 2023; Klein and Noe, NeurIPS 2024.

    With an energy, forces at the data take noise out of the target: :class:`ForceTargets`.
    """

    def __init__(self, config: FlowMatchingConfig) -> None:
        self.config = config
        self.forces: ForceTargets | None = None
        self._alike: dict[str, list[Tensor]] = {}
        if config.energy is not None:
            self.forces = ForceTargets(config.energy, config.temperature_K, config.force_reach)

    @override
    def loss(self, proposal: Proposal, x: Tensor, batch: Batch, keys: SampleKeys) -> Tensor:
        flow = self._checked(proposal)
        # In mixed precision only the network may run in few digits, not the states it is trained on.
        with torch.autocast(x.device.type, enabled=False):
            t, x_t, target = self._regression(flow, x, batch, keys)
        error = flow.t_end * flow.field(flow.t_end * t, x_t, batch) - target
        squares = error.flatten(1).square()
        if batch.mask is None:
            per_row: Tensor = squares.mean(dim=1)
            return per_row.mean()
        # Padded atoms carry no target; whatever the field says there does not count.
        real = batch.mask.unsqueeze(-1).expand(x.shape).flatten(1)
        per_row = squares.where(real, 0.0).sum(dim=1) / real.sum(dim=1)
        return per_row.mean()

    @override
    def close(self) -> None:
        if self.forces is not None:
            self.forces.targets.close()

    def _regression(
        self, flow: FlowProposal, x: Tensor, batch: Batch, keys: SampleKeys
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Times t [B], states x_t and velocities x1 - x0 [B, *event] in the flow's type and units."""
        digest = hashlib.sha256(f"{keys.seed}\0{keys.stream}\0".encode() + keys.index.tobytes()).digest()
        noise = torch.Generator(x.device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        molecules = isinstance(batch.systems[0].space, MeanFree)
        x1 = (x / flow.scale_for(batch.systems[0]).to(x.device)).to(flow.dtype)
        x1 = batch.centre(x1) if molecules else x1
        x0 = flow.prior.sample_batch(batch, tuple(x.shape[1:]), noise, flow.dtype)
        eps = torch.randn(x.shape, generator=noise, device=x.device, dtype=flow.dtype)
        eps = batch.centre(eps) if molecules else batch.systems[0].space.project(eps)
        turned = self._turned(flow, batch)
        if turned != "no" and self.config.coupling == "equivariant":
            sets = [self._alike_atoms(flow, system) for system in batch.systems]
            x0 = align_alike(x0, x1, [sets[i] for i in batch.index.tolist()], reflections=turned == "reflections")
        elif turned != "no":
            x0 = align(x0, x1, reflections=turned == "reflections")
        t = self._times(len(x), np.random.default_rng(list(digest[8:]))).to(x1)
        along = t.view(-1, *(1,) * (x.ndim - 1))
        target = x1 - x0
        if self.forces is not None:
            scale = flow.scale_for(batch.systems[0]).to(x.device)
            target = target - self.forces.noise(flow.prior, batch, x0, x1, t, scale, turned=turned)
        return t, (1 - along) * x0 + along * x1 + self.config.sigma * eps, target

    def _times(self, count: int, rng: np.random.Generator) -> Tensor:
        law = self.config.time_law
        if law == "beta":
            t = rng.beta(self.config.time_alpha, self.config.time_beta, size=count)
        elif law == "stratified":
            # Shuffled, for rows may be ordered by system.
            t = (rng.permutation(count) + rng.random(count)) / count
        else:
            t = rng.random(count)
        return torch.from_numpy(t)

    def _alike_atoms(self, flow: FlowProposal, system: System) -> list[Tensor]:
        """Sets of two atoms or more that neither field nor prior tells apart: their indices."""
        if system.key not in self._alike:
            classes = flow.atom_classes(system).cpu()
            sets = [(classes == c).nonzero()[:, 0] for c in torch.unique(classes)]
            self._alike[system.key] = [members for members in sets if len(members) > 1]
        return self._alike[system.key]

    def _turned(self, flow: FlowProposal, batch: Batch) -> Literal["no", "rotations", "reflections"]:
        """How prior draws are turned onto the data.

        Turning x0 by a rotation (or exchanging atoms) that depends on x1 leaves the prior's law alone only on average
        over the orientations of the data, an average that an equivariant flow makes by itself and others do not.

        Raises:
            ConfigError: If alignment was asked for and the flow lacks the symmetry.
        """
        symmetry, coupling = flow.symmetry, self.config.coupling
        possible = symmetry.group != "none" and isinstance(batch.systems[0].space, MeanFree)
        if coupling in ("kabsch", "equivariant") and not possible:
            raise ConfigError(
                f"The coupling {coupling} needs molecules and a field and prior that commute with rotations.",
                fix="Set coupling to independent.",
            )
        aligns = possible and coupling != "independent"
        if aligns and self.config.align_reflections and not symmetry.reflection:
            raise ConfigError(
                "align_reflections needs a field and prior that commute with reflections; "
                f"{type(flow.field).__name__} tells mirror images apart.",
                fix="Set align_reflections to false.",
            )
        if not aligns:
            return "no"
        reflections = self.config.align_reflections
        return "reflections" if (symmetry.reflection if reflections is None else reflections) else "rotations"

    def _checked(self, proposal: Proposal) -> FlowProposal:
        """The flow to train.

        Raises:
            ConfigError: If the proposal is no flow, or one whose path is not for the objective to choose.
        """
        if not isinstance(proposal, FlowProposal) or not proposal.any_path:
            raise ConfigError(
                f"Flow matching trains continuous flows along straight paths, not {type(proposal).__name__}.",
                fix="Choose another objective or a model with a vector field.",
            )
        return proposal
