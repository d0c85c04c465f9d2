"""Configuration files: plain values, checked, and nothing executed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tbg_core.config.load import dump_config, load_config, make_config, parse_yaml
from tbg_core.config.run_config import RunConfig
from tbg_core.errors import ConfigError


def written(tmp_path, text, name="c.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_an_empty_file_means_the_defaults(tmp_path):
    config = load_config(written(tmp_path, ""))
    assert config == RunConfig()
    assert config.model == {"name": "egnn"}
    assert (config.sampling.num_samples, config.sampling.block_size, config.seed) == (256, 32, 0)
    assert config.temperature_K is None


def test_yaml_and_toml_say_the_same(tmp_path):
    yaml = written(
        tmp_path,
        "system: GF\nmodel: egnn\nintegrator: {name: dopri5, rtol: 1e-5}\nsampling: {num_samples: 9}",
    )
    toml = written(
        tmp_path,
        'system = "GF"\nmodel = "egnn"\n[integrator]\nname = "dopri5"\nrtol = 1e-5\n[sampling]\nnum_samples = 9\n',
        "c.toml",
    )
    assert load_config(yaml) == load_config(toml)
    assert load_config(yaml).integrator == {"name": "dopri5", "rtol": 1e-5}


def test_a_mapping_without_a_name_configures_the_default(tmp_path):
    assert load_config(written(tmp_path, "integrator: {rtol: 1e-4}")).integrator == {
        "name": "dopri5",
        "rtol": 1e-4,
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "seed: 1\nmodel: !!python/object/apply:os.system ['true']",
            r"c\.yaml, line 2: the object tag !!python/object/apply:os\.system is refused",
        ),
        ("model: !mine {a: 1}", "line 1: the object tag !mine is refused"),
        ("seed: 1\nmodel: egnn\nseed: 2", "line 3: the key 'seed' appears twice"),
        ("model: {name: egnn, name: other}", "the key 'name' appears twice"),
        ("model: &a egnn\nprior: *a", "line 2: anchors and aliases are not allowed"),
        ("model: [egnn", "line 1"),
        ("- egnn", "no mapping at its top"),
        ("modle: egnn", r"unknown option 'modle' \(Did you mean 'model'\?\)\. Allowed: "),
        (
            "sampling: {num_sample: 3}",
            r"'sampling.num_sample' \(Did you mean 'num_samples' or 'audit_samples'\?\)\. Allowed: audit",
        ),
        (
            "sampling: {num_samples: -3}",
            "sampling.num_samples = -3: input should be greater than or equal to 1",
        ),
        ("seed: -1", "seed = -1"),
        ("temperature_K: 0", "temperature_K = 0"),
        ("energy: 'os:system'", "looks like an import path; a config can only name components"),
        ("energy: {name: 'subprocess:run'}", "looks like an import path"),
        ("model: {name: flow, field: {name: 'a.b:C'}}", "looks like an import path"),
        ("system: {cis: [2]}", "the mapping has no `name`"),
        ("system: ''", "the system is empty"),
        ("energy: 3", "3 is not a component"),
        ("energy: {preset: x, trust_forcefield: true}", "sets trust_forcefield, which a file cannot"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, text, line):
    with pytest.raises(ConfigError, match=line) as raised:
        load_config(written(tmp_path, text))
    assert "\n" not in str(raised.value)


def test_a_missing_binary_or_torn_file_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the config"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="it is not text"):
        load_config(tmp_path / "b.yaml")
    with pytest.raises(ConfigError, match=r"c\.toml"):
        load_config(written(tmp_path, "seed = ", "c.toml"))


def test_deep_nesting_is_refused_not_a_crash(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(written(tmp_path, "model: " + "[" * 5000))


def test_trust_is_granted_at_the_keyboard_only(tmp_path):
    path = written(tmp_path, "energy: {trust_forcefield: true}")
    assert load_config(path, trust_forcefield=True).energy["trust_forcefield"] is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("2", 2),
        ("-3", -3),
        ("1.5E3", 1500.0),
        ("true", True),
        ("NO", "NO"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("null", None),
        ("[1, a]", [1, "a"]),
        ("GF", "GF"),
    ],
)
def test_scalars_are_read_as_in_yaml_1_2(text, value):
    read = parse_yaml(text, "here")
    assert read == value
    assert type(read) is type(value)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdef", min_size=1, max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(options=st.dictionaries(st.text("abcdef_", min_size=1, max_size=8), plain, max_size=4))
@example(options={"a": "\x85"})
@example(options={"a": "0E0", "b": 1e-5, "c": "1e5"})
@example(options={"a": "one\u2028two", "b": ["\u2029"]})
def test_what_is_written_is_read_back(options, tmp_path_factory):
    config = make_config({"energy": {**options, "name": "openmm"}, "seed": 5, "system": "GF"})
    path = tmp_path_factory.mktemp("c") / "config.yaml"
    path.write_text(dump_config(config), encoding="utf-8")
    assert load_config(path) == config


def test_labels_name_what_the_user_named():
    assert make_config({"model": {"name": "flow", "field": {"name": "egnn"}}}).model_label == "egnn"
    assert make_config({"model": {"name": "flow", "field": "mlp"}}).model_label == "mlp"
    assert make_config({"model": "flow"}).model_label == "flow"
    assert make_config({"system": {"name": "toy"}}).system_label == "toy"
