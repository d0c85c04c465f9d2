"""Joint states of a molecule's torsions, counted in frames: the basins of phi and psi, the rotamers of side chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tbg_assignment.distributions import LIMIT
from tbg_assignment.label_file import LabelFile
from tbg_core.datasets.folder import MANIFEST, load_data, read_manifest
from tbg_core.datasets.verbs import data_folder
from tbg_core.errors import ConfigError, UnsupportedSystemError
from tbg_core.metrics.basins import BASINS, basin_of
from tbg_core.molecule import Molecule
from tbg_core.observables.geometry import dihedral
from tbg_core.observables.torsions import TORSION_KINDS, torsions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.training.data import Frames

KINDS: Final = ("phi", "psi", "chi1", "chi2")
"""Torsions that are labelled unless others are named."""
_OMEGA: Final = (-90.0, 90.0)


def edges_of(kind: str) -> tuple[float, ...]:
    """Where the classes of a kind of torsion begin, degrees; those of all chi are the rotamers of chi1."""
    return _OMEGA if kind == "omega" else BASINS.get(kind, BASINS["chi1"])


def frames_of(source: str, system: str | None) -> Frames:
    """Frames of one molecule of a dataset, a simulation, a run or a folder of runs.

    Raises:
        ConfigError: If there are several to choose from.
    """
    folder = data_folder(source)
    names = None if system is None else [system]
    if names is None and (folder / MANIFEST).is_file():
        names = list(read_manifest(folder)["systems"])
    frames = load_data(folder, names) if names is None or len(names) == 1 else []
    if len(frames) == 1:
        return frames[0]
    raise ConfigError(f"{source} has {len(names or frames)} molecules.", fix="Choose one with --system.")


def torsion_states(frames: Frames, kinds: Sequence[str] = KINDS, hold_out: float = 0.25, source: str = "") -> LabelFile:
    """Counts the joint states of all torsions of some kinds.

    Frames that are held out are those of other walkers where there are several: frames of one walker are correlated,
    so that it counts as one independent frame at most in what is said of errors.

    Args:
        frames: Of a peptide.
        kinds: ``phi``, ``psi``, ``omega``, ``chi1`` to ``chi5``; for all residues that have them.
        hold_out: Share of the walkers, from 0 to 1.
        source: Where the frames come from.

    Raises:
        ConfigError: If a kind does not exist.
        UnsupportedSystemError: If the molecule has none of the torsions, or too many.
    """
    strangers = [kind for kind in kinds if kind not in TORSION_KINDS]
    if strangers:
        raise ConfigError(f"{', '.join(strangers)} is no torsion.", fix=f"There are {', '.join(TORSION_KINDS)}.")
    molecule = frames.system
    if not isinstance(molecule, Molecule):
        raise UnsupportedSystemError(f"{molecule.name} is no molecule.", fix="Give frames of a peptide.")
    found = [(kind, residue, atoms) for kind in kinds for residue, atoms in torsions(molecule, kind).items()]
    edges = [edges_of(kind) for kind, _, _ in found]
    classes = max(map(len, edges), default=0)
    if not found or classes ** len(found) > LIMIT:
        raise UnsupportedSystemError(
            f"{molecule.name} has {len(found)} torsions of the kinds {', '.join(kinds)}; 1 to 12 can be labelled.",
            fix="Name others with --torsions.",
        )
    kept, other = frames.split(hold_out)
    parts = [kept] if other is None else [kept, other]
    counted = [_count(part, [(atoms, e) for (_, _, atoms), e in zip(found, edges, strict=True)]) for part in parts]
    labels, place = np.unique(np.concatenate([states for states, _ in counted]), axis=0, return_inverse=True)
    sizes = [len(states) for states, _ in counted]
    which = np.split(place.reshape(-1), np.cumsum(sizes)[:-1])
    sums = [
        np.bincount(rows, weights=weights, minlength=len(labels))
        for rows, (_, weights) in zip(which, counted, strict=True)
    ]
    independent = [_independent(part, weights) for part, (_, weights) in zip(parts, counted, strict=True)]
    return LabelFile(
        name=molecule.name,
        variables=tuple(f"{kind}:{residue + 1}" for kind, residue, _ in found),
        classes=classes,
        boundaries_degree=tuple(edges),
        labels=tuple(tuple(map(int, row)) for row in labels),
        weights=tuple(map(float, sums[0])),
        held_out=tuple(map(float, sums[1])) if other is not None else (0.0,) * len(labels),
        frames=independent[0],
        held_out_frames=independent[1] if other is not None else 0.0,
        source=source,
    )


def _count(
    frames: Frames, wanted: Sequence[tuple[tuple[int, int, int, int], tuple[float, ...]]]
) -> tuple[np.ndarray, np.ndarray]:
    """States [B, n] of the frames and their weights [B], which sum to B."""
    x = np.asarray(frames.positions, dtype=np.float64)
    states = np.stack([basin_of(dihedral(x, *atoms), edges) for atoms, edges in wanted], axis=1)
    weights = np.ones(len(x)) if frames.weights is None else frames.weights * len(x) / frames.weights.sum()
    return states, weights


def _independent(frames: Frames, weights: np.ndarray) -> float:
    """(sum m)^2 / sum m^2 over the weights m of the walkers."""
    m = np.bincount(np.unique(frames.walker, return_inverse=True)[1].reshape(-1), weights=weights)
    return float(m.sum() ** 2 / (m**2).sum())
