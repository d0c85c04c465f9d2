"""The training loop: resumable to the step, on one device or several."""

from __future__ import annotations

import csv
import math
import time
from functools import partial
from typing import TYPE_CHECKING, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn

from tbg_core.errors import ConfigError, NumericalError, OffSupportError, StorageError
from tbg_core.randomness import SampleKeys
from tbg_core.storage.atomic import write_text
from tbg_core.training.ema import WeightAverage
from tbg_core.training.schedule import scheduled_rate
from tbg_core.training.several import fit_on_several
from tbg_core.training.state import load_state, save_state

if TYPE_CHECKING:
    from pathlib import Path

    from lightning_fabric.wrappers import _FabricModule
    from torch import Tensor

    from tbg_core.config.settings import TrainingSettings
    from tbg_core.contracts.objective import Objective
    from tbg_core.contracts.proposal import Proposal
    from tbg_core.contracts.system import Batch
    from tbg_core.pipeline.progress import Progress
    from tbg_core.training.data import TrainingData

LOG = "loss.csv"
_COLUMNS = ("step", "loss", "held_out_loss", "seconds")


class _Loss(nn.Module):
    """The objective as a module, so that Fabric can wrap its forward pass (precision, several devices)."""

    def __init__(self, proposal: Proposal, objective: Objective) -> None:
        super().__init__()
        self.proposal = proposal
        self.objective = objective

    def forward(self, x: Tensor, draw: _Draw) -> Tensor:
        return self.objective.loss(self.proposal, x, draw.batch, draw.keys)


class _Draw:
    """Whose rows a batch holds, and its keys; no dataclass, for Fabric would take it apart to convert tensors."""

    def __init__(self, batch: Batch, keys: SampleKeys) -> None:
        self.batch, self.keys = batch, keys

    def select(self, rows: Tensor) -> _Draw:
        """That of some of the rows."""
        return _Draw(self.batch.select(rows), self.keys.select(rows))


