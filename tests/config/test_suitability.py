"""Components fit the system, by default or else by an error before any work."""

from __future__ import annotations

import re

import pytest

from tbg_core.config.load import dump_config, load_config, make_config
from tbg_core.config.resolve import resolve
from tbg_core.config.suitability import Basis, default_for
from tbg_core.errors import ConfigError
from tbg_core.registry import get_registry
from tbg_core.registry.naming import FIRST_PARTY
from tbg_core.registry.spec import DEFAULT, SYSTEM_CLASSES

RUN = ["system", "model", "energy", "sampler", "objective", "dynamics"]
TOY = {"system": "double-well", "energy": "double-well"}

SOURCE = """
from tbg_core.config.base import ComponentConfig
from tbg_core.registry import ComponentSpec, hookimpl


class Config(ComponentConfig):
    pass


class Paths:
    @classmethod
    def parse(cls, text):
        return {} if text == "footpath" else None


@hookimpl
def tbg_components():
    made = {"system": ("paths", {"paths"}), "energy": ("action", {"paths"}), "prior": ("eager", {"vectors", "default"})}
    return [
        ComponentSpec(kind=kind, name=name, summary="A fake.", target="fake_walks:Paths", config="fake_walks:Config",
                      capabilities=frozenset(able))
        for kind, (name, able) in made.items()
    ]
"""


def names(config):
    return {key: getattr(config, key)["name"] for key in ("prior", "dynamics", "energy")}


def test_defaults_follow_the_system():
    toy = resolve(make_config(TOY), RUN)
    assert names(toy) == {"prior": "gaussian", "dynamics": "exact-sampler", "energy": "double-well"}
    assert toy.model["field"]["name"] == "mlp"
    molecule = resolve(make_config({"system": "GF"}), RUN)
    assert names(molecule) == {"prior": "harmonic", "dynamics": "engine", "energy": "openmm"}
    assert molecule.model["field"]["name"] == "egnn"


def test_where_the_usual_one_is_not_installed_another_that_fits_is_taken():
    registry = get_registry()
    classes = {"vectors": "mlp", "molecules": "egnn", "paths": "elsewhere"}
    for kind, expected in classes.items():
        assert default_for(registry, "proposal", Basis("it", frozenset({kind})), "elsewhere") == expected
    assert default_for(registry, "proposal", Basis("it", frozenset()), "elsewhere") == "elsewhere"


def test_in_training_they_follow_the_data_or_else_the_model():
    needs = ["model", "objective"]
    toy = resolve(make_config({}), needs, data_system={"name": "toy", "toy": "gaussian"})
    assert (toy.model["field"]["name"], toy.prior["name"]) == ("mlp", "gaussian")
    with pytest.raises(ConfigError, match="field 'egnn' is for molecules, and the system gaussian is of the class"):
        resolve(make_config({"model": "egnn"}), needs, data_system={"name": "toy", "toy": "gaussian"})
    unknown = {"name": "not-installed-here"}
    assert resolve(make_config({}), needs, data_system=unknown).prior["name"] == "harmonic"
    assert resolve(make_config({"model": "mlp"}), needs).prior["name"] == "gaussian"
    assert resolve(make_config({"model": "egnn"}), needs).prior["name"] == "harmonic"
    assert resolve(make_config({}), needs).prior["name"] == "harmonic"


def test_what_was_chosen_by_default_is_stable(tmp_path):
    config = resolve(make_config(TOY), RUN)
    path = tmp_path / "c.yaml"
    path.write_text(dump_config(config))
    assert resolve(load_config(path), RUN) == config


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({**TOY, "model": "egnn"}, "field 'egnn' is for molecules, .* double-well .* vectors.*mixture-velocity, mlp"),
        ({**TOY, "prior": "mean-free-gaussian"}, "prior 'mean-free-gaussian' is for molecules, .*-s prior=NAME"),
        ({**TOY, "energy": "openmm"}, "energy 'openmm' is for molecules, .*: double-well, gaussian-mixture, mueller"),
        ({"system": "double-well"}, "energy 'openmm' is for molecules"),
        ({**TOY, "dynamics": "openmm"}, "dynamics 'openmm' is for molecules, .*: exact-sampler"),
        ({"system": "GF", "model": "mlp"}, "field 'mlp' is for vectors, .* GF .* molecules.*: e3nn, egnn"),
        ({"system": "GF", "prior": "gaussian"}, "prior 'gaussian' is for vectors, .*: harmonic, mean-free-gaussian"),
        ({"system": "GF", "energy": "double-well"}, "energy 'double-well' is for vectors, .*: ase, openmm"),
    ],
    ids=str,
)
def test_a_component_for_other_systems_is_refused_in_one_line(asked, message):
    with pytest.raises(ConfigError, match=message) as found:
        resolve(make_config(asked), RUN)
    assert "\n" not in str(found.value)


def test_a_prior_must_fit_the_model_where_no_system_is_known():
    with pytest.raises(ConfigError, match="prior 'harmonic' is for molecules, and the model mlp is of the class"):
        resolve(make_config({"model": "mlp", "prior": "harmonic"}), ["model", "objective"])


def test_only_what_the_run_uses_has_to_fit():
    assert resolve(make_config(TOY), ["system", "energy"]).energy["name"] == "double-well"
    unused = resolve(make_config({"system": "double-well"}), ["system", "model"])
    assert unused.energy["name"] == "openmm"


def test_every_component_of_ours_says_whom_it_is_for():
    for spec in get_registry().specs():
        if (spec.kind, spec.name) in FIRST_PARTY and spec.kind in {"system", "prior", "field", "energy", "dynamics"}:
            assert spec.system_classes, spec
    for kind in ("prior", "field", "dynamics"):
        for name in SYSTEM_CLASSES:
            chosen = [s.name for s in get_registry().specs(kind) if {name, DEFAULT} <= s.capabilities]
            assert len(chosen) == 1, (kind, name, chosen)


def test_a_class_that_the_core_does_not_know_limits_nothing_and_strangers_are_no_defaults(make_plugin, fresh_registry):
    fresh_registry(make_plugin("walks", SOURCE))
    registry = get_registry()
    assert resolve(make_config({"system": "footpath", "energy": "action"}), ["system", "energy"], registry)
    assert resolve(make_config(TOY), RUN, registry).prior["name"] == "gaussian"  # not the eager one
    assert resolve(make_config({**TOY, "prior": "eager"}), RUN, registry).prior == {"name": "eager"}


def test_the_command_says_so_and_makes_no_folder(tbg, tmp_path):
    result = tbg("run", "--system", "double-well", "--model", "egnn", "--energy", "double-well", "--from-scratch")
    assert result.returncode == 2
    assert re.fullmatch(r"error: field 'egnn' is for molecules.*\n", result.stderr)
    assert not list((tmp_path / "work").iterdir())
