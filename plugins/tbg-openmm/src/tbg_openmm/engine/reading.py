"""Reads an OpenMM System into arrays, or says why it cannot be read exactly."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import openmm

from tbg_openmm.engine.parameters import (
    Angles,
    Bonds,
    CMaps,
    ForceFieldParameters,
    Pairs,
    Torsions,
    Unreadable,
)
from tbg_openmm.engine.reading_born import read_custom_born, read_native_born
from tbg_openmm.engine.splines import bicubic_coefficients
from tbg_openmm.quantities import masses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HIGHEST_HARMONIC: Final = 64


def compile_system(system: openmm.System) -> ForceFieldParameters:
    """Reads every term of a System.

    Args:
        system: What :meth:`openmm.app.ForceField.createSystem` makes, or anything with the forces named below.

    Returns:
        Its terms. Their sum is the potential energy of the System up to rounding.

    Raises:
        Unreadable: If the System has a force, an option or a custom expression that is not known exactly. Known are
            HarmonicBondForce, HarmonicAngleForce, PeriodicTorsionForce, RBTorsionForce, CMAPTorsionForce,
            NonbondedForce (NoCutoff, CutoffNonPeriodic), GBSAOBCForce, the CustomGBForces of
            ``implicit/{hct,obc1,obc2,gbn,gbn2}.xml``, and CMMotionRemover, which has no energy.
    """
    _refuse_particles(system)
    by_type: dict[str, list[Any]] = {}
    for force in system.getForces():
        by_type.setdefault(type(force).__name__, []).append(force)
    for name, forces in by_type.items():
        if name != "CMMotionRemover" and name not in _READERS:
            raise Unreadable(f"it has a {name}")
        for force in forces:
            if name != "CMMotionRemover" and force.usesPeriodicBoundaryConditions():
                raise Unreadable(f"its {name} is periodic")
    born = [*by_type.get("GBSAOBCForce", []), *by_type.get("CustomGBForce", [])]
    for kind, forces in (("NonbondedForce", by_type.get("NonbondedForce", [])), ("generalised Born force", born)):
        if len(forces) > 1:
            raise Unreadable(f"it has more than one {kind}")
    n = system.getNumParticles()
    read = {name: [row for f in by_type.get(name, ()) for row in reader(f)] for name, reader in _ROWS.items()}
    return ForceFieldParameters(
        masses=masses(system),
        bonds=Bonds(*_columns(read["HarmonicBondForce"], 2, 2)),
        angles=Angles(*_columns(read["HarmonicAngleForce"], 3, 2)),
        torsions=_torsions([*read["PeriodicTorsionForce"], *read["RBTorsionForce"]]),
        cmaps=_cmaps(by_type.get("CMAPTorsionForce", [])),
        pairs=_pairs(by_type["NonbondedForce"][0], n) if "NonbondedForce" in by_type else None,
        born=_READERS[type(born[0]).__name__](born[0], coulomb_constant()) if born else None,
    )


def _refuse_particles(system: openmm.System) -> None:
    if system.getNumConstraints():
        raise Unreadable("it has constraints")
    if any(system.isVirtualSite(i) for i in range(system.getNumParticles())):
        raise Unreadable("it has virtual sites")
    if not (masses(system) > 0).all():
        raise Unreadable("it has particles without mass")


@lru_cache(maxsize=1)
def coulomb_constant() -> float:
    """1/(4 pi eps0) in kJ nm/mol/e^2 as this version of OpenMM has it: the digits changed between versions."""
    system, force = openmm.System(), openmm.NonbondedForce()
    for _ in range(2):
        system.addParticle(1.0)
        force.addParticle(1.0, 1.0, 0.0)
    system.addForce(force)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions([(0, 0, 0), (1, 0, 0)])
    return float(context.getState(getEnergy=True).getPotentialEnergy()._value)  # noqa: SLF001


def _value(quantity: Any) -> float:
    """The number in OpenMM's own unit system."""
    return float(getattr(quantity, "_value", quantity))


def _columns(rows: Sequence[tuple[Any, ...]], atoms: int, numbers: int) -> tuple[np.ndarray, ...]:
    table = np.array([[float(v) for v in row] for row in rows], dtype=np.float64).reshape(-1, atoms + numbers)
    return table[:, :atoms].astype(np.int32), *(table[:, atoms + k].copy() for k in range(numbers))


def _bond_rows(force: Any) -> list[tuple[Any, ...]]:
    rows = (force.getBondParameters(i) for i in range(force.getNumBonds()))
    return [(i, j, _value(length), _value(k)) for i, j, length, k in rows]


def _angle_rows(force: Any) -> list[tuple[Any, ...]]:
    rows = (force.getAngleParameters(i) for i in range(force.getNumAngles()))
    return [(i, j, k, _value(angle), _value(stiffness)) for i, j, k, angle, stiffness in rows]


_Series = tuple[tuple[int, ...], np.ndarray, np.ndarray]


