from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tbg_core.errors import StorageError
from tbg_core.molecule.serialise import molecule_from_dict, molecule_to_dict


@pytest.mark.parametrize("name", ["water", "acetate", "meso", "alanine"])
def test_round_trip_through_json_is_exact(build, name):
    molecule = build(name)
    again = molecule_from_dict(json.loads(json.dumps(molecule_to_dict(molecule))))
    assert again == molecule
    assert again.key == molecule.key
    assert (again.name, again.masses) == (molecule.name, molecule.masses)
    assert np.array_equal(again.reference, molecule.reference)
    assert molecule_to_dict(again) == molecule_to_dict(molecule)


def test_a_molecule_without_reference(alanine):
    bare = replace(alanine, reference=None)
    assert molecule_from_dict(molecule_to_dict(bare)).reference is None


def test_single_precision_and_numpy_numbers_are_written_as_plain_ones(alanine):
    single = replace(
        alanine,
        reference=alanine.reference.astype(np.float32),
        formal_charges=tuple(int(q) for q in np.zeros(22, dtype=np.int64)),
    )
    again = molecule_from_dict(json.loads(json.dumps(molecule_to_dict(single))))
    assert np.array_equal(again.reference.astype(np.float32), single.reference)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bonds": [[0, 1]]}, "altered"),
        ({"schema": 99}, "schema 99"),
        ({"elements": None}, "damaged"),
        ({"handedness": [[0, [1, 2], 1]]}, "damaged"),
    ],
)
def test_altered_records_are_refused(alanine, change, message):
    with pytest.raises(StorageError, match=message):
        molecule_from_dict({**molecule_to_dict(alanine), **change})


def test_incomplete_records_are_refused(alanine):
    data = molecule_to_dict(alanine)
    del data["masses"]
    with pytest.raises(StorageError, match="'masses'"):
        molecule_from_dict(data)