def _optimizer(proposal: Proposal, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Adam, or AdamW where weights decay; the state of both has one form."""
    if settings.weight_decay == 0.0:
        return torch.optim.Adam(proposal.parameters(), lr=settings.learning_rate)
    return torch.optim.AdamW(proposal.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)


class Trainer:
    """Minimises an objective over keyed batches.

    Every step depends on the state before it and on (seed, step) alone. So a run that was killed and
    resumed gives the weights of an uninterrupted one (bitwise on one thread of one machine).

    Args:
        settings: Steps, batch size, rates, precision, intervals.
        seed: The user's seed.
        folder: Where training state and loss log go.
        device: A CPU or a CUDA device.
        devices: Number of such devices; on a CPU, of processes.

    Raises:
        ConfigError: If several devices are wanted of one that is numbered, or a batch has no row for each.
    """

    def __init__(
        self, settings: TrainingSettings, seed: int, folder: Path, device: torch.device, devices: int = 1
    ) -> None:
        if devices > 1 and device.index is not None:
            raise ConfigError(f"{device} is one device, not {devices}.", fix=f"Use --device {device.type}.")
        if settings.batch_size < devices:
            raise ConfigError(
                f"a batch of {settings.batch_size} has no row for each of {devices} devices.",
                fix="Raise training.batch_size, or use fewer --devices.",
            )
        self.settings, self.seed, self.folder, self.devices = settings, seed, folder, devices
        # A batch need not use every parameter: the density of a molecule without rings has none of a ring.
        several = DDPStrategy(start_method="spawn", find_unused_parameters=True)
        self.fabric = Fabric(
            accelerator=device.type,
            devices=devices if device.index is None else [device.index],
            precision=settings.precision,
            strategy=several if devices > 1 else "auto",
        )

    def fit(
        self,
        proposal: Proposal,
        objective: Objective,
        training: TrainingData,
        validation: TrainingData | None,
        progress: Progress,
    ) -> WeightAverage:
        """Trains ``proposal`` in place to the last step; returns its averaged weights.

        Raises:
            NumericalError: If the loss or its gradient becomes non-finite; the last saved state is kept.
        """
        fit = partial(self._fit, proposal, objective, training, validation)
        if self.devices == 1:
            return fit(progress)
        threads = max(1, torch.get_num_threads() // self.devices)
        fit_on_several(self.fabric, fit, proposal, progress, threads)
        average = WeightAverage(proposal, self.settings.ema_decay)
        load_state(self.folder, proposal, _optimizer(proposal, self.settings), average)
        return average

    def _fit(
        self,
        proposal: Proposal,
        objective: Objective,
        training: TrainingData,
        validation: TrainingData | None,
        progress: Progress,
    ) -> WeightAverage:
        settings = self.settings
        if settings.compile:
            proposal.compile()
        # Moved to the device first: what is loaded or averaged afterwards lies where the weights are.
        loss_module, optimizer = self.fabric.setup(_Loss(proposal, objective), _optimizer(proposal, settings))
        average = WeightAverage(proposal, settings.ema_decay)
        first = load_state(self.folder, proposal, optimizer, average)
        self._truncate_log(first)
        with progress.stage("train", total=settings.steps, unit="steps") as bar:
            bar.advance(first, note="resumed" if first else "")
            began, sums, count = time.monotonic(), 0.0, 0
            for step in range(first, settings.steps):
                loss = self._step(step, loss_module, optimizer, proposal, training)
                average.update(proposal, step + 1)
                sums, count = sums + loss, count + 1
                done = step + 1
                if done % settings.log_every == 0 or done == settings.steps:
                    held_out = self._validate(loss_module, validation)
                    self._log(done, sums / count, held_out, time.monotonic() - began)
                    bar.advance(
                        0, note=f"loss {sums / count:.4f}" + ("" if held_out is None else f" held-out {held_out:.4f}")
                    )
                    sums, count = 0.0, 0
                due = done % settings.checkpoint_every == 0 or done == settings.steps
                if due and self.fabric.is_global_zero:
                    save_state(self.folder, done, proposal, optimizer, average)
                bar.advance(1)
        return average

    def _step(
        self,
        step: int,
        loss_module: _FabricModule,
        optimizer: torch.optim.Optimizer,
        proposal: Proposal,
        training: TrainingData,
    ) -> float:
        settings = self.settings
        for group in optimizer.param_groups:
            group["lr"] = scheduled_rate(step, settings)
        optimizer.zero_grad()
        value = self._backward(loss_module, *self._draw(training, step, "train"))
        most = math.inf if settings.gradient_clip is None else settings.gradient_clip
        norm = float(torch.nn.utils.clip_grad_norm_(proposal.parameters(), most))
        for what, number in (("loss", value), ("gradient", norm)):
            if not math.isfinite(number):
                raise NumericalError(
                    f"the training {what} became {number} at step {step + 1}.",
                    fix="Train in a new --out with a lower training.learning_rate or training.gradient_clip.",
                )
        optimizer.step()
        return value

    def _backward(self, loss_module: _FabricModule, x: Tensor, draw: _Draw) -> float:
        """Adds the gradient of the mean loss of a batch, a part of it at a time; returns that loss."""
        parts = torch.split(torch.arange(len(x), device=x.device), self.settings.rows_at_once or len(x))
        # Devices average their gradients, and their shares of a batch may differ by a row.
        whole = self.settings.batch_size / self.fabric.world_size
        value, lost = torch.zeros((), device=x.device), 0
        for part in parts:
            # Several devices exchange gradients once for each step, with the last part.
            with self.fabric.no_backward_sync(loss_module, enabled=part is not parts[-1]):
                try:
                    loss = loss_module(x[part], draw.select(part)) * (len(part) / whole)
                except OffSupportError:
                    # The rest of the batch may lie on it; but devices that exchange gradients must all have some.
                    lost += 1
                    if lost == len(parts) or self.fabric.world_size > 1:
                        raise
                    continue
                self.fabric.backward(loss)
            value += loss.detach()
        return self._mean(value)

    def _draw(self, data: TrainingData, step: int, stream: str) -> tuple[Tensor, _Draw]:
        """This device's share of a batch."""
        size, rank, world = self.settings.batch_size, self.fabric.global_rank, self.fabric.world_size
        x, batch = data.batch(self.seed, step, size)
        draw = _Draw(batch, SampleKeys.range(self.seed, f"{stream}/{step}", 0, size))
        if world > 1:
            rows = torch.arange(rank, size, world)
            x, draw = x[rows], draw.select(rows)
        device = self.fabric.device
        return x.to(device), _Draw(draw.batch.to(device), draw.keys)

    @torch.no_grad()
    def _validate(self, loss_module: nn.Module, validation: TrainingData | None) -> float | None:
        """Loss on held-out frames with the same frames, times and noise at every call."""
        if validation is None:
            return None
        losses = [loss_module(*self._draw(validation, draw, "validation")) for draw in range(2)]
        return self._mean(torch.stack(losses).mean())

    def _mean(self, value: Tensor) -> float:
        """Over the devices, so that all of them go on, or fail, together."""
        return float(cast("Tensor", self.fabric.all_reduce(value, reduce_op="mean")))

    def _log(self, step: int, loss: float, held_out: float | None, seconds: float) -> None:
        if not self.fabric.is_global_zero:
            return
        path = self.folder / LOG
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not path.exists()
            with path.open("a", newline="") as handle:
                writer = csv.writer(handle)
                if fresh:
                    writer.writerow(_COLUMNS)
                writer.writerow([step, f"{loss:.6g}", "" if held_out is None else f"{held_out:.6g}", f"{seconds:.1f}"])
        except OSError as error:
            raise StorageError(
                f"cannot write {path}: {error.strerror}.",
                fix="Free some space; --resume goes on from the last saved state.",
            ) from error

    def _truncate_log(self, step: int) -> None:
        """Drops log lines after the state that training goes on from, and one that was cut short."""
        path = self.folder / LOG
        if self.fabric.is_global_zero and path.exists():
            # Lines are appended, not replaced: a process that is killed may leave an empty file or half a line.
            lines = path.read_bytes().decode("utf-8", "replace").splitlines(keepends=True)
            whole = [line.strip() for line in lines if line.endswith("\n") and line.count(",") == len(_COLUMNS) - 1]
            kept = [line for line in whole if line.split(",")[0].isdigit() and int(line.split(",")[0]) <= step]
            write_text(path, "\n".join([",".join(_COLUMNS), *kept]) + "\n")
