"""How well a simulation with several walkers has converged."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.ensemble.chains import autocorrelation_time
from tbg_core.ensemble.recorded_system import system_from_dict
from tbg_core.metrics.basins import basin_of, basin_torsions
from tbg_core.molecule import Molecule
from tbg_core.observables.geometry import dihedral
from tbg_core.observables.torsions import torsions
from tbg_core.pipeline.simulate import FRAMES, STATISTICS, SYSTEM, simulation_seconds
from tbg_core.storage.atomic import read_json
from tbg_core.storage.shards import ShardStore
from tbg_core.units import thermal_energy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_core.ensemble import Ensemble

_TRANS: Final = np.pi / 2
_RARE: Final = 0.01


def convergence(folder: Path) -> dict[str, Any]:
    """Diagnostics of a simulation folder, as plain data.

    Returns:
        ``walkers``, ``frames`` (of all walkers), ``ns`` (at the target's temperature, all walkers) and
        ``core_seconds``; ``round_trips`` of all replicas, ``acceptance`` per pair of temperatures and
        ``kinetic_temperature_K`` per rung; ``energy_ratio`` per pair (see :func:`energy_ratio`);
        ``statistical_inefficiency`` of u and of each torsion, in frames, and ``effective_frames``, the number of
        frames over the largest; ``populations`` of the basins of each torsion with standard errors from the walkers,
        ``split_half``, the largest difference between the halves of the walkers, and ``drift``, that between the first
        and the second half of the time; ``cis``, the share of frames with a cis peptide bond. What a simulation does
        not have is left out.
    """
    folder = Path(folder)
    store = ShardStore(folder / FRAMES)
    sealed = read_json(store.folder / "manifest.json")
    frames = store.concatenate(["positions", "reduced_energy", "walker"])
    walker = frames["walker"]
    walkers = [np.flatnonzero(walker == w) for w in np.unique(walker)]
    found: dict[str, Any] = {
        "walkers": len(walkers),
        "frames": len(walker),
        "ns": len(walker) * sealed["frame_interval_ps"] / 1000.0,
        "core_seconds": round(simulation_seconds(folder), 1),
    }
    found |= _exchanges(store)
    inefficiency = {"u": _inefficiency(frames["reduced_energy"], walkers)}
    populations: dict[str, Any] = {}
    system = system_from_dict(read_json(folder / SYSTEM))
    if isinstance(system, Molecule):
        x = frames["positions"]
        for name, (angle, edges) in basin_torsions(system, x).items():
            inefficiency[name] = max(_inefficiency(f(angle), walkers) for f in (np.cos, np.sin))
            populations[name] = _populations(basin_of(angle, edges), len(edges), walkers)
        cis = cis_bonds(system, x)
        if cis is not None:
            found["cis"] = float(cis.mean())
    largest = max(inefficiency.values())
    return {
        **found,
        "statistical_inefficiency": {name: round(value, 2) for name, value in inefficiency.items()},
        "effective_frames": int(len(walker) / largest),
        "populations": populations,
        "split_half": round(max((p["split_half"] for p in populations.values()), default=0.0), 4),
        "drift": round(max((p["drift"] for p in populations.values()), default=0.0), 4),
    }


def cis_bonds(molecule: Molecule, x: np.ndarray) -> np.ndarray | None:
    """Which conformations [n] have a cis peptide bond; None for a molecule without peptide bonds."""
    omegas = [dihedral(x, *atoms) for atoms in torsions(molecule, "omega").values()]
    return np.any(np.abs(omegas) < _TRANS, axis=0) if omegas else None


def compared(ensemble: Ensemble, populations: Mapping[str, Any]) -> dict[str, float]:
    """How far the basin populations of a weighted ensemble are from those of a simulation.

    Args:
        ensemble: Samples of the same molecule.
        populations: Of :func:`convergence`.

    Returns:
        ``difference``, the largest of all basins, and ``standard_errors``, the largest in standard errors of the two
        together; a share s of what is compared has the error sqrt(s (1 - s) / ESS). Basins that neither has found in
        more than one of a hundred frames are left out: they have no error to speak of. A simulation that never turned a
        peptide bond samples trans alone, so that cis samples are left out here; ``cis`` is their share.
    """
    molecule = ensemble.system
    if not isinstance(molecule, Molecule):
        return {"difference": 0.0, "standard_errors": 0.0}
    kept = ensemble.valid.copy()
    w = ensemble.relative_weights
    cis = cis_bonds(molecule, ensemble.positions)
    share_cis = 0.0 if cis is None else float(w[kept & cis].sum() / w[kept].sum())
    if cis is not None:
        kept &= ~cis
    w = w[kept] / w[kept].sum()
    effective = 1.0 / float((w**2).sum())
    differences, in_errors = [0.0], [0.0]
    for name, (angle, edges) in basin_torsions(molecule, ensemble.positions[kept]).items():
        # Rounding may lift the only basin above one.
        share = np.minimum(np.bincount(basin_of(angle, edges), weights=w, minlength=len(edges)), 1.0)
        simulated, error = (np.array(populations[name][key]) for key in ("share", "error"))
        apart = np.abs(share - simulated)
        counted = np.maximum(share, simulated) > _RARE
        both = np.sqrt(error**2 + share * (1 - share) / effective)
        differences.append(float(apart.max()))
        in_errors.append(float((apart / np.maximum(both, 1e-9))[counted].max()))
    return {
        "difference": round(max(differences), 4),
        "standard_errors": round(max(in_errors), 2),
        "cis": round(share_cis, 5),
    }


def energy_ratio(low: np.ndarray, high: np.ndarray, low_K: float, high_K: float) -> tuple[float, float]:
    """Do the energies at two temperatures have the ratio of Boltzmann distributions?

    log P_high(U) - log P_low(U) is linear in U with slope beta_low - beta_high. The slope is estimated by maximum
    likelihood: which of the temperatures an energy is from is a logistic function of it.

    Args:
        low: Energies at the lower temperature [n], kJ/mol, decorrelated.
        high: As many at the higher temperature [n].
        low_K: Lower temperature.
        high_K: Higher temperature.

    Returns:
        The slope over the one expected, and its standard error.

    Source: Shirts, J. Chem. Theory Comput. 9, 909 (2013).
    """
    expected = 1.0 / thermal_energy(low_K) - 1.0 / thermal_energy(high_K)
    energies = np.concatenate([low, high])
    from_high = np.concatenate([np.zeros(len(low)), np.ones(len(high))])
    # In units in which the expected slope is one, about the middle; Newton's method on two parameters.
    z = (energies - energies.mean()) * expected
    design = np.stack([np.ones_like(z), z], axis=1)
    beta = np.array([0.0, 1.0])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-design @ beta))
        information = design.T @ (design * (p * (1 - p))[:, None])
        step = np.linalg.solve(information, design.T @ (from_high - p))
        beta += step
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[1]), float(np.sqrt(np.linalg.inv(information)[1, 1]))


def _exchanges(store: ShardStore) -> dict[str, Any]:
    names = ["exchange_attempts", "exchange_accepts", "kinetic_temperature_K", "round_trips", "rung_energies"]
    keys = [STATISTICS + name for name in names]
    present = set(store.read(store.indices[0]))
    if not present.issuperset(keys):
        return {}
    shards = [store.read(index, [*keys, "state.temperatures_K", "walker"]) for index in store.indices]
    temperatures = shards[0]["state.temperatures_K"][0]
    attempts, accepts = (sum(s[key].sum(axis=0) for s in shards) for key in keys[:2])
    kinetic = np.concatenate([s[keys[2]] for s in shards]).mean(axis=0)
    # Round trips are counted from the start; those of a walker are in its last block.
    trips = {
        int(w): row for s in shards for w, row in zip(dict.fromkeys(s["walker"].tolist()), s[keys[3]], strict=True)
    }
    found: dict[str, Any] = {
        "temperatures_K": temperatures.tolist(),
        "kinetic_temperature_K": np.round(kinetic, 1).tolist(),
        "round_trips": int(sum(row.sum() for row in trips.values())),
    }
    if len(temperatures) > 1:
        found["acceptance"] = np.round(np.asarray(accepts) / np.maximum(attempts, 1), 3).tolist()
        # Of each walker and block [frames, T]; the last block of a walker may be shorter.
        energies = [chain for s in shards for chain in s[keys[4]]]
        ratios = []
        for i, (low_K, high_K) in enumerate(pairwise(temperatures)):
            stride = int(np.ceil(max(autocorrelation_time(*(chain[:, j] for chain in energies)) for j in (i, i + 1))))
            low, high = (np.concatenate([chain[::stride, j] for chain in energies]) for j in (i, i + 1))
            ratios.append([round(value, 4) for value in energy_ratio(low, high, low_K, high_K)])
        found["energy_ratio"] = ratios
    return found


def _inefficiency(values: np.ndarray, walkers: list[np.ndarray]) -> float:
    return autocorrelation_time(*(values[rows] for rows in walkers))


def _populations(basin: np.ndarray, count: int, walkers: list[np.ndarray]) -> dict[str, Any]:
    shares = np.array([np.bincount(basin[rows], minlength=count) / len(rows) for rows in walkers])
    error = shares.std(axis=0, ddof=1) / np.sqrt(len(shares)) if len(shares) > 1 else np.full(count, np.nan)
    halves = shares[0::2].mean(axis=0), shares[1::2].mean(axis=0) if len(shares) > 1 else shares[0]
    early, late = (
        np.mean([np.bincount(basin[half], minlength=count) / max(1, len(half)) for half in times], axis=0)
        for times in zip(*(np.array_split(rows, 2) for rows in walkers), strict=True)
    )
    return {
        "share": np.round(shares.mean(axis=0), 4).tolist(),
        "error": np.round(error, 4).tolist(),
        "split_half": float(np.abs(halves[0] - halves[1]).max()),
        "drift": float(np.abs(early - late).max()),
    }