def _periodic_rows(force: Any) -> list[_Series]:
    """``k (1 + cos(n phi - phase))``."""
    rows = []
    for index in range(force.getNumTorsions()):
        *atoms, n, phase, k = force.getTorsionParameters(index)
        phase, k = _value(phase), _value(k)
        if not 0 <= n <= _HIGHEST_HARMONIC:
            raise Unreadable(f"a torsion has periodicity {n}")
        cosines, sines = np.zeros((2, n + 1))
        cosines[0] += k
        cosines[n] += k * np.cos(phase)
        if n:
            sines[n] += k * np.sin(phase)
        rows.append((tuple(atoms), cosines, sines))
    return rows


def _rb_rows(force: Any) -> list[_Series]:
    """``sum_n c_n cos(phi - pi)^n`` as a Chebyshev series in cos(phi), which is a Fourier series in phi."""
    rows = []
    for index in range(force.getNumTorsions()):
        *atoms, c0, c1, c2, c3, c4, c5 = force.getTorsionParameters(index)
        powers = [_value(c) * (-1) ** n for n, c in enumerate((c0, c1, c2, c3, c4, c5))]
        cosines = np.polynomial.chebyshev.poly2cheb(powers)
        rows.append((tuple(atoms), cosines, np.zeros_like(cosines)))
    return rows


def _torsions(rows: Sequence[_Series]) -> Torsions:
    """One series for each four atoms; the same atoms in reverse order are the same dihedral."""
    merged: dict[tuple[int, ...], list[tuple[np.ndarray, np.ndarray]]] = {}
    for atoms, cosines, sines in rows:
        merged.setdefault(min(atoms, atoms[::-1]), []).append((cosines, sines))
    width = max((len(a) for _, a, _ in rows), default=1)
    cosines, sines = np.zeros((2, len(merged), width))
    for t, series in enumerate(merged.values()):
        for a, b in series:
            cosines[t, : len(a)] += a
            sines[t, : len(b)] += b
    return Torsions(np.array(list(merged), dtype=np.int32).reshape(-1, 4), cosines, sines)


def _cmaps(forces: Sequence[Any]) -> CMaps:
    atoms: list[list[int]] = []
    indices: list[int] = []
    maps: list[np.ndarray] = []
    for force in forces:
        for index in range(force.getNumTorsions()):
            which, *eight = force.getTorsionParameters(index)
            indices.append(len(maps) + which)
            atoms.append(eight)
        for index in range(force.getNumMaps()):
            size, energies = force.getMapParameters(index)
            # OpenMM stores phi fastest.
            grid = np.array([_value(e) for e in energies]).reshape(size, size).T
            maps.append(bicubic_coefficients(grid))
    return CMaps(np.array(atoms, dtype=np.int32).reshape(-1, 8), np.array(indices, dtype=np.int32), tuple(maps))


def _pairs(force: Any, n: int) -> Pairs:
    if force.getNumParticleParameterOffsets() or force.getNumExceptionParameterOffsets():
        raise Unreadable("its NonbondedForce has parameter offsets")
    if force.getUseSwitchingFunction() and force.getNonbondedMethod() != force.NoCutoff:
        raise Unreadable("its NonbondedForce has a switching function")
    if force.getNonbondedMethod() not in {force.NoCutoff, force.CutoffNonPeriodic}:
        raise Unreadable("its NonbondedForce is neither NoCutoff nor CutoffNonPeriodic")
    rows = [[_value(v) for v in force.getParticleParameters(i)] for i in range(n)]
    charge, sigma, epsilon = np.array(rows).reshape(n, 3).T
    i, j = np.triu_indices(n, 1)
    product = charge[i] * charge[j]
    length = 0.5 * (sigma[i] + sigma[j])
    depth = np.sqrt(epsilon[i] * epsilon[j])
    cut = np.ones(len(i), dtype=bool)
    for index in range(force.getNumExceptions()):
        a, b, *values = force.getExceptionParameters(index)
        a, b = min(a, b), max(a, b)
        p = a * n - a * (a + 1) // 2 + b - a - 1
        product[p], length[p], depth[p] = (_value(v) for v in values)
        cut[p] = False
    cutoff, k_rf, c_rf = np.inf, 0.0, 0.0
    if force.getNonbondedMethod() == force.CutoffNonPeriodic:
        cutoff, dielectric = _value(force.getCutoffDistance()), float(force.getReactionFieldDielectric())
        k_rf = (dielectric - 1) / (2 * dielectric + 1) / cutoff**3
        c_rf = 3 * dielectric / (2 * dielectric + 1) / cutoff
    return Pairs(
        coulomb=coulomb_constant() * product,
        c12=4 * depth * length**12,
        c6=4 * depth * length**6,
        cut=cut,
        cutoff=cutoff,
        k_rf=k_rf,
        c_rf=c_rf,
    )


_ROWS: Final[dict[str, Callable[[Any], list[Any]]]] = {
    "HarmonicBondForce": _bond_rows,
    "HarmonicAngleForce": _angle_rows,
    "PeriodicTorsionForce": _periodic_rows,
    "RBTorsionForce": _rb_rows,
}
_READERS: Final[dict[str, Any]] = {
    **_ROWS,
    "CMAPTorsionForce": _cmaps,
    "NonbondedForce": _pairs,
    "GBSAOBCForce": read_native_born,
    "CustomGBForce": read_custom_born,
}
