"""The terms of a force field as plain arrays: everything that an evaluation needs, nothing that OpenMM owns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Unreadable(Exception):  # noqa: N818 - a finding; its message is the reason
    """A System holds something that cannot be read exactly; the message says what."""


@dataclass(frozen=True, eq=False)
class Bonds:
    """Harmonic bonds, ``k (r - r0)^2 / 2``.

    Attributes:
        atoms: [n, 2].
        length: r0 [n], nm.
        stiffness: k [n], kJ/mol/nm^2.
    """

    atoms: np.ndarray
    length: np.ndarray
    stiffness: np.ndarray


@dataclass(frozen=True, eq=False)
class Angles:
    """Harmonic angles, ``k (theta - theta0)^2 / 2``.

    Attributes:
        atoms: [n, 3], the vertex in the middle.
        angle: theta0 [n], rad.
        stiffness: k [n], kJ/mol/rad^2.
    """

    atoms: np.ndarray
    angle: np.ndarray
    stiffness: np.ndarray


@dataclass(frozen=True, eq=False)
class Torsions:
    """Fourier series in a dihedral, ``sum_n a_n cos(n phi) + b_n sin(n phi)``.

    Periodic torsions with any phase and Ryckaert-Bellemans torsions are such series, exactly; all terms on the
    same four atoms are one series.

    Attributes:
        atoms: [n, 4].
        cosines: a [n, P + 1], kJ/mol.
        sines: b [n, P + 1], kJ/mol; column 0 is zero.
    """

    atoms: np.ndarray
    cosines: np.ndarray
    sines: np.ndarray


@dataclass(frozen=True, eq=False)
class CMaps:
    """Bicubic maps over two dihedrals.

    Attributes:
        atoms: [n, 8]: the atoms of phi, then those of psi.
        map: Which map [n].
        coefficients: One array [S, S, 4, 4] for each map: in cell (i, j), from angles 2 pi i/S and 2 pi j/S, the
            energy is ``sum_kl c[i, j, k, l] a^k b^l`` with a and b the fractions of the cell, kJ/mol.
    """

    atoms: np.ndarray
    map: np.ndarray
    coefficients: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Nonbonded energies of all pairs i < j, ordered by i, then j.

    ``e_ij / r + c12 / r^12 - c6 / r^6``; where ``cut``, only below the cutoff and with the reaction field
    ``e_ij (k_rf r^2 - c_rf)`` added. Exceptions are pairs without ``cut``, exclusions those with zeros.

    Attributes:
        coulomb: e_ij [n], kJ nm/mol.
        c12: [n], kJ nm^12/mol.
        c6: [n], kJ nm^6/mol.
        cut: [n], bool.
        cutoff: nm, inf without one.
        k_rf: 1/nm^3.
        c_rf: 1/nm.
    """

    coulomb: np.ndarray
    c12: np.ndarray
    c6: np.ndarray
    cut: np.ndarray
    cutoff: float
    k_rf: float
    c_rf: float


@dataclass(frozen=True, eq=False)
class Neck:
    """Correction of Born integrals for the neck between two atoms (Mongan et al., JCTC 3, 156 (2007)).

    Adds ``depth / (1 + 100 d^2 + 3e5 d^6)``, d = r - position, to the integral of i from j where r < reach.

    Attributes:
        depth: [N, N], 1/nm, scale included.
        position: [N, N], nm.
        reach: [N, N], nm.
    """

    depth: np.ndarray
    position: np.ndarray
    reach: np.ndarray


@dataclass(frozen=True, eq=False)
class GeneralizedBorn:
    """Implicit solvent by the generalised Born model with pairwise descreening.

    ``E = prefactor (sum_i q_i^2/B_i / 2 + sum_i<j q_i q_j (1/f_ij - shift)) + sum_i surface (R_i + 0.14)^2
    (R_i/B_i)^6`` with ``f^2 = r^2 + B_i B_j exp(-r^2/4 B_i B_j)`` and Born radii from the descreening integrals I:
    ``1/B = 1/o - tanh(alpha psi - beta psi^2 + gamma psi^3)/R``, psi = I o, or ``1/B = 1/o - I`` without ``tanh``.

    Attributes:
        charges: q [N], e.
        radii: R [N], nm.
        offset_radii: o [N], nm.
        scaled_radii: s [N], nm.
        alpha: [N].
        beta: [N].
        gamma: [N].
        tanh: Whether Born radii are rescaled (all models but HCT).
        prefactor: -k_e (1/eps_solute - 1/eps_solvent), kJ nm/mol/e^2.
        shift: 1/nm.
        cutoff: For pairs, in integrals too; nm, inf without one.
        surface: kJ/mol/nm^2; zero without surface term.
        engulfing: Whether an atom wholly inside another one is descreened by all of it, as the GBSAOBCForce has it
            and the custom forces have not.
        neck: The neck correction, or None.
    """

    charges: np.ndarray
    radii: np.ndarray
    offset_radii: np.ndarray
    scaled_radii: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray
    gamma: np.ndarray
    tanh: bool
    prefactor: float
    shift: float
    cutoff: float
    surface: float
    engulfing: bool
    neck: Neck | None = None


@dataclass(frozen=True, eq=False)
class ForceFieldParameters:
    """A potential energy function, exactly: float64 arrays in nm, kJ/mol, rad, amu, e.

    Attributes:
        masses: [N], amu.
        bonds: Harmonic bonds.
        angles: Harmonic angles.
        torsions: Fourier series.
        cmaps: Correction maps.
        pairs: Nonbonded energies, or None.
        born: Implicit solvent, or None.
    """

    masses: np.ndarray
    bonds: Bonds
    angles: Angles
    torsions: Torsions
    cmaps: CMaps
    pairs: Pairs | None
    born: GeneralizedBorn | None

    @property
    def n_atoms(self) -> int:
        """Number of atoms N."""
        return len(self.masses)
