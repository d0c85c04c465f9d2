"""Reads implicit solvents: OpenMM's GBSAOBCForce, and the CustomGBForces that its force-field files build."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import openmm
from openmm.app.internal import customgbforces

from tbg_openmm.engine.parameters import GeneralizedBorn, Neck, Unreadable

# Of the ReferenceObc and CustomGBForce models alike; nm.
_OFFSET: Final = 0.009
_OBC2: Final = (1.0, 0.8, 4.85)
_CUSTOM_CONSTANT: Final = 138.935485
_CUSTOM_SURFACE: Final = 28.3919551
_NECK_CUT: Final = 0.68

# Model: how OpenMM builds it, coefficients of the rescaling (None: per atom), scale of the neck.
_MODELS: Final[dict[str, tuple[Any, tuple[float, float, float] | None, float]]] = {
    "hct": (customgbforces.GBSAHCTForce, (0.0, 0.0, 0.0), 0.0),
    "obc1": (customgbforces.GBSAOBC1Force, (0.8, 0.0, 2.909125), 0.0),
    "obc2": (customgbforces.GBSAOBC2Force, _OBC2, 0.0),
    "gbn": (customgbforces.GBSAGBnForce, (1.09511284, 1.907992938, 2.50798245), 0.361825),
    "gbn2": (customgbforces.GBSAGBn2Force, None, 0.826836),
}


def read_native_born(force: openmm.GBSAOBCForce, coulomb: float) -> GeneralizedBorn:
    """OBC2 as OpenMM computes it natively.

    Args:
        force: The force.
        coulomb: Coulomb's constant, kJ nm/mol/e^2.
    """
    rows = [force.getParticleParameters(i) for i in range(force.getNumParticles())]
    charges, radii, scales = (np.array([float(getattr(row[k], "_value", row[k])) for row in rows]) for k in range(3))
    alpha, beta, gamma = (np.full(len(rows), value) for value in _OBC2)
    cutoff = force.getCutoffDistance()._value if force.getNonbondedMethod() else np.inf  # noqa: SLF001
    offset_radii = radii - _OFFSET
    surface = force.getSurfaceAreaEnergy()
    return GeneralizedBorn(
        charges=charges,
        radii=radii,
        offset_radii=offset_radii,
        scaled_radii=scales * offset_radii,
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        tanh=True,
        prefactor=-coulomb * (1 / force.getSoluteDielectric() - 1 / force.getSolventDielectric()),
        shift=0.0 if np.isinf(cutoff) else 1 / cutoff,
        cutoff=cutoff,
        surface=4 * np.pi * float(getattr(surface, "_value", surface)),
        engulfing=True,
    )


def read_custom_born(force: openmm.CustomGBForce, coulomb: float) -> GeneralizedBorn:
    """A model of Amber's, recognised by its expressions: they must be those that OpenMM itself writes.

    Args:
        force: The force.
        coulomb: Not used: the expressions hold a constant of their own.

    Raises:
        Unreadable: If no model of OpenMM's has these expressions.
    """
    del coulomb
    numbers = _numbers(force)
    name, surface = _recognise(force, numbers)
    model, coefficients, neck_scale = _MODELS[name]
    n, names = (
        force.getNumParticles(),
        [force.getPerParticleParameterName(k) for k in range(force.getNumPerParticleParameters())],
    )
    table = np.array([force.getParticleParameters(i) for i in range(n)], dtype=np.float64).reshape(n, len(names))
    column = {key: table[:, k] for k, key in enumerate(names)}
    radii = column["or"] + model.OFFSET
    if coefficients is None:
        alpha, beta, gamma = column["alpha"], column["beta"], column["gamma"]
    else:
        alpha, beta, gamma = (np.full(n, value) for value in coefficients)
    cut = force.getNonbondedMethod() != force.NoCutoff
    return GeneralizedBorn(
        charges=column["charge"],
        radii=radii,
        offset_radii=column["or"],
        scaled_radii=column["sr"],
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        tanh=name != "hct",
        prefactor=-_CUSTOM_CONSTANT * (1 / numbers["soluteDielectric"] - 1 / numbers["solventDielectric"]),
        shift=1 / numbers["cutoff"] if "cutoff" in numbers else 0.0,
        cutoff=force.getCutoffDistance()._value if cut else np.inf,  # noqa: SLF001
        surface=_CUSTOM_SURFACE if surface else 0.0,
        engulfing=False,
        neck=_neck(force, column["radindex"], radii, neck_scale) if neck_scale else None,
    )


def _numbers(force: openmm.CustomGBForce) -> dict[str, float]:
    """The constants that OpenMM writes at the end of its energy expressions."""
    if not force.getNumEnergyTerms():
        raise Unreadable("its CustomGBForce has no energy terms")
    text = force.getEnergyTermParameters(0)[0]
    found = dict(re.findall(r"; (solventDielectric|soluteDielectric|kappa|cutoff)=([-+.\deE]+)", text))
    if not {"solventDielectric", "soluteDielectric", "kappa"} <= set(found):
        raise Unreadable("its CustomGBForce is none of OpenMM's")
    numbers = {key: float(value) for key, value in found.items()}
    if numbers["kappa"]:
        raise Unreadable("its CustomGBForce has an ionic strength")
    return numbers


def _recognise(force: openmm.CustomGBForce, numbers: dict[str, float]) -> tuple[str, bool]:
    """The model, and whether it has the surface term."""
    if force.getNumGlobalParameters() or force.getNumEnergyParameterDerivatives():
        raise Unreadable("its CustomGBForce has global parameters")
    wanted = _expressions(force)
    for name, (model, _, _) in _MODELS.items():
        for surface in (True, False):
            built = model(
                solventDielectric=numbers["solventDielectric"],
                soluteDielectric=numbers["soluteDielectric"],
                SA="ACE" if surface else None,
                cutoff=numbers.get("cutoff"),
            )
            # A particle of each kind: the models with tables write their expressions when they have one.
            built.addParticle([0.0, 0.15, 1.0, *([1.0] * 3 if name == "gbn2" else [])])
            built.finalize()
            if _expressions(built) == wanted:
                return name, surface
    raise Unreadable("its CustomGBForce is none of OpenMM's hct, obc1, obc2, gbn, gbn2")


def _expressions(force: openmm.CustomGBForce) -> list[Any]:
    return [
        [force.getPerParticleParameterName(k) for k in range(force.getNumPerParticleParameters())],
        [force.getComputedValueParameters(k) for k in range(force.getNumComputedValues())],
        [force.getEnergyTermParameters(k) for k in range(force.getNumEnergyTerms())],
        [force.getTabulatedFunctionName(k) for k in range(force.getNumTabulatedFunctions())],
    ]


def _neck(force: openmm.CustomGBForce, index: np.ndarray, radii: np.ndarray, scale: float) -> Neck:
    """Depth and position of the necks from the force's own tables."""
    tables = {}
    for k in range(force.getNumTabulatedFunctions()):
        function = force.getTabulatedFunction(k)
        if not isinstance(function, openmm.Discrete2DFunction):
            raise Unreadable("a table of its CustomGBForce is not discrete")
        x_size, y_size, values = function.getFunctionParameters()
        # OpenMM stores the first argument fastest.
        tables[force.getTabulatedFunctionName(k)] = np.array(values).reshape(y_size, x_size).T
    kind = np.rint(index).astype(int)
    if (kind != index).any() or kind.min() < 0 or any(kind.max() >= len(table) for table in tables.values()):
        raise Unreadable("its CustomGBForce has indices outside its tables")
    return Neck(
        depth=scale * tables["getm0"][np.ix_(kind, kind)],
        position=tables["getd0"][np.ix_(kind, kind)],
        reach=radii[:, None] + radii[None, :] + _NECK_CUT,
    )
