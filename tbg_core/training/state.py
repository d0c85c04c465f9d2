"""The training state on disk: one safetensors file, so that it is either the old one or the new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from tbg_core.errors import CheckpointError
from tbg_core.storage.atomic import write_atomically
from tbg_core.storage.checkpoint import read_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from tbg_core.training.ema import WeightAverage

FILE = "training-state.safetensors"


def save_state(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage
) -> None:
    """Writes everything that the next step depends on, besides the config."""
    tensors: dict[str, Tensor] = {"step": torch.tensor(step)}
    tensors |= {f"model/{k}": v for k, v in model.state_dict().items()}
    tensors |= {f"average/{k}": v for k, v in average.tensors.items()}
    for i, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{i}/{k}": torch.as_tensor(v) for k, v in moments.items()}
    contiguous = {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}
    write_atomically(folder / FILE, lambda temporary: save_file(contiguous, temporary))


def load_state(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage) -> int:
    """Restores a state written by :func:`save_state`; returns its step (0 if there is none).

    Raises:
        CheckpointError: If the state is of another model.
    """
    path = folder / FILE
    if not path.is_file():
        return 0
    tensors = read_tensors(path)
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        if rest:
            groups[group][rest] = tensor
    try:
        model.load_state_dict(groups["model"])
        for name, tensor in groups["average"].items():
            average.tensors[name].copy_(tensor)
        state = optimizer.state_dict()
        state["state"] = {}
        for name, tensor in groups["optimizer"].items():
            index, _, moment = name.partition("/")
            state["state"].setdefault(int(index), {})[moment] = tensor
        optimizer.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"the training state in {folder} is of another model.",
            fix="Train in a new --out folder, or restore the config it was begun with.",
        ) from error
    return int(tensors["step"])
