"""Recipes: found where plugins ship them, under everything that the user gives, and never in its way."""

from __future__ import annotations

import json

import pytest
import yaml

from tbg_core.config.load import load_config
from tbg_core.config.recipes import find_recipe, lay_over, recipe_files
from tbg_core.config.request import make_request, resolve_request
from tbg_core.errors import ConfigError, PluginError

QUICK = """
summary: A quick one
model: {name: flow, length_scale_nm: 0.5, field: {name: mlp, width: 16, depth: 3}}
prior: gaussian
objective: {name: flow-matching, sigma: 0.25}
training: {steps: 70, batch_size: 11, learning_rate: 1e-3}
"""


@pytest.fixture
def ship(make_plugin, fresh_registry):
    """Installs a plugin of somebody else that ships recipes: name of the file -> its content."""

    def install(plugin="acme", distribution="", **recipes):
        site = make_plugin(plugin, distribution=distribution, recipes=f"fake_recipes_{plugin}.shipped")
        folder = site / f"fake_recipes_{plugin}" / "shipped"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").write_text("")
        for name, text in recipes.items():
            (folder / f"{name}.yaml").write_text(text)
        fresh_registry(site)
        return site

    return install


def resolved(config=None, options=(), recipe=None, values=None, **components):
    data = {"system": "double-well", "energy": "double-well", **(config or {})}
    return resolve_request(
        config=data, overrides=list(options), components=components, values=values or {}, recipe=recipe
    )


def test_a_plugin_of_others_brings_its_own(ship):
    ship(quick=QUICK)
    assert "quick" in recipe_files()
    found = find_recipe("quick")
    assert (found.summary, found.distribution) == ("A quick one", "acme-acme")
    config = resolved(recipe="quick")
    assert config.recipe == "quick"
    assert (config.training.steps, config.training.batch_size, config.training.learning_rate) == (70, 11, 1e-3)
    assert config.model["length_scale_nm"] == 0.5
    assert (config.model["field"]["name"], config.model["field"]["width"]) == ("mlp", 16)
    assert config.objective["sigma"] == 0.25
    # What it does not set has its default, and is written out.
    assert config.training.ema_decay == resolved().training.ema_decay
    assert "coupling" in config.objective


def test_recipe_then_file_then_overrides_then_flags(ship):
    ship(quick=QUICK)
    file = {"recipe": "quick", "training": {"steps": 60, "batch_size": 12}, "objective": {"sigma": 0.5}}
    assert resolved(file).training.learning_rate == 1e-3
    assert (resolved(file).training.steps, resolved(file).training.batch_size) == (60, 12)
    assert resolved(file).objective["sigma"] == 0.5
    overridden = resolved(file, ["training.steps=50", "model.field.width=8", "objective.sigma=0.75"])
    assert (overridden.training.steps, overridden.training.batch_size) == (50, 12)
    assert (overridden.model["field"]["width"], overridden.model["field"]["depth"]) == (8, 3)
    assert overridden.objective["sigma"] == 0.75
    flagged = resolved(file, ["training.steps=50"], values={"training.steps": 40})
    assert flagged.training.steps == 40


@pytest.mark.parametrize("how", ["file", "override", "flag", "flag over all"])
def test_it_is_named_in_a_file_by_an_override_or_by_a_flag(ship, how):
    ship(quick=QUICK, other=QUICK.replace("70", "90"))
    config = {
        "file": lambda: resolved({"recipe": "quick"}),
        "override": lambda: resolved({"recipe": "other"}, ["recipe=quick"]),
        "flag": lambda: resolved(recipe="quick"),
        "flag over all": lambda: resolved({"recipe": "other"}, ["recipe=other"], recipe="quick"),
    }[how]()
    assert (config.recipe, config.training.steps) == ("quick", 70)


@pytest.mark.parametrize(
    "options", [["model.width=8"], ["model.field.width=8"], [("model.width", 8)], ["model.width=8", "model=mlp"]]
)
def test_options_of_the_field_have_one_meaning(ship, options):
    ship(quick=QUICK)
    config = resolved(recipe="quick", options=options)
    assert config.model["length_scale_nm"] == 0.5
    assert {k: config.model["field"][k] for k in ("name", "width", "depth")} == {"name": "mlp", "width": 8, "depth": 3}


@pytest.mark.parametrize(
    ("above", "field", "scale"),
    [
        ({"model": "mlp"}, {"name": "mlp", "width": 16, "depth": 3}, 0.5),
        ({"model": {"name": "mlp", "width": 8}}, {"name": "mlp", "width": 8, "depth": 3}, 0.5),
        (
            {"model": {"name": "flow", "field": {"name": "mlp", "width": 8}}},
            {"name": "mlp", "width": 8, "depth": 3},
            0.5,
        ),
        ({"model": {"name": "flow", "field": "mlp"}}, {"name": "mlp", "width": 16, "depth": 3}, 0.5),
        ({"model": {"length_scale_nm": 2.0}}, {"name": "mlp", "width": 16, "depth": 3}, 2.0),
        ({"model": {"name": "egnn", "layers": 2}}, None, None),
    ],
)
def test_a_model_keeps_its_options_while_it_is_the_same(above, field, scale):
    below = {k: v for k, v in yaml.safe_load(QUICK).items() if k != "summary"}
    model = lay_over(below, above)["model"]
    if field is None:
        assert model == above["model"]
    else:
        assert (model["field"], model["length_scale_nm"]) == (field, scale)
    short = lay_over({"model": {"name": "mlp", "width": 16}}, above)["model"]
    if above["model"] == {"name": "flow", "field": "mlp"}:
        assert short == {"name": "flow", "field": {"name": "mlp", "width": 16}}


