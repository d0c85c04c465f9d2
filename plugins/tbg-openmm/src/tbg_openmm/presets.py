"""Named combinations of force field, solvent, cutoff and temperature, as published ensembles use them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

NonbondedMethod = Literal["NoCutoff", "CutoffNonPeriodic"]


@dataclass(frozen=True)
class Preset:
    """A reference potential, complete enough that equal presets mean equal energies.

    Attributes:
        name: What configs call it.
        forcefield: OpenMM's bundled XML files, in the order in which they are loaded.
        nonbonded_method: OpenMM's nonbonded method.
        cutoff_nm: Cutoff in nm; unused without one.
        temperature_K: Temperature of the published ensembles.
        friction_per_ps: Friction of the published simulations.
        source: Where the combination was used.
    """

    name: str
    forcefield: tuple[str, ...]
    nonbonded_method: NonbondedMethod
    cutoff_nm: float
    temperature_K: float
    friction_per_ps: float
    source: str


CAPPED: Final = Preset(
    name="amber99sbildn-obc-300K",
    forcefield=("amber99sbildn.xml", "amber99_obc.xml"),
    nonbonded_method="NoCutoff",
    cutoff_nm=2.0,
    temperature_K=300.0,
    friction_per_ps=1.0,
    source="Klein, Kraemer & Noe, NeurIPS 2023, arXiv:2306.15030",
)
ZWITTERIONIC: Final = Preset(
    name="amber14-obc1-310K",
    forcefield=("amber14-all.xml", "implicit/obc1.xml"),
    nonbonded_method="CutoffNonPeriodic",
    cutoff_nm=2.0,
    temperature_K=310.0,
    friction_per_ps=0.3,
    source="Klein et al. (Timewarp), NeurIPS 2023, arXiv:2302.01170",
)
PRESETS: Final = MappingProxyType({preset.name: preset for preset in (CAPPED, ZWITTERIONIC)})
"""Every preset by name."""


def preset_for(residue_names: Sequence[str]) -> Preset:
    """The preset that ``auto`` means: by whether both ends of the peptide are capped."""
    capped = residue_names[0] == "ACE" and residue_names[-1] in ("NME", "NH2")
    return CAPPED if capped else ZWITTERIONIC
