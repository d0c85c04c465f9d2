"""Collective variables from a user's Python file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tbg_core.errors import ConfigError
from tbg_core.loading import load_system
from tbg_core.observables import load_observable, parse_observable

pytest.importorskip("tbg_openmm")

GOOD = """
import math
import numpy as np
from tbg_core.observables import Observable

def height(x):
    return x[:, :, 2].max(axis=1)

def bend(x, system):
    i = system.atom(1, "CA")
    return np.arctan2(x[:, i, 1], x[:, i, 0])

bend.unit = "rad"
bend.period = 2 * math.pi

width = Observable("width", "nm", None, lambda x: np.ptp(x[:, :, 0], axis=1), source="me")

def single(x):
    return x.mean()

def fails(x):
    raise ZeroDivisionError("by nothing")

number = 3
"""


@pytest.fixture(scope="module")
def ala():
    return load_system("ACE-ALA-NME")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mycv.py"
    path.write_text(GOOD)
    return path


def states(ala):
    return ala.reference + np.random.default_rng(0).normal(scale=0.02, size=(5, ala.n_atoms, 3))


def test_functions_and_observables_are_read(ala, file):
    x = states(ala)
    height = load_observable(f"{file}:height", ala)
    assert (height.name, height.unit, height.period) == ("height", "", None)
    assert np.array_equal(height(x), x[:, :, 2].max(axis=1))
    bend = load_observable(f"{file}:bend", ala)
    assert (bend.unit, bend.period) == ("rad", 2 * math.pi)
    assert bend.to("degree").period == pytest.approx(360.0)
    assert bend(x).shape == (5,)
    width = load_observable(f"{file}:width", ala)
    assert (width.name, width.unit, width.source) == ("width", "nm", "me")
    assert np.allclose(width.to("angstrom")(x), 10 * np.ptp(x[:, :, 0], axis=1))


def test_other_texts_mean_what_they_always_do(ala):
    assert load_observable("phi", ala) == parse_observable("phi", ala)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", r"nothing called 'nothing'. Define `def nothing"),
        ("number", "no function or Observable called 'number'"),
    ],
)
def test_what_cannot_be_used_is_named(ala, file, name, message):
    with pytest.raises(ConfigError, match=message):
        load_observable(f"{file}:{name}", ala)


def test_failures_of_the_function_are_one_line(ala, file):
    with pytest.raises(ConfigError, match=r"mycv.py:single gave an array of shape \(\) for 5 conformations"):
        load_observable(f"{file}:single", ala)(states(ala))
    with pytest.raises(ConfigError, match=r"fails on positions .*ZeroDivisionError: by nothing"):
        load_observable(f"{file}:fails", ala)(states(ala))


def test_a_file_that_fails_or_is_missing(ala, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import not_there\n")
    with pytest.raises(ConfigError, match=r"broken.py fails: ModuleNotFoundError"):
        load_observable(f"{broken}:f", ala)
    with pytest.raises(ConfigError, match="no such file"):
        load_observable(f"{tmp_path / 'gone.py'}:f", ala)
