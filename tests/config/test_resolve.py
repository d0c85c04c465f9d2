"""A resolved configuration says everything, and means the same when it is read again."""

from __future__ import annotations

import pytest

from tbg_core.config.load import dump_config, load_config, make_config
from tbg_core.config.resolve import ONE_PASS_BLOCK, proposal_reference, resolve
from tbg_core.config.run_config import COMPONENT_KEYS
from tbg_core.config.schema import json_schema
from tbg_core.errors import ConfigError, TbgError, UnknownComponentError
from tbg_core.registry import get_registry

SOURCE = """
from pydantic import Field
from tbg_core.config.base import ComponentConfig
from tbg_core.registry import ComponentSpec, hookimpl


class Config(ComponentConfig):
    width: int = Field(default=4, ge=1, description="Width (units).")


class Toy:
    @classmethod
    def parse(cls, text):
        return {"width": 2} if text == "dot" else None


@hookimpl
def tbg_components():
    kinds = {"field": "wind", "energy": "hill", "system": "dots", "integrator": "hop", "proposal": "stone"}
    return [
        ComponentSpec(kind=k, name=n, summary="A fake.", target="fake_hills:Toy", config="fake_hills:Config")
        for k, n in kinds.items()
    ]
"""

ASKED = {"system": "dot", "model": {"name": "wind", "width": 9}, "energy": "hill", "integrator": "hop"}


@pytest.fixture
def hills(make_plugin, fresh_registry, monkeypatch):
    """The core and one fake plugin: no openmm, no egnn, no dopri5."""
    site = make_plugin("hills", SOURCE)
    monkeypatch.setenv("TBG_DISABLE_PLUGINS", "egnn,openmm,solvers,toys")
    fresh_registry(site)
    return get_registry()


def test_every_option_is_written_out(hills):
    config = resolve(make_config(ASKED))
    assert config.system == {"name": "dots", "width": 2}
    assert config.model["name"] == "flow"
    assert config.model["field"] == {"name": "wind", "width": 9}
    assert config.energy == {"name": "hill", "width": 4}
    assert config.prior is not None
    assert set(config.prior) > {"name"}


def test_resolving_twice_and_through_a_file_changes_nothing(hills, tmp_path):
    config = resolve(make_config(ASKED), needs=["model", "energy"])
    path = tmp_path / "config.yaml"
    path.write_text(dump_config(config))
    assert load_config(path) == config
    assert resolve(load_config(path), needs=["model", "energy"]) == config


def test_a_default_that_is_not_installed_is_left_out_unless_it_is_needed(hills):
    asked = {"system": "dot", "energy": "hill"}
    assert resolve(make_config(asked)).model == {"name": "egnn"}
    with pytest.raises(TbgError, match="'egnn' is provided by tbg-egnn"):
        resolve(make_config(asked), needs=["model"])


def test_dynamics_of_the_core_stand_in_where_the_usual_ones_are_not_installed(hills):
    assert resolve(make_config(ASKED), needs=["dynamics"]).dynamics["name"] == "langevin"


def test_training_needs_neither_system_nor_energy(hills):
    config = resolve(make_config({"model": "wind", "integrator": "hop"}), needs=["model", "objective"])
    assert config.system == "ACE-ALA-NME"
    assert config.energy == {"name": "openmm"}
    assert config.objective["sigma"] == 0.0
    with pytest.raises(TbgError, match="'ACE-ALA-NME' is not understood"):
        resolve(make_config({"model": "wind", "integrator": "hop"}), needs=["system"])


def test_simulating_needs_no_model(hills):
    config = resolve(make_config({"system": "dot", "energy": "hill"}), needs=["system", "energy"])
    assert config.model == {"name": "egnn"}
    with pytest.raises(TbgError, match="field 'egnn' is provided by tbg-egnn"):
        resolve(make_config({"system": "dot", "energy": "hill"}), needs=["model"])


def test_what_the_user_named_must_exist(hills):
    with pytest.raises(UnknownComponentError, match=r"unknown energy 'hil'\. Did you mean 'hill'"):
        resolve(make_config({**ASKED, "energy": "hil"}))
    with pytest.raises(ConfigError, match="field 'wind': unknown option 'widht'"):
        resolve(make_config({**ASKED, "model": {"name": "wind", "widht": 1}}))


def test_a_model_without_slots_has_none_in_the_result(hills):
    config = resolve(make_config({"system": "dot", "energy": "hill", "model": "stone"}))
    assert (config.prior, config.integrator, config.likelihood) == (None, None, None)
    assert proposal_reference(config) == {"name": "stone", "width": 4}
    with pytest.raises(ConfigError, match="model 'stone' has no slot 'integrator'"):
        resolve(make_config({"system": "dot", "energy": "hill", "model": "stone", "integrator": "hop"}))


def test_a_model_without_a_field_is_fitted_by_likelihood_and_sampled_in_large_blocks(hills):
    stone, wind = {**ASKED, "model": "stone"}, ASKED
    stone.pop("integrator")
    assert [resolve(make_config(asked)).sampling.block_size for asked in (stone, wind)] == [ONE_PASS_BLOCK, 32]
    assert resolve(make_config(stone)).objective["name"] == "maximum-likelihood"
    chosen = resolve(make_config({**stone, "sampling": {"block_size": 8}, "objective": "flow-matching"}))
    assert chosen.sampling.block_size == 8
    assert chosen.objective["name"] == "flow-matching"


def test_a_flow_by_its_own_name_takes_the_default_field_of_the_class_of_the_system():
    for system, field in (("GF", "egnn"), ("double-well", "mlp")):
        energy = "openmm" if system == "GF" else "double-well"
        config = resolve(make_config({"system": system, "energy": energy, "model": "flow"}), {"system", "model"})
        assert config.model["field"]["name"] == field
        assert config.objective["name"] == "flow-matching"
        assert resolve(config) == config


def test_the_installed_defaults_resolve_to_complete_references():
    config = resolve(make_config({}), needs=["model", "energy", "sampler", "dynamics", "objective"])
    registry = get_registry()
    for key, kind in COMPONENT_KEYS.items():
        reference = dict(getattr(config, key))
        options = set(registry.config_class(kind, reference["name"]).model_fields)
        assert options <= reference.keys(), key


def test_the_schema_describes_every_installed_component():
    schema = json_schema()
    for spec in get_registry().specs():
        definition = schema["$defs"][f"{spec.kind}.{spec.name}"]
        assert definition["properties"]["name"] == {"const": spec.name}
        assert definition["additionalProperties"] is False
    names = schema["properties"]["integrator"]["anyOf"][0]["enum"]
    assert names == get_registry().names("integrator")
    assert schema["additionalProperties"] is False
    for reference in _references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


def _references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)
