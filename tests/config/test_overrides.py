"""File, then dotted overrides, then flags."""

from __future__ import annotations

import pytest

from tbg_core.config.overrides import apply_flags, apply_overrides, parse_flag
from tbg_core.errors import ConfigError

FILE = {"integrator": {"name": "dopri5", "rtol": 1e-3}, "seed": 1}


def test_values_are_read_as_yaml_and_the_file_is_left_alone():
    before = {"integrator": {"name": "dopri5", "rtol": 1e-3}, "seed": 1}
    result = apply_overrides(FILE, ["integrator.rtol=1e-5", "seed=7", "sampling.num_samples=9", "prior=harmonic"])
    assert result == {
        "integrator": {"name": "dopri5", "rtol": 1e-5},
        "seed": 7,
        "sampling": {"num_samples": 9},
        "prior": {"name": "harmonic"},
    }
    assert before == FILE


def test_an_option_of_a_component_that_the_file_does_not_mention_is_the_defaults():
    assert apply_overrides({}, ["model.width=128"]) == {"model": {"name": "egnn", "width": 128}}


def test_a_component_given_by_name_alone_takes_options():
    data = {"model": {"name": "flow", "field": "egnn"}, "integrator": "rk4"}
    result = apply_overrides(data, ["model.field.width=8", "integrator.steps=20"])
    assert result == {
        "model": {"name": "flow", "field": {"name": "egnn", "width": 8}},
        "integrator": {"name": "rk4", "steps": 20},
    }


def test_pairs_from_python_are_taken_as_they_are():
    options = {"name": "rk4"}
    result = apply_overrides(FILE, [("integrator", options), ("integrator.steps", 9), ("system", "1e5")])
    assert result["integrator"] == {"name": "rk4", "steps": 9}
    assert result["system"] == "1e5"
    assert options == {"name": "rk4"}
    with pytest.raises(ConfigError, match="unknown key 'integator'"):
        apply_overrides(FILE, [("integator.rtol", 3)])


def test_a_flag_counts_as_named_even_where_it_names_the_default():
    assert apply_flags({}, [], {"energy": "openmm"}, {}) == {"energy": {"name": "openmm"}}


@pytest.mark.parametrize("choice", ["integrator=heun", "integrator.name=heun"])
def test_choosing_another_component_drops_the_options_of_the_old_one(choice):
    assert apply_overrides(FILE, ["integrator.steps=4", choice])["integrator"] == {"name": "heun", "steps": 4}


def test_flags_win_over_overrides_and_overrides_over_the_file():
    flags = {"seed": 3}
    assert apply_flags(FILE, ["seed=2"], {}, flags)["seed"] == 3
    assert apply_flags(FILE, ["seed=2"], {}, {"seed": None})["seed"] == 2
    result = apply_flags(FILE, ["integrator=euler", "integrator.steps=4"], {"integrator": "heun"}, {})
    assert result["integrator"] == {"name": "heun", "steps": 4}


def test_naming_the_same_component_keeps_its_options():
    assert apply_flags(FILE, [], {"integrator": "dopri5"}, {})["integrator"] == FILE["integrator"]
    flow = {"model": {"name": "flow", "field": {"name": "egnn", "width": 8}}}
    assert apply_flags(flow, [], {"model": "egnn"}, {}) == flow


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("seed", "'seed' is not KEY=VALUE"),
        ("=3", "is not KEY=VALUE"),
        ("integrator..rtol=3", "is not KEY=VALUE"),
        ("integator.rtol=3", "unknown key 'integator'. Did you mean 'integrator'?"),
        ("seed=!!python/name:os.system ", "object tag"),
        ("seed.x=3", "'seed' is a plain value"),
    ],
)
def test_a_bad_override_is_one_line(item, message):
    with pytest.raises(ConfigError) as raised:
        apply_overrides(FILE, [item])
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_flag_may_be_an_inline_mapping():
    assert parse_flag("integrator", "{name: dopri5, rtol: 1e-6}") == {"name": "dopri5", "rtol": 1e-6}
    assert parse_flag("integrator", "rk4") == "rk4"
    assert parse_flag("integrator", None) is None
    with pytest.raises(ConfigError):
        parse_flag("integrator", "{name: rk4")
