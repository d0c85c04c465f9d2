"""Molecules as plain data, for the manifests of shards and checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_core.errors import StorageError
from tbg_core.molecule.molecule import Handedness, Molecule

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = 1
"""Version of the form of the data."""


def molecule_to_dict(molecule: Molecule) -> dict[str, Any]:
    """Plain data (JSON types only) that :func:`molecule_from_dict` reads back exactly."""
    reference = molecule.reference
    return {
        "schema": SCHEMA,
        "key": molecule.key,
        "name": molecule.name,
        "elements": list(molecule.elements),
        "atom_names": list(molecule.atom_names),
        "residue_index": list(molecule.residue_index),
        "residue_names": list(molecule.residue_names),
        "bonds": [list(bond) for bond in molecule.bonds],
        "masses": list(molecule.masses),
        "formal_charges": list(molecule.formal_charges),
        "handedness": [[h.centre, list(h.neighbours), h.sign] for h in molecule.handedness],
        "reference": None if reference is None else np.asarray(reference, dtype=np.float64).tolist(),
    }


def molecule_from_dict(data: Mapping[str, Any]) -> Molecule:
    """The molecule written by :func:`molecule_to_dict`; its reference is float64.

    Raises:
        StorageError: If the data are incomplete, of another schema, or do not give the recorded key.
    """
    try:
        if data["schema"] != SCHEMA:
            raise StorageError(
                f"The record of a molecule has schema {data['schema']!r}; this version reads {SCHEMA}.",
                fix="Use the version of tbg that wrote it.",
            )
        reference = data["reference"]
        molecule = Molecule(
            name=str(data["name"]),
            elements=tuple(str(e) for e in data["elements"]),
            atom_names=tuple(str(a) for a in data["atom_names"]),
            residue_index=tuple(int(r) for r in data["residue_index"]),
            residue_names=tuple(str(r) for r in data["residue_names"]),
            bonds=tuple((int(i), int(j)) for i, j in data["bonds"]),
            masses=tuple(float(m) for m in data["masses"]),
            formal_charges=tuple(int(q) for q in data["formal_charges"]),
            handedness=tuple(_label(*row) for row in data["handedness"]),
            reference=None if reference is None else np.array(reference, dtype=np.float64).reshape(-1, 3),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"The record of a molecule is damaged: {error!r}.") from error
    if molecule.key != data.get("key"):
        raise StorageError(
            f"The record of {molecule.name} was altered: its key is {molecule.key}, not {data.get('key')}.",
            fix="Restore the file, or build the molecule again from its source.",
        )
    return molecule


def _label(centre: int, neighbours: list[int], sign: int) -> Handedness:
    a, b, c, d = (int(j) for j in neighbours)
    return Handedness(int(centre), (a, b, c, d), int(sign))
