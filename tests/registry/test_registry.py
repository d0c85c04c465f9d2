"""Looking components up, and building them."""

from __future__ import annotations

import pytest

from tbg_core.config.base import ComponentConfig
from tbg_core.contracts import KINDS
from tbg_core.errors import ConfigError, PluginError, UnknownComponentError, UnsupportedSystemError
from tbg_core.registry import get_registry
from tbg_core.registry.naming import FIRST_PARTY, FIRST_PARTY_DISTRIBUTIONS

SOURCE = """
from pydantic import Field
from tbg_core.config.base import ComponentConfig
from tbg_core.registry import ComponentSpec, hookimpl


class Config(ComponentConfig):
    width: int = Field(default=4, ge=1, description="Width (units).")
    shape: str = "round"


class Component:
    def __init__(self, config, **slots):
        self.config, self.slots = config, slots


class Numbers(Component):
    examples = ("seven",)

    @classmethod
    def parse(cls, text):
        return {"width": 7} if text in ("seven", "both") else None


class Words(Component):
    @classmethod
    def parse(cls, text):
        return {"shape": text} if text in ("word", "both") else None


def _spec(kind, name, target="Component", **more):
    target = f"fake_shop:{target}"
    return ComponentSpec(kind, name, "A fake.", target, "fake_shop:Config", **more)


@hookimpl
def tbg_components():
    return [
        _spec("prior", "spring"),
        _spec("field", "wind"),
        _spec("proposal", "kite", slots={"field": "field", "prior": "prior"}),
        _spec("proposal", "stone"),
        _spec("system", "numbers", "Numbers"),
        _spec("system", "words", "Words"),
    ]
"""


@pytest.fixture
def shop(make_plugin, fresh_registry, monkeypatch):
    site = make_plugin("shop", SOURCE)
    monkeypatch.setenv("TBG_DISABLE_PLUGINS", "egnn,openmm,solvers,toys")
    fresh_registry(site)
    return get_registry()


def test_every_first_party_component_is_in_the_table_of_names():
    registry = get_registry()
    provided = {
        (s.kind, s.name): registry.provider(s.kind, s.name).distribution
        for s in registry.specs()
        if registry.provider(s.kind, s.name).distribution in FIRST_PARTY_DISTRIBUTIONS
    }
    assert provided
    assert provided.items() <= FIRST_PARTY.items()


def test_every_first_party_component_can_be_described_and_imported():
    registry = get_registry()
    for spec in registry.specs():
        if registry.provider(spec.kind, spec.name).distribution not in FIRST_PARTY_DISTRIBUTIONS:
            continue
        assert issubclass(registry.config_class(spec.kind, spec.name), ComponentConfig)
        target = registry.load(spec.target, spec.name)
        assert issubclass(target, registry.load(KINDS[spec.kind], spec.kind)), spec


def test_build_gives_the_component_its_options_and_slots(shop):
    kite = shop.build("proposal", {"name": "kite", "width": 9, "prior": "spring"}, field={"name": "wind", "width": 2})
    assert kite.config.width == 9
    assert kite.slots["prior"].config.width == 4
    assert kite.slots["field"].config.width == 2


def test_build_takes_components_that_are_built_already(shop):
    prior = shop.build("prior", "spring")
    kite = shop.build("proposal", {"name": "kite", "field": "wind", "prior": "nonsense"}, prior=prior)
    assert kite.slots["prior"] is prior


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            {"name": "spring", "widht": 3},
            "prior 'spring': unknown option 'widht' (Did you mean 'width'?). Allowed: shape, width.",
        ),
        ({"name": "spring", "width": "x"}, "prior 'spring': width = 'x': input should be a valid integer"),
        (
            {"name": "spring", "width": 0},
            "prior 'spring': width = 0: input should be greater than or equal to 1",
        ),
        ("spirng", "unknown prior 'spirng'. Did you mean 'spring'?"),
        ("os:system", "prior: 'os:system' looks like an import path; a config can only name components."),
        ({"width": 3}, "prior: the mapping has no `name`."),
        (7, "prior: 7 is not a component."),
        ("wind", "unknown prior 'wind'. There is a field of that name."),
    ],
)
def test_a_bad_reference_is_one_line(shop, reference, message):
    with pytest.raises(ConfigError) as raised:
        shop.build("prior", reference)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


def test_slots_that_are_missing_or_unknown_are_named(shop):
    with pytest.raises(ConfigError, match="'kite' needs a prior in its slot 'prior'"):
        shop.build("proposal", {"name": "kite", "field": "wind"})
    with pytest.raises(ConfigError, match="'stone' has no slot 'prior'"):
        shop.build("proposal", "stone", prior="spring")


