"""Handedness of atoms with four neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.molecule import Handedness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def signed_volumes(x: NDArray[np.floating], quadruples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Six times the signed volume of the tetrahedron of four atoms, (a - e) . ((b - e) x (d - e)).

    With the four neighbours (a, b, d, e) of a tetrahedral atom its sign is that of the triple product of the
    first three bond vectors (at the ideal angle it is four times that product). Unlike that product it
    changes sign under every exchange of two neighbours in any geometry, however distorted, which
    is what makes folding exact (:mod:`tbg_core.molecule.domain`).

    Args:
        x: Positions [B, N, 3], nm.
        quadruples: Atom indices [M, 4].

    Returns:
        Volumes [B, M], nm^3.
    """
    corner = np.asarray(x, dtype=np.float64)[:, np.asarray(quadruples, dtype=np.int64).reshape(-1, 4)]
    a, b, d = (corner[:, :, k] - corner[:, :, 3] for k in range(3))
    return np.asarray(np.sum(a * np.cross(b, d), axis=-1))


def handedness_labels(
    neighbours: Sequence[Sequence[int]],
    positions: NDArray[np.floating],
    elements: Sequence[str] | None = None,
) -> tuple[Handedness, ...]:
    """Labels of all atoms with four neighbours, from a reference conformation.

    Args:
        neighbours: Bonded atoms of each atom [N].
        positions: The conformation [N, 3], nm.
        elements: Element symbols [N]: neighbours are then listed with heavy atoms first and hydrogens last,
            ascending within both. If None they keep the order given.

    Returns:
        One label for each atom with exactly four neighbours, sorted by centre.

    Raises:
        UnsupportedSystemError: If the neighbours of an atom are coplanar, so that it has no handedness.
    """
    centres = [i for i, row in enumerate(neighbours) if len(row) == 4]
    if not centres:
        return ()
    rows = [tuple(neighbours[i]) for i in centres]
    if elements is not None:
        rows = [tuple(sorted(row, key=lambda j: (elements[j] == "H", j))) for row in rows]
    x = np.asarray(positions, dtype=np.float64)
    volumes = signed_volumes(x[None], np.array(rows, dtype=np.int64))[0]
    edges = [np.ptp(x[list(row)], axis=0).max() for row in rows]
    labels = []
    for centre, row, volume, edge in zip(centres, rows, volumes, edges, strict=True):
        if not abs(volume) > 1e-3 * edge**3:
            raise UnsupportedSystemError(
                f"The four neighbours of atom {centre + 1} lie in a plane, so its handedness is undefined.",
                fix="Give a reference conformation with tetrahedral geometry.",
            )
        labels.append(Handedness(centre, (row[0], row[1], row[2], row[3]), 1 if volume > 0 else -1))
    return tuple(labels)


def handedness_signs(x: NDArray[np.floating], labels: Sequence[Handedness]) -> NDArray[np.bool_]:
    """Whether each conformation agrees with each label.

    Args:
        x: Positions [B, N, 3], nm.
        labels: The labels [M].

    Returns:
        True where the sense is that of the label [B, M].
    """
    if not labels:
        return np.ones((len(x), 0), dtype=np.bool_)
    quadruples = np.array([label.neighbours for label in labels], dtype=np.int64)
    signs = np.array([label.sign for label in labels], dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(signed_volumes(x, quadruples) * signs > 0)
