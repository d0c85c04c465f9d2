"""Options of the OpenMM components."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from tbg_core.config.base import ComponentConfig
from tbg_openmm.presets import PRESETS, NonbondedMethod


class PeptideConfig(ComponentConfig):
    """Which peptide to build."""

    sequence: str = Field(
        min_length=1,
        description="One-letter codes (GF: a zwitterion at pH 7), or residue codes joined by hyphens, with "
        "caps and protonation states (ACE-ALA-NME, ACE-HID-NME).",
    )
    cis: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(),
        description="Residues, counted from 1 with the caps, whose peptide bond to the one before starts cis: [2] for "
        "the proline of TP. It does not turn over in a simulation.",
    )


class PdbConfig(ComponentConfig):
    """Which PDB file to read."""

    path: str = Field(min_length=1, description="PDB file of one complete peptide, hydrogens included.")


class OpenMMConfig(ComponentConfig):
    """Force field, platform and worker processes of the OpenMM energy."""

    preset: str = Field(
        "auto",
        description="Reference potential: auto (capped peptides amber99sbildn-obc-300K, others "
        "amber14-obc1-310K), one of these names, or custom with the options below.",
    )
    forcefield: tuple[str, ...] = Field((), description="OpenMM's bundled force-field files; only with preset custom.")
    nonbonded_method: NonbondedMethod | None = Field(
        None, description="Nonbonded method (NoCutoff or CutoffNonPeriodic); only with preset custom."
    )
    cutoff_nm: float | None = Field(None, gt=0, description="Nonbonded cutoff (nm); only with preset custom.")
    evaluator: Literal["auto", "native", "torch", "openmm"] = Field(
        "auto",
        description="What computes energies: the batched engine as a compiled kernel (native) or in torch, or "
        "OpenMM, one conformation at a time. auto: native where there is a compiler and the engine can read the "
        "force field exactly, then torch, then openmm; openmm if a platform is chosen.",
    )
    platform: Literal["auto", "Reference", "CPU", "OpenCL", "CUDA", "HIP"] = Field(
        "auto", description="OpenMM platform; auto takes the fastest known for the size of the system."
    )
    precision: Literal["single", "mixed", "double"] = Field(
        "mixed",
        description="Arithmetic of the engine (mixed is double there) and of OpenMM on a GPU; OpenMM's Reference is "
        "always double and its CPU always single.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of the native engine, or worker processes of OpenMM; 0 evaluates in this process alone.",
    )
    trust_forcefield: bool = Field(
        False,
        description="Allow force-field files other than OpenMM's own. They can hold code, which is executed.",
    )

    @model_validator(mode="after")
    def _check_preset(self) -> Self:
        explicit = {"forcefield": self.forcefield, "nonbonded_method": self.nonbonded_method}
        explicit["cutoff_nm"] = self.cutoff_nm  # type: ignore[assignment]
        if self.platform != "auto" and self.evaluator in {"native", "torch"}:
            raise ValueError(f"platform is OpenMM's; evaluator {self.evaluator} has none")
        if self.preset == "custom":
            if not self.forcefield:
                raise ValueError("preset custom needs forcefield, e.g. [amber14-all.xml, implicit/obc1.xml]")
            return self
        if self.preset != "auto" and self.preset not in PRESETS:
            raise ValueError(f"unknown preset {self.preset!r}; use auto, {', '.join(PRESETS)} or custom")
        for name, value in explicit.items():
            if value:
                raise ValueError(f"{name} is set by preset {self.preset}; add preset: custom to choose it")
        return self


class LangevinConfig(ComponentConfig):
    """Langevin dynamics with temperature replica exchange, whoever integrates."""

    timestep_fs: float = Field(1.0, gt=0, le=5.0, description="Time step (fs); bonds are not constrained.")
    friction_per_ps: float | None = Field(
        None, gt=0, description="Friction (1/ps); left out: that of the energy's preset, else 1."
    )
    frame_interval_ps: float = Field(1.0, gt=0, description="Time between stored frames (ps).")
    temperatures_K: Literal["auto"] | tuple[float, ...] = Field(
        "auto",
        description="Replica temperatures, ascending from the target's (K). auto: a ladder to 2.07 times the "
        "target's temperature (300 to 620 K), denser for larger molecules; []: no replica exchange.",
    )
    exchange_interval_ps: float = Field(0.5, gt=0, description="Time between exchange attempts (ps).")
    hydrogen_mass_amu: float | None = Field(
        None,
        gt=1.0,
        description="Mass of hydrogens, taken from their neighbours (amu); changes no distribution of positions and "
        "allows longer time steps. Left out: the real masses.",
    )
    heating_ps: float = Field(2.0, ge=0, description="Linear heating from 10 % of each temperature (ps).")
    scramble_ps: float = Field(
        0.0, ge=0, description="Time at scramble_temperature_K after heating, for starts that differ (ps)."
    )
    scramble_temperature_K: float = Field(800.0, gt=0, description="Temperature of scrambling (K).")
    scramble_friction_per_ps: float = Field(5.0, gt=0, description="Friction of heating and scrambling (1/ps).")
    equilibration_ps: float = Field(
        50.0, ge=0, description="Time after heating, with exchanges, before the first frame (ps)."
    )

    @field_validator("temperatures_K")
    @classmethod
    def _check_ladder(cls, value: Literal["auto"] | tuple[float, ...]) -> Literal["auto"] | tuple[float, ...]:
        if value != "auto" and list(value) != sorted(set(value)):
            raise ValueError(f"temperatures must ascend, got {list(value)}")
        if value != "auto" and any(not temperature > 0 for temperature in value):
            raise ValueError(f"temperatures must be positive, got {list(value)}")
        return value

    @model_validator(mode="after")
    def _check_intervals(self) -> Self:
        if round(self.exchange_interval_ps * 1000 / self.timestep_fs) < 1:
            raise ValueError("exchange_interval_ps is shorter than a time step")
        ratio = self.frame_interval_ps / self.exchange_interval_ps
        if self.temperatures_K != () and (round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6):
            raise ValueError("frame_interval_ps must be a multiple of exchange_interval_ps")
        return self


class OpenMMDynamicsConfig(LangevinConfig):
    """OpenMM's own integrator."""


class EngineDynamicsConfig(LangevinConfig):
    """The batched engine: all walkers and temperatures of a group are moved together."""

    walkers_together: int = Field(
        4, ge=1, le=1024, description="Walkers that one process moves at a time, and that are stored together."
    )
    scramble_ps: float = Field(
        5.0, ge=0, description="Time at scramble_temperature_K after heating, for starts that differ (ps)."
    )