def test_ours_that_are_not_installed_say_how_to_install_them(shop, monkeypatch):
    monkeypatch.setitem(FIRST_PARTY, ("energy", "xtb"), "tbg-xtb")
    with pytest.raises(UnknownComponentError, match="Run `pip install tbg-xtb`"):
        shop.spec("energy", "xtb")
    with pytest.raises(PluginError, match="which is switched off"):
        shop.spec("field", "egnn")


def test_complete_writes_every_default_out_and_is_idempotent(shop):
    once = shop.complete("proposal", {"name": "kite", "field": {"name": "wind", "width": 2}})
    assert once == {
        "name": "kite",
        "width": 4,
        "shape": "round",
        "field": {"name": "wind", "width": 2, "shape": "round"},
    }
    assert shop.complete("proposal", once) == once


def test_a_model_is_a_proposal_or_else_the_field_of_a_flow(shop):
    assert shop.resolve_model("stone") == {"name": "stone"}
    assert shop.resolve_model(
        {"name": "wind", "width": 3}, given={"prior": "spring"}, defaults={"likelihood": "augmented"}
    ) == {
        "name": "flow",
        "field": {"name": "wind", "width": 3},
        "prior": "spring",
        "likelihood": "augmented",
    }
    with pytest.raises(UnknownComponentError, match=r"unknown model 'wimd'\. Did you mean 'wind'\?"):
        shop.resolve_model("wimd")


def test_a_slot_given_that_the_proposal_lacks_is_an_error_but_a_default_is_not(shop):
    assert shop.resolve_model("stone", defaults={"prior": "spring"}) == {"name": "stone"}
    with pytest.raises(ConfigError, match="model 'stone' has no slot 'prior', but the prior 'spring' was given"):
        shop.resolve_model("stone", given={"prior": "spring"})


def test_systems_are_recognised_by_form(shop):
    assert shop.resolve_system("seven") == {"name": "numbers", "width": 7}
    assert shop.resolve_system({"name": "words", "shape": "x"}) == {"name": "words", "shape": "x"}
    assert shop.resolve_system("numbers") == {"name": "numbers"}
    assert shop.resolve_system({"name": "seven", "unit": "m"}) == {"name": "numbers", "width": 7, "unit": "m"}
    assert shop.resolve_system({"name": "seven", "width": 8}) == {"name": "numbers", "width": 8}


def test_a_mapping_whose_name_nobody_reads_is_refused_and_never_imported(shop):
    with pytest.raises(UnsupportedSystemError, match="'os:system' is not understood"):
        shop.resolve_system({"name": "os:system", "width": 8})


def test_a_system_that_two_sources_read_asks_for_a_mapping(shop):
    with pytest.raises(ConfigError, match=r"read by numbers and by words.*system: \{name: numbers, width: 7\}"):
        shop.resolve_system("both")


def test_a_system_that_nobody_reads_shows_examples_and_close_matches(shop):
    with pytest.raises(UnsupportedSystemError, match=r"'sevn' is not understood\. Did you mean 'seven'\?"):
        shop.resolve_system("sevn")
    with pytest.raises(UnsupportedSystemError, match="no such file"):
        shop.resolve_system("nowhere.pdb")


def test_hooks_reach_plugins_and_flatten_their_results(make_plugin, fresh_registry, monkeypatch):
    source = (
        "from tbg_core.registry import CommandSpec, ReportSection, hookimpl\n"
        "@hookimpl\ndef tbg_commands():\n"
        "    return [('wave', 'fake_sea:app', 'Wave.'), CommandSpec('calm', 'm:app')]\n"
        "@hookimpl\ndef tbg_report_sections(ensemble):\n"
        "    return [ReportSection('Sea', f'<p>{ensemble}</p>')]\n"
    )
    fresh_registry(make_plugin("sea", source))
    monkeypatch.setenv("TBG_DISABLE_PLUGINS", "toys")  # which looks at the ensemble of a report
    registry = get_registry()
    assert [c.name for c in registry.commands() if c.target in {"fake_sea:app", "m:app"}] == ["calm", "wave"]
    sections = registry.call("tbg_report_sections", ensemble="deep")
    assert "<p>deep</p>" in [s.html for s in sections]


def test_run_hooks_are_called_in_place(make_plugin, fresh_registry, monkeypatch):
    monkeypatch.setenv("TBG_DISABLE_PLUGINS", "egnn,openmm,solvers,toys")
    source = (
        "from tbg_core.registry import hookimpl\n"
        "@hookimpl\ndef tbg_run_started(run):\n    run.append('started')\n"
        "@hookimpl\ndef tbg_run_finished(run):\n    run.append('finished')\n"
    )
    fresh_registry(make_plugin("diary", source))
    run: list[str] = []
    get_registry().call("tbg_run_started", run=run)
    get_registry().call("tbg_run_finished", run=run)
    assert run == ["started", "finished"]
