"""Three-bond J-couplings of the backbone from phi, by Karplus curves.

J(phi) = A cos^2(phi + offset) + B cos(phi + offset) + C. The curves were fitted to proteins of known structure, and
scatter around their data by ``sigma``: an error of the model, the same for all conformations of one residue, that no
number of samples removes. Averages are taken over J, not over phi.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

import numpy as np
from typing_extensions import override

from tbg_core.contracts.observable import ObservableSource
from tbg_core.errors import ConfigError
from tbg_core.molecule.molecule import Molecule
from tbg_core.observables.geometry import dihedral
from tbg_core.observables.named_torsions import by_residue, chosen_residue
from tbg_core.observables.observable import Observable
from tbg_core.observables.torsions import torsions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tbg_core.contracts.system import System
    from tbg_core.observables.config import JCouplingsConfig


class KarplusCurve(NamedTuple):
    """One published curve: A, B, C and sigma in Hz, the offset of phi in degrees."""

    A: float
    B: float
    C: float
    offset: float
    sigma: float
    source: str

    def __call__(self, phi: NDArray[np.float64]) -> NDArray[np.float64]:
        """J [...], Hz, of phi [...], radians."""
        c = np.cos(phi + math.radians(self.offset))
        return np.asarray(self.A * c * c + self.B * c + self.C)


_VOGELI = "Voegeli, Ying, Grishaev, Bax, J. Am. Chem. Soc. 129, 9377 (2007)"
_SCHMIDT = "Schmidt, Bluemel, Loehr, Rueterjans, J. Biomol. NMR 14, 1 (1999)"
_HU = "Hu, Bax, J. Am. Chem. Soc. 119, 6360 (1997)"

CURVES: Final[dict[str, dict[str, KarplusCurve]]] = {
    "j-hn-ha": {
        "voegeli2007": KarplusCurve(8.40, -1.36, 0.33, -60.0, 0.36, _VOGELI),
        "schmidt1999": KarplusCurve(7.90, -1.05, 0.65, -60.0, 0.25, _SCHMIDT),
        "hu1997": KarplusCurve(7.09, -1.42, 1.55, -60.0, 0.39, _HU),
    },
    "j-hn-cb": {"voegeli2007": KarplusCurve(3.71, -0.59, 0.08, 60.0, 0.22, _VOGELI)},
    "j-hn-c": {"voegeli2007": KarplusCurve(4.36, -1.08, -0.01, 180.0, 0.30, _VOGELI)},
}
"""Coupling -> name of the parameters -> curve; the first one is the default."""

_PARTNER: Final = {"j-hn-ha": "HA", "j-hn-cb": "CB", "j-hn-c": "C"}


class JCouplings(ObservableSource):
    """``j-hn-ha:2``: 3J(HN,HA) of residue 2; ``j-hn-ha:2@hu1997`` with other Karplus parameters."""

    forms: ClassVar[tuple[str, ...]] = tuple(f"{kind}:RESIDUE@{'|'.join(curves)}" for kind, curves in CURVES.items())

    def __init__(self, config: JCouplingsConfig) -> None:
        self.config = config

    @override
    def names(self, system: System) -> tuple[str, ...]:
        """Those of the residues that have both atoms."""
        if not isinstance(system, Molecule):
            return ()
        found = {kind: _residues(system, kind) for kind in CURVES}
        return tuple(by_residue(kind, r, len(residues)) for kind, residues in found.items() for r in residues)

    @override
    def parse(self, text: str, system: System) -> Observable | None:
        """A coupling (Hz)."""
        words, _, chosen = (part.strip() for part in text.partition("@"))
        kind, _, rest = (part.strip() for part in words.partition(":"))
        if kind not in CURVES or not isinstance(system, Molecule):
            return None
        curves = CURVES[kind]
        if chosen and chosen not in curves:
            raise ConfigError(f"{kind} has no parameters {chosen!r}.", fix=f"It has {', '.join(curves)}.")
        curve = curves[chosen] if chosen else next(iter(curves.values()))
        residues = _residues(system, kind)
        residue = chosen_residue(kind, rest, residues, system, self.names(system))
        name = by_residue(kind, residue, len(residues)) + (f"@{chosen}" if chosen else "")
        atoms = torsions(system, "phi")[residue]
        function = partial(_coupling, curve=curve, atoms=atoms)
        return Observable(name, "Hz", None, function, atoms, model_error=curve.sigma, source=curve.source)


def _coupling(x: NDArray[np.floating], curve: KarplusCurve, atoms: tuple[int, int, int, int]) -> NDArray[np.float64]:
    return curve(dihedral(x, *atoms))


def _residues(molecule: Molecule, kind: str) -> tuple[int, ...]:
    """Residues with phi, an amide hydrogen and the partner (proline has no HN, glycine neither HA nor CB)."""
    return tuple(
        r
        for r in torsions(molecule, "phi")
        if molecule.atom(r, _PARTNER[kind]) is not None and any(molecule.atom(r, n) is not None for n in ("H", "HN"))
    )
