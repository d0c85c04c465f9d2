"""How exact the map to latent space and back is, and the version of a proposal that makes it so.

Acceptance of latent moves presumes that x(z(x)) = x. A path is stiff: of a molecule at 1 fs, frames that are 1e-6 nm
off change its log-density by several nats, and a network in float32 is no better than that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from tbg_core.ensemble.metrics import finite
from tbg_core.errors import PluginError, UnknownComponentError
from tbg_core.flows.proposal import FlowProposal
from tbg_core.registry import get_registry

if TYPE_CHECKING:
    from tbg_core.contracts.proposal import Proposal
    from tbg_paths.state import Paths, PathSpace

_TIGHT: Final = {"name": "dopri5", "rtol": 1e-8, "atol": 1e-8}
_PATHS, _FRAMES = 4, 64


def precise(proposal: Proposal) -> Proposal:
    """The same density in float64 where that costs little: where no equation is to be solved.

    A flow stays as it is: its integrator is the user's, and :func:`map_errors` says what that is worth.
    """
    if isinstance(proposal, FlowProposal) or not proposal.has_latent:
        return proposal
    try:
        tight = get_registry().build("integrator", _TIGHT)
    except (UnknownComponentError, PluginError):
        return proposal
    return proposal.reference(tight) or proposal


def map_errors(space: PathSpace, paths: Paths) -> dict[str, Any]:
    """What goes to latent space and back does not return as it was: by how much.

    Returns:
        ``log_det_rms``: of log|det dx/dz|, nats per frame. ``log_path_rms``: of log P of whole paths, nats, by which
        acceptance may be off; both null where no frame or path can be mapped. ``chains_off_the_model``: chains that
        hold a frame outside of the model's support, which no latent move can leave.
    """
    good = paths.mapped & torch.isfinite(paths.log_det)
    frames = good.flatten().nonzero()[:, 0]
    frames = frames[:: max(1, len(frames) // _FRAMES)][:_FRAMES]
    volume = space.to_latent(paths.x.flatten(0, 1)[frames])[1] - paths.log_det.flatten()[frames]
    x = paths.x[good.all(dim=1).nonzero()[:_PATHS, 0]]
    again = space.from_latent(space.to_latent(x.flatten(0, 1))[0])[0].view_as(x) if len(x) else x
    change = space.log_path(space.begin(again)) - space.log_path(space.begin(x)) if len(x) else torch.zeros(0)
    found: dict[str, Any] = finite(
        {
            "log_det_rms": float(volume.square().mean().sqrt()),
            "log_path_rms": float(change.square().mean().sqrt()),
            "chains_off_the_model": int((paths.mapped & ~torch.isfinite(paths.log_det)).any(dim=1).sum()),
        }
    )
    return found
