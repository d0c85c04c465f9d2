"""Options of the ASE energy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from tbg_core.config.base import ComponentConfig

CalculatorName = Literal["gfn2-xtb", "gfn1-xtb", "emt", "lennard-jones", "tip3p"]
"""The calculators there are. A config cannot name any other: some of ASE's run shell commands."""

XTB = ("gfn2-xtb", "gfn1-xtb")
_ONLY_XTB = ("solvent", "multiplicity", "accuracy", "electronic_temperature_K", "max_iterations")
_ONLY_LJ = ("sigma_nm", "epsilon_kJ_mol")


class AseConfig(ComponentConfig):
    """Which calculator, with which settings, on how many processes."""

    calculator: CalculatorName = Field(
        "gfn2-xtb",
        description="gfn2-xtb and gfn1-xtb: tight binding for elements up to radon (tblite). emt: Al, Cu, Ag, Au, Ni, "
        "Pd, Pt. lennard-jones: one kind of atom. tip3p: interactions of rigid waters.",
    )
    solvent: str | None = Field(
        None,
        pattern="^[a-z0-9]+$",
        description="Solvent of the implicit model ALPB, e.g. water; left out: vacuum. Only with xtb.",
    )
    multiplicity: int | None = Field(
        None,
        ge=1,
        description="Spin multiplicity 2S+1; left out: 1, and molecules with an odd number of electrons are refused. "
        "Only with xtb.",
    )
    accuracy: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Only with xtb: thresholds of the SCF as multiples of tblite's, 0.01 is tight (relative).",
    )
    electronic_temperature_K: float = Field(
        300.0, gt=0, description="Temperature of the electrons (K), not of the atoms. Only with xtb."
    )
    max_iterations: int = Field(
        250, ge=1, description="SCF iterations before a conformation counts as failed. Only with xtb."
    )
    sigma_nm: float | None = Field(None, gt=0, description="Diameter sigma (nm). Only with lennard-jones.")
    epsilon_kJ_mol: float | None = Field(None, gt=0, description="Depth (kJ/mol). Only with lennard-jones.")
    workers: int = Field(0, ge=0, le=256, description="Worker processes for energies; 0 evaluates in this process.")

    def relevant_options(self) -> dict[str, Any]:
        """Those that the numbers of this calculator depend on, as far as they are set."""
        names = _ONLY_XTB if self.calculator in XTB else _ONLY_LJ if self.calculator == "lennard-jones" else ()
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        known = self.relevant_options()
        for name in (*_ONLY_XTB, *_ONLY_LJ):
            if name not in known and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} means nothing to {self.calculator}")
        if self.calculator == "lennard-jones" and (self.sigma_nm is None or self.epsilon_kJ_mol is None):
            raise ValueError("lennard-jones needs sigma_nm and epsilon_kJ_mol")
        return self
