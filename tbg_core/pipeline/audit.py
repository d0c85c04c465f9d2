"""The error of log q, measured on a few samples of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from tbg_core.errors import PluginError, UnknownComponentError
from tbg_core.flows.audit import audit
from tbg_core.pipeline.checkpoints import load_proposal
from tbg_core.pipeline.components import build_system
from tbg_core.pipeline.folder import read_provenance, write_provenance
from tbg_core.randomness import SampleKeys
from tbg_core.registry import get_registry

if TYPE_CHECKING:
    from pathlib import Path

    from tbg_core.config.run_config import RunConfig
    from tbg_core.pipeline.progress import Progress

ENTRY: Final = "log_q_audit"
_TIGHT: Final = {"name": "dopri5", "rtol": 1e-8, "atol": 1e-8}


def audit_run(config: RunConfig, checkpoint: Path, out: Path, stream: str, *, device: str, progress: Progress) -> None:
    """Draws the first samples again, and compares their log q with a tight evaluation in float64.

    What it finds goes into the provenance of ``out``, once: an error of log q is deterministic, so that no interval
    shows it. Nothing is recorded where the density has no better evaluation, or no tight integrator is installed.

    Args:
        config: Uses system, model, its slots, ``sampling.audit_samples`` and seed.
        checkpoint: The model.
        out: Run folder.
        stream: Random stream that the samples were drawn from.
        device: Where the network runs.
        progress: Told of the result.
    """
    count = min(config.sampling.audit_samples, config.sampling.num_samples)
    if count == 0 or ENTRY in read_provenance(out):
        return
    try:
        tight = get_registry().build("integrator", _TIGHT)
    except (UnknownComponentError, PluginError):
        return
    system = build_system(config)
    proposal = load_proposal(config, checkpoint, system, device)
    with progress.stage("audit", total=count, unit="samples") as bar, torch.no_grad():
        draws = proposal.sample_with_log_prob(SampleKeys.range(config.seed, stream, 0, count), system)
        found = audit(proposal, draws, system, tight)
        if found is None:
            bar.advance(count, note="log q has no independent evaluation")
            return
        bar.advance(count, note=f"log q off by {found.rms:.1e} rms")
    entry: dict[str, Any] = {"samples": count, "failed": found.failed, "rms": found.rms, "max": found.max}
    write_provenance(out, **{ENTRY: entry})
