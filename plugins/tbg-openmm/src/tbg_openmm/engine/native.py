"""The native kernel behind numpy arrays."""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.units import thermal_energy
from tbg_openmm.engine.building import library

if TYPE_CHECKING:
    from tbg_openmm.engine.parameters import ForceFieldParameters

_COUNTS: Final = (
    *("atoms", "bonds", "angles", "torsions", "harmonics", "cmaps"),
    *("has_pairs", "has_born", "has_neck", "tanh", "engulfing"),
)
_ARRAYS: Final = (
    *("masses", "bond_atoms", "bond_length", "bond_stiffness", "angle_atoms", "angle_angle", "angle_stiffness"),
    *("torsion_atoms", "torsion_cosines", "torsion_sines"),
    *("cmap_atoms", "cmap_size", "cmap_start", "cmap_coefficients"),
)
_MORE_ARRAYS: Final = (
    *("coulomb", "c12", "c6", "cut"),
    *("charges", "radii", "offset_radii", "scaled_radii", "alpha", "beta", "gamma"),
    *("neck_depth", "neck_position", "neck_reach"),
)
_NUMBERS: Final = ("cutoff", "k_rf", "c_rf", "prefactor", "shift", "born_cutoff", "surface")


class Terms(ctypes.Structure):
    """``Terms`` of ``native/model.hpp``."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _COUNTS),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
        ("cmap_cells", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in _MORE_ARRAYS),
        *((name, ctypes.c_double) for name in _NUMBERS),
    )


class NativeKernel:
    """A force field in the native kernel. Calls release the interpreter's lock and may run in parallel.

    Args:
        parameters: The force field.
        dtype: float32 or float64: arithmetic, and type of the arrays.

    Raises:
        Unavailable: If the kernel cannot be compiled or loaded.
        MemoryError: If memory is short.
    """

    def __init__(self, parameters: ForceFieldParameters, dtype: np.dtype[Any]) -> None:
        self._library = library()
        self._library.tbg_new.restype = ctypes.c_void_p
        self.dtype = dtype
        self._n = parameters.n_atoms
        terms, keep = _terms(parameters)
        self._handle = self._library.tbg_new(ctypes.byref(terms), ctypes.c_int(dtype == np.float64))
        del keep
        if not self._handle:
            raise MemoryError("no memory for the force field")
        weakref.finalize(self, self._library.tbg_free, ctypes.c_void_p(self._handle))

    def evaluate(self, x: np.ndarray, *, forces: bool, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """Energies [B], float64, and forces [B, N, 3] (empty if not asked for) of ``x`` [B, N, 3]."""
        x = np.ascontiguousarray(x, dtype=self.dtype)
        u = np.empty(len(x))
        f = np.empty_like(x) if forces else np.empty((0, self._n, 3), dtype=self.dtype)
        if len(x):
            self._check(
                self._library.tbg_evaluate(
                    ctypes.c_void_p(self._handle),
                    ctypes.c_int64(len(x)),
                    _pointer(x),
                    _pointer(u),
                    _pointer(f) if forces else None,
                    ctypes.c_int(threads),
                )
            )
        return u, f

    def langevin(
        self,
        x: np.ndarray,
        v: np.ndarray,
        *,
        temperature_K: np.ndarray,
        steps: int,
        timestep_ps: float,
        friction_per_ps: float,
        seed: int,
        streams: np.ndarray,
        first_step: int,
        threads: int,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See :meth:`tbg_openmm.engine.Engine.langevin`."""
        x, v = np.array(x, dtype=self.dtype, order="C"), np.array(v, dtype=self.dtype, order="C")
        temperature_K = np.ascontiguousarray(temperature_K, dtype=np.float64)
        streams = np.ascontiguousarray(streams, dtype=np.int64)
        u = np.empty(len(x))
        if len(x):
            self._check(
                self._library.tbg_langevin(
                    ctypes.c_void_p(self._handle),
                    ctypes.c_int64(len(x)),
                    _pointer(x),
                    _pointer(v),
                    _pointer(temperature_K),
                    _pointer(streams),
                    ctypes.c_int64(steps),
                    ctypes.c_int64(first_step),
                    ctypes.c_double(timestep_ps),
                    ctypes.c_double(friction_per_ps),
                    ctypes.c_double(thermal_energy(1.0)),
                    ctypes.c_uint64(seed & 0xFFFFFFFFFFFFFFFF),
                    _pointer(u),
                    ctypes.c_int(threads),
                )
            )
        return x, v, u

    @staticmethod
    def _check(code: int) -> None:
        if code:
            raise MemoryError("no memory for the energies")


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _terms(p: ForceFieldParameters) -> tuple[Terms, list[np.ndarray]]:
    """The structure, and the arrays that it points to."""
    born, neck, cmaps = p.born, p.born.neck if p.born else None, p.cmaps
    sizes = np.array([len(c) for c in cmaps.coefficients], dtype=np.int64)
    starts = 16 * np.concatenate([[0], np.cumsum(sizes**2)])
    cells = np.concatenate([np.zeros(0), *(c.ravel() for c in cmaps.coefficients)])
    counts = {
        "atoms": p.n_atoms,
        "bonds": len(p.bonds.atoms),
        "angles": len(p.angles.atoms),
        "torsions": len(p.torsions.atoms),
        "harmonics": p.torsions.cosines.shape[1],
        "cmaps": len(cmaps.atoms),
        "has_pairs": p.pairs is not None,
        "has_born": born is not None,
        "has_neck": neck is not None,
        "tanh": born is not None and born.tanh,
        "engulfing": born is not None and born.engulfing,
        "cmap_cells": len(cells),
    }
    arrays: dict[str, tuple[np.ndarray, Any]] = {
        "masses": (p.masses, np.float64),
        "bond_atoms": (p.bonds.atoms, np.int32),
        "bond_length": (p.bonds.length, np.float64),
        "bond_stiffness": (p.bonds.stiffness, np.float64),
        "angle_atoms": (p.angles.atoms, np.int32),
        "angle_angle": (p.angles.angle, np.float64),
        "angle_stiffness": (p.angles.stiffness, np.float64),
        "torsion_atoms": (p.torsions.atoms, np.int32),
        "torsion_cosines": (p.torsions.cosines, np.float64),
        "torsion_sines": (p.torsions.sines, np.float64),
        "cmap_atoms": (cmaps.atoms, np.int32),
        "cmap_size": (sizes[cmaps.map], np.int32),
        "cmap_start": (starts[cmaps.map], np.int64),
        "cmap_coefficients": (cells, np.float64),
    }
    numbers = dict.fromkeys(_NUMBERS, 0.0)
    if p.pairs is not None:
        arrays |= {name: (getattr(p.pairs, name), np.float64) for name in ("coulomb", "c12", "c6")}
        arrays["cut"] = (p.pairs.cut, np.uint8)
        numbers |= {name: getattr(p.pairs, name) for name in ("cutoff", "k_rf", "c_rf")}
    if born is not None:
        names = ("charges", "radii", "offset_radii", "scaled_radii", "alpha", "beta", "gamma")
        arrays |= {name: (getattr(born, name), np.float64) for name in names}
        numbers |= {name: getattr(born, name) for name in ("prefactor", "shift", "surface")}
        numbers["born_cutoff"] = born.cutoff
    if neck is not None:
        arrays |= {f"neck_{name}": (getattr(neck, name), np.float64) for name in ("depth", "position", "reach")}
    held = {name: np.ascontiguousarray(array, dtype=kind) for name, (array, kind) in arrays.items()}
    pointers = {name: _pointer(array) for name, array in held.items()}
    return Terms(**counts, **pointers, **numbers), list(held.values())
