"""States as users write them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tbg_core.errors import ConfigError
from tbg_core.loading import load_system
from tbg_paths.regions import NAMED, parse_region


@pytest.fixture(scope="module")
def toy():
    return load_system("double-well")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("-1,0;0.3", [-1.2, 0.1], [-0.6, 0.0]),
        ("x:0=-1±0.3", [-0.71, 9.0], [-0.69, 0.0]),
        ("x:0=-1+-0.3,x:1=0+-0.1", [-1.0, 0.05], [-1.0, 0.2]),
        ("x:0=-1.2..-0.5", [-0.51, 0.0], [-0.49, 0.0]),
        ("A", [-1.0, 0.0], [1.0, 0.0]),
        (" B ", [1.0, 3.0], [0.0, 3.0]),
    ],
)
def test_states_of_a_toy(toy, text, inside, outside):
    assert parse_region(text, toy).contains(np.array([inside, outside])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C", r"'C' is not a state. States of double-well: A, B"),
        ("x:0", "not a state"),
        ("x:7=0+-1", "no coordinate 7"),
        ("x:0=1+-0", "empty window"),
        ("1,2,3;1", "3 dimensions"),
        ("0,0;0", "ball"),
        ("", "not a state"),
    ],
)
def test_what_is_no_state_is_refused_with_advice(toy, text, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse_region(text, toy)
    assert error.value.fix


def test_windows_of_torsions_are_periodic_and_in_degrees():
    pytest.importorskip("tbg_openmm")
    molecule = load_system("ACE-ALA-NME")
    x = np.asarray(molecule.reference)[None]
    window = parse_region("phi=0+-180", molecule)
    (part,) = window.parts
    phi = part.observable(x)[0]
    assert part.observable.unit == "degree"
    for shift in (0, 360, -360):
        assert parse_region(f"phi={phi + shift + 5}+-6", molecule).contains(x)[0]
        assert not parse_region(f"phi={phi + shift + 7}+-6", molecule).contains(x)[0]
    assert parse_region("distance:1:C,3:N=0.2..0.6,phi=0+-180", molecule).contains(x)[0]


def test_named_states_of_alanine_dipeptide_do_not_overlap():
    pytest.importorskip("tbg_openmm")
    molecule = load_system("ACE-ALA-NME")
    regions = {name: parse_region(name, molecule) for name in NAMED["ACE-ALA-NME"]}
    assert sorted(regions) == list("ABCDEF")
    for (_, first), (_, second) in combinations(regions.items(), 2):
        apart = [
            abs((a.centre - b.centre + 180) % 360 - 180) > a.half_width + b.half_width
            for a, b in zip(first.parts, second.parts, strict=True)
        ]
        assert any(apart), (first.text, second.text)
