"""Batched energies, forces and Langevin dynamics of one molecule in one force field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch

from tbg_core.errors import EnergyError
from tbg_core.units import thermal_energy
from tbg_openmm.engine.building import Unavailable
from tbg_openmm.engine.native import NativeKernel
from tbg_openmm.engine.noise import normals
from tbg_openmm.engine.torch_energy import TorchEnergy

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_openmm.engine.parameters import ForceFieldParameters

Backend = Literal["auto", "native", "torch"]
_NUMPY: Final[dict[torch.dtype, np.dtype[Any]]] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}
# Rows that torch evaluates together, always as many for one molecule, so that a row's result does not depend on the
# others: on the CPU what stays in its cache, on a GPU what fills it, by the number of pairs of atoms.
_BLOCK: Final = 128
_LARGEST_BLOCK: Final = 8192
_PAIRS: Final = 2**22


class Engine:
    """Evaluates many conformations of one molecule at once.

    A row's numbers depend on that row alone: not on the other rows, on their number, or on the number of threads
    (on a GPU up to rounding, because sums there have no fixed order).
    A row that is not finite, or whose energy is not, gets nan and does not disturb the others.

    Args:
        parameters: The force field, from :func:`~tbg_openmm.engine.compile_system`.
        dtype: Arithmetic: float32 or float64. Energies are summed and returned in float64.
        device: ``"cpu"`` or a CUDA device; only the torch backend leaves the CPU.
        backend: ``"native"`` (C++, compiled on first use), ``"torch"``, or ``"auto"``: native where it works.
        threads: Threads of the native backend.

    Attributes:
        backend: ``"native"`` or ``"torch"``.
        reason: Why it is torch though native was wanted; else empty.

    Raises:
        EnergyError: If the backend asked for does not work here.
    """

    def __init__(
        self,
        parameters: ForceFieldParameters,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
        backend: Backend = "auto",
        threads: int = 1,
    ) -> None:
        if dtype not in {torch.float32, torch.float64}:
            raise EnergyError(f"The energy engine computes in float32 or float64, not in {dtype}.")
        self.parameters = parameters
        self.dtype = dtype
        self.device = torch.device(device)
        self.threads = threads
        self.backend: Literal["native", "torch"] = "torch"
        self.reason = ""
        self._native: NativeKernel | None = None
        self._elsewhere: dict[torch.device, Engine] = {}
        if backend != "torch":
            self._try_native(required=backend == "native")
        self._torch = None if self._native else TorchEnergy(parameters, dtype, self.device)
        fitting = _BLOCK * (_PAIRS // (_BLOCK * max(1, self.n_atoms * (self.n_atoms - 1) // 2)))
        self._block = _BLOCK if self.device.type == "cpu" else min(max(_BLOCK, fitting), _LARGEST_BLOCK)

    def _try_native(self, *, required: bool) -> None:
        try:
            if self.device.type != "cpu":
                raise Unavailable(f"it computes on the CPU, not on {self.device}")  # noqa: TRY301 - one place reports
            self._native = NativeKernel(self.parameters, _NUMPY[self.dtype])
        except Unavailable as reason:
            if required:
                raise EnergyError(
                    f"The native energy kernel does not work here: {reason}.",
                    fix="Install a C++ compiler (g++), or use the torch backend.",
                ) from None
            self.reason = str(reason)
        else:
            self.backend = "native"

    @property
    def n_atoms(self) -> int:
        """Number of atoms N."""
        return self.parameters.n_atoms

    def on(self, device: torch.device) -> Engine:
        """The engine for conformations on a device: torch's own on a GPU, else this one, which they are copied to."""
        if self.backend == "native" or device == self.device:
            return self
        if device not in self._elsewhere:
            self._elsewhere[device] = Engine(self.parameters, self.dtype, device, "torch")
        return self._elsewhere[device]

    def energy(self, x: Tensor) -> Tensor:
        """Potential energies.

        Args:
            x: Conformations [B, N, 3], nm.

        Returns:
            [B], kJ/mol, float64; nan where it is not finite.
        """
        return self._evaluate(x, forces=False)[0]

    def energy_and_forces(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Potential energies and forces.

        Args:
            x: Conformations [B, N, 3], nm.

        Returns:
            Energies [B], kJ/mol, float64, and forces [B, N, 3], kJ/mol/nm, in ``dtype``; both nan in rows where
            either is not finite.
        """
        return self._evaluate(x, forces=True)

    def langevin(
        self,
        x: Tensor,
        v: Tensor,
        temperature_K: Tensor,
        steps: int,
        timestep_ps: float,
        friction_per_ps: float,
        keys: tuple[int, Tensor],
        first_step: int = 0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Langevin-middle dynamics, discretised as OpenMM's LangevinMiddleIntegrator without constraints.

        A step is ``v += dt F/m; x += dt v/2; v = c v + sqrt(1 - c^2) sqrt(kT/m) xi; x += dt v/2`` with
        ``c = exp(-friction dt)``. The noise is a function of (seed, stream of the row, number of the step, degree of
        freedom), so n steps and then m more are bitwise the same as n + m. Source: Zhang et al., J. Phys. Chem. A
        123, 6056 (2019).

        Args:
            x: Positions [B, N, 3], nm.
            v: Velocities [B, N, 3], nm/ps.
            temperature_K: Temperature of each row [B].
            steps: How many steps.
            timestep_ps: Time step.
            friction_per_ps: Friction.
            keys: Seed, and one stream per row [B], int64.
            first_step: Number of the first step, which goes on counting over calls.

        Returns:
            Positions and velocities after the last step, in ``dtype``, and the energies there [B], kJ/mol, float64.
            A row that blew up is nan.
        """
        seed, streams = keys
        x, v = self._rows(x).clone(), self._rows(v).clone()
        if self._native is not None:
            moved = self._native.langevin(
                x.numpy(),
                v.numpy(),
                temperature_K=temperature_K.cpu().numpy(),
                steps=steps,
                timestep_ps=timestep_ps,
                friction_per_ps=friction_per_ps,
                seed=seed,
                streams=streams.cpu().numpy(),
                first_step=first_step,
                threads=self.threads,
            )
            x, v, u = (torch.from_numpy(array) for array in moved)
            return x, v, u
        masses = torch.as_tensor(self.parameters.masses, device=self.device)[:, None]
        kT = thermal_energy(1.0) * temperature_K.to(self.device, torch.float64)[:, None, None]
        decay = math.exp(-friction_per_ps * timestep_ps)
        kick = (timestep_ps / masses).to(self.dtype)
        spread = ((1 - decay * decay) * kT / masses).sqrt().to(self.dtype)
        names = streams.cpu().numpy()
        for step in range(first_step, first_step + steps):
            v += kick * self._evaluate(x, forces=True)[1]
            x += (0.5 * timestep_ps) * v
            noise = normals(seed, names, step, 3 * self.n_atoms).reshape(x.shape)
            v = decay * v + spread * torch.as_tensor(noise, dtype=self.dtype, device=self.device)
            x += (0.5 * timestep_ps) * v
        return x, v, self.energy(x)

    def _rows(self, x: Tensor) -> Tensor:
        """Rows in the engine's arithmetic; from float64 to float32 relative to the first atom, which saves digits."""
        if x.ndim != 3 or x.shape[1:] != (self.n_atoms, 3):
            raise EnergyError(f"Expected conformations [B, {self.n_atoms}, 3], got {tuple(x.shape)}.")
        return x.detach().to(self.device, self.dtype)

    def _evaluate(self, x: Tensor, *, forces: bool) -> tuple[Tensor, Tensor]:
        if x.dtype == torch.float64 and self.dtype == torch.float32:
            x = x - x[:, :1]
        rows = self._rows(x)
        if self._native is not None:
            values, gradient = self._native.evaluate(rows.numpy(), forces=forces, threads=self.threads)
            return torch.from_numpy(values), torch.from_numpy(gradient)
        u, f = self._by_torch(rows, forces=forces)
        return self._marked(u, f)

    @staticmethod
    def _marked(u: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
        """The same, with nan in whole rows."""
        bad = ~torch.isfinite(u)
        if len(f):
            bad |= ~torch.isfinite(f).all(dim=-1).all(dim=-1)
            f[bad] = math.nan
        u[bad] = math.nan
        return u, f

    def _by_torch(self, rows: Tensor, *, forces: bool) -> tuple[Tensor, Tensor]:
        assert self._torch is not None  # noqa: S101 - one of the two is there
        u = torch.empty(len(rows), dtype=torch.float64, device=self.device)
        f = torch.empty_like(rows) if forces else rows.new_empty(0, self.n_atoms, 3)
        for start in range(0, len(rows), self._block):
            block = rows[start : start + self._block]
            n = len(block)
            padded = torch.cat([block, block[-1:].expand(self._block - n, -1, -1)]).permute(2, 1, 0).contiguous()
            padded.requires_grad_(forces)
            with torch.set_grad_enabled(forces):
                energies = self._torch.energy(padded)
                u[start : start + n] = energies.detach()[:n]
                if forces:
                    (gradient,) = torch.autograd.grad(energies.sum(), padded)
                    f[start : start + n] = -gradient.permute(2, 1, 0)[:n]
        return u, f