def test_a_part_that_is_given_up_is_given_up():
    assert lay_over({"prior": {"name": "gaussian", "std": 2.0}}, {"prior": None}) == {"prior": None}
    assert lay_over({"prior": {"name": "gaussian", "std": 2.0}}, {"prior": "harmonic"}) == {"prior": "harmonic"}
    below = {"training": {"steps": 5, "gradient_clip": 1.0, "oversample": {"observable": "phi", "centre": 1.0}}}
    above = {"training": {"gradient_clip": None, "oversample": {"centre": 2.0}}}
    assert lay_over(below, above)["training"] == {
        "steps": 5,
        "gradient_clip": None,
        "oversample": {"observable": "phi", "centre": 2.0},
    }
    assert below["training"]["gradient_clip"] == 1.0  # untouched


def test_an_unknown_one_is_refused_with_what_there_is(ship):
    ship(quick=QUICK)
    with pytest.raises(ConfigError, match=r"unknown recipe 'quik'\. Did you mean 'quick'") as raised:
        resolved(recipe="quik")
    assert "quick" in raised.value.fix
    with pytest.raises(ConfigError, match="recipe = 3 is no name"):
        resolved({"recipe": 3})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("training: {steps: 3}", "has no `summary`"),
        ("summary: a\nrecipe: tbg-2024", "names another recipe"),
        ("summary: a\ntraining: {stepz: 3}", "unknown option 'training.stepz'"),
        ("summary: a\nenergy: {name: openmm, trust_forcefield: true}", "sets trust_forcefield"),
        ("summary: a\nmodel: {name: 'os:system'}", "looks like an import path"),
        ("- 1", "no mapping at its top"),
    ],
)
def test_a_broken_one_is_refused_when_it_is_asked_for(ship, text, reason):
    ship(broken=text, quick=QUICK)
    with pytest.raises(PluginError, match=reason) as raised:
        find_recipe("broken")
    assert "recipe 'broken' of acme-acme" in str(raised.value)
    assert resolved(recipe="quick").training.steps == 70


def test_two_packages_cannot_mean_the_same_name(ship):
    ship(quick=QUICK)
    ship("emca", quick=QUICK, slow=QUICK)
    with pytest.raises(PluginError, match="'quick' is shipped by acme-acme and acme-emca"):
        find_recipe("quick")
    assert find_recipe("slow").distribution == "acme-emca"


def test_a_missing_folder_ships_nothing(make_plugin, fresh_registry):
    fresh_registry(make_plugin("acme", recipes="fake_nowhere.recipes"))
    assert find_recipe("tbg-2024").distribution == "tbg-egnn"


def test_what_a_run_stored_needs_no_recipe(ship, tmp_path):
    ship(quick=QUICK)
    path = tmp_path / "file.yaml"
    path.write_text("recipe: quick\nsystem: double-well\nenergy: double-well\ntraining: {steps: 3}\n")
    config = load_config(path)
    assert (config.training.steps, config.training.batch_size) == (3, 11)
    run = tmp_path / "run"
    run.mkdir()
    stored = {**resolved({"recipe": "quick"}).model_dump(mode="json"), "recipe": "uninstalled"}
    (run / "config.yaml").write_text(yaml.safe_dump(stored))
    with pytest.raises(ConfigError, match="unknown recipe 'uninstalled'"):
        resolve_request(config=run / "config.yaml", overrides=None, components={}, values={})
    (run / "provenance.json").write_text(json.dumps({}))
    again = resolve_request(config=run / "config.yaml", overrides=None, components={}, values={})
    assert (again.recipe, again.training.steps, again.training.batch_size) == ("uninstalled", 70, 11)
    nothing = {"overrides": None, "components": {}, "values": {}, "needs": ["model"], "config": None}
    resumed, _ = make_request(**nothing, out=run, resume=True)
    assert resumed.training.batch_size == 11


def test_the_commands_show_them(ship, tbg):
    site = ship(quick=QUICK)
    listed = tbg("config", "recipes", path=site).stdout
    assert "quick" in listed
    assert "A quick one (acme-acme)" in listed
    shown = tbg("config", "recipes", "quick", path=site).stdout
    assert yaml.safe_load(shown)["training"] == {"steps": 70, "batch_size": 11, "learning_rate": 1e-3}
    rows = json.loads(tbg("config", "recipes", "--json", path=site).stdout)
    assert {"name": "quick", "summary": "A quick one", "distribution": "acme-acme"} in rows
    resolving = ("config", "resolve", "--recipe", "quick", "--system", "double-well", "--energy", "double-well")
    assert yaml.safe_load(tbg(*resolving, path=site).stdout)["training"]["steps"] == 70
    failed = tbg("config", "resolve", "--recipe", "nothing", path=site)
    assert failed.returncode == 2
    assert "unknown recipe 'nothing'" in failed.stderr
    assert "quick" in failed.stderr
