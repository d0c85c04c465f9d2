"""What a user names, as a process: a mixture, or the model of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch

from tbg_core.config.load import make_config, read_mapping
from tbg_core.config.run_config import RunConfig
from tbg_core.contracts.system import Euclidean
from tbg_core.ensemble import Ensemble
from tbg_core.errors import ConfigError
from tbg_core.pipeline.checkpoints import bind_checkpoint, load_proposal
from tbg_core.pipeline.components import bind_target, build_system
from tbg_core.pipeline.train import CHECKPOINT
from tbg_core.storage.atomic import read_json
from tbg_nonequilibrium.mixture import Mixture
from tbg_nonequilibrium.process import LearnedDiffused
from tbg_nonequilibrium.proposal import DiffusionProposal
from tbg_nonequilibrium.thermodynamics import Data

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_nonequilibrium.process import Diffused


class Subject(NamedTuple):
    """What is studied.

    Attributes:
        process: Densities and scores.
        target: What a run weighs its samples by; None for a mixture and for a training.
        data: Samples of a run on R^d with the density of its target.
    """

    process: Diffused
    target: Target | None = None
    data: Data | None = None


EARLIEST = 1e-3
"""Earliest time of a learned process: the score of a network is a velocity over sqrt(2 t)."""


def subject_of(run: Path | None, mixture: str | None) -> Subject:
    """What a run folder holds, or ``"mu,s"`` means.

    Raises:
        ConfigError: If there is not exactly one of them, or it is not what it should be.
    """
    if (run is None) == (mixture is None):
        raise ConfigError("name a run or a mixture.", fix="tbg thermo RUN, or tbg thermo --mixture 1,1.")
    return Subject(_mixture(mixture)) if run is None else _model(run)


def _mixture(text: str | None) -> Mixture:
    try:
        mu, s = (float(part) for part in (text or "").split(","))
    except ValueError:
        raise ConfigError(f"--mixture {text!r} is not MU,S.", fix="Write e.g. --mixture 1,0.5.") from None
    if mu < 0 or s <= 0:
        raise ConfigError(f"--mixture {text!r}: MU must not be negative, S must be positive.")
    return Mixture.symmetric(mu, s)


def _model(run: Path) -> Subject:
    settings = run / "config.yaml"
    if not settings.is_file():
        raise ConfigError(f"{run} is no run (no config.yaml).", fix="Give a folder of `tbg run --model diffusion`.")
    known = {k: v for k, v in read_mapping(settings).items() if k in RunConfig.model_fields}
    checkpoint = run / CHECKPOINT
    if not checkpoint.is_dir() and (run / "checkpoint.json").is_file():
        checkpoint = Path(read_json(run / "checkpoint.json")["checkpoint"])
    if not checkpoint.is_dir():
        checkpoint = next(iter(sorted(run.glob(f"*/{CHECKPOINT}"))), checkpoint)
    config = bind_checkpoint(make_config(known, str(settings)), checkpoint)
    system = build_system(config)
    model = load_proposal(config, checkpoint, system, "cpu")
    if not isinstance(model, DiffusionProposal):
        raise ConfigError(
            f"the model of {run} is no diffusion but {type(model).__name__}.",
            fix="Train one: tbg run --model diffusion.",
        )
    process = LearnedDiffused(model, system)
    process.starts = EARLIEST
    if "energy" not in known:
        return Subject(process)
    target = bind_target(config, system)
    return Subject(process, target, _data(run, model, target))


def _data(run: Path, model: DiffusionProposal, target: Target) -> Data | None:
    """Weighted samples in length scales; their density is exp(-u) / Z, by log Z as it is known or else estimated.

    None for molecules, which the target knows on one of their mirror images only, and for samples without weight.
    """
    if not isinstance(target.system.space, Euclidean) or not (run / "ensemble").is_dir():
        return None
    ensemble = Ensemble.load(run)
    if not ensemble.ess > 1.0:
        return None
    log_z = target.reference_values.get("log_z", ensemble.log_z.value)
    scale = model.scale_for(target.system)
    u = torch.from_numpy(ensemble.reduced_energy)
    x = torch.from_numpy(ensemble.positions).double() / scale
    return Data(x, -u - log_z + target.system.space.dim * scale.log(), ensemble.log_weights)
