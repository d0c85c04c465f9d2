"""``tbg plugins check`` names what is wrong with a plugin: one mistake in the template of each kind."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from tbg_core.cli.conformance import check_conformance
from tbg_core.cli.main import main
from tbg_core.registry import ComponentSpec, get_registry
from tbg_core.registry.checking import BAD, NOTE, OK, advice, check_description, check_imports, recorded
from tbg_core.registry.loader import PluginRecord
from tbg_core.scaffold.kinds import EXAMPLES
from tbg_core.scaffold.new_plugin import rendered, template_values
from tbg_core.testing.cases import cases
from tbg_core.testing.running import run

MISTAKES = {
    "system": (r"\0{self.dim}", r"\0", "accepted_texts_give_systems", "different systems must have different keys"),
    "prior": (" - math.log(self.scale)", "", "density_is_normalised", "assert"),
    "field": ("return velocity", "return velocity * x.abs().mean()", "rows_do_not_depend_on_the_batch", "assert"),
    "integrator": ("x + h * middle", "x + 0.9 * h * middle", "linear_problem_is_solved", "assert"),
    "sde": ("x + h * middle", "x + 0.9 * h * middle", "without_noise_it_solves", "assert"),
    "likelihood": ("return length /", "return -length /", "linear_field_has_its_log_determinant", "assert"),
    "energy": ("4 * barrier", "3 * barrier", "gradient_by_finite_differences", "assert"),
    "dynamics": ("walker, block)", 'walker, "x", np.random.rand())', "lost_blocks_can_be_made_again", "Arrays"),
    "proposal": (" + math.log(2 * math.pi)", "", "density_is_normalised", "assert"),
    "objective": ("total - proposal", "total + proposal", "minimising_it_fits_the_data", "mean log q of the data went"),
    "sampler": ("drawn.log_z.value", "0.0", "log_z_is_right", "assert"),
    "observable": (
        "np.linalg.norm(x.astype(np.float64), axis=1)",
        "np.full(len(x), np.linalg.norm(x))",
        "rows_do_not_depend_on_the_batch",
        "radius",
    ),
    "executor": (
        "yield pool",
        "yield __import__('concurrent.futures').futures.ThreadPoolExecutor(1)",
        "every_unit_is_computed_once_and_elsewhere",
        "assert",
    ),
    "dataset": ('"ACE-LEU-NME")', '"ACE-ALA-NME")', "held_out_is_trained_on", "trained on and held out: ACE-ALA-NME"),
}


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def made(tmp_path, make_plugin, fresh_registry):
    """Puts a plugin from a template, with a change, where an installer would."""

    def make(kind, *changes, name="fake_made"):
        values = {**template_values("acme", kind), "package": name, "name": "made"}
        for path, text in rendered(kind, values):
            changed = text
            for old, new in changes:
                changed = changed.replace(old, new)
            if path.startswith("src/"):
                target = tmp_path / "site" / path.removeprefix("src/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(changed)
        site = make_plugin("made", f"from {name}.plugin import tbg_components\n")
        (site / "fake_made.py").unlink()
        (site / "acme_made-1.2.dist-info" / "entry_points.txt").write_text(f"[tbg.plugins]\nmade = {name}.plugin\n")
        importlib.invalidate_caches()
        fresh_registry(site)
        return get_registry()

    yield make
    for module in [m for m in sys.modules if m.split(".")[0] == "fake_made"]:
        del sys.modules[module]


def test_every_kind_has_its_mistake():
    assert set(MISTAKES) == set(EXAMPLES)


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_wrong_component_of_each_kind_is_named(kind, made):
    old, new, test, message = MISTAKES[kind]
    registry = made(kind, (old, new))
    spec = registry.spec(kind, "made")
    findings = list(check_conformance(registry, spec, only=test))
    (bad,) = (f for f in findings if f.state == BAD)
    assert bad.subject == f"{kind}/made"
    assert test in bad.check
    assert message in bad.found
    assert bad.fix.startswith("Rule: ")
    assert "fake_made" in bad.traceback or "tbg_core/testing" in bad.place


@pytest.mark.parametrize("kind", ["system", "energy", "dataset"])
def test_the_same_without_the_mistake_passes(kind, made):
    registry = made(kind)
    test = MISTAKES[kind][2]
    assert {f.state for f in check_conformance(registry, registry.spec(kind, "made"), only=test)} == {OK}


@pytest.mark.parametrize(
    ("kind", "change", "check", "message"),
    [
        ("energy", ('summary="A double well in', 'summary="" and "'), "summary", "no summary"),
        ("energy", ('"vectors"', '"vector"'), "capabilities", "not known: vector. Did you mean 'vectors'"),
        ("energy", ('"experimental"', '"finished"'), "maturity", "unknown maturity 'finished'"),
        ("energy", (', description="Height of the barriers between the wells at -1 and 1 (kT)."', ""), "descriptions",
         "without description: barrier"),
        ("energy", ("Field(3.0, ", "Field("), "defaults", "conformance"),
        ("energy", ("Field(3.0, gt=0", "Field(-3.0, gt=0"), "defaults", "refused by their own model"),
        ("energy", ("(ComponentConfig)", ""), "options", "no ComponentConfig"),
        ("energy", ("(EnergyBackend)", ""), "class", "is no EnergyBackend"),
        ("energy", ("def bind", "def tie"), "class", "lacks bind"),
        ("energy", ("from tbg_core.errors", "from tbg_core.no_such_module"), "class", "cannot be imported"),
        ("field", ("def forward", "def go"), "class", "lacks forward"),
    ],
)  # fmt: skip
def test_wrong_descriptions_are_named(kind, change, check, message, made):
    registry = made(kind, change)
    findings = list(check_description(registry, registry.spec(kind, "made")))
    found = next(f for f in findings if f.check == check)
    if check == "defaults" and message == "conformance":
        # Allowed, because the plugin has a conformance class that gives it.
        assert (found.state, found.found) == (NOTE, "required: barrier")
        return
    assert found.state == BAD
    assert message in found.found
    assert found.fix


def test_options_without_a_default_need_a_class(made):
    registry = made("energy", ("Field(3.0, ", "Field("), ('conformance=("', 'conformance=() and ("'))
    found = next(f for f in check_description(registry, registry.spec("energy", "made")) if f.check == "defaults")
    assert found.state == BAD
    assert "ComponentSpec.conformance" in found.fix


def test_heavy_imports_are_named(made):
    registry = made("energy", ("from pydantic import Field", "import torch\nfrom pydantic import Field"))
    found = check_imports(registry, "made")
    assert found.state == BAD
    assert "torch" in found.found
    assert check_imports(registry, "toys").state == OK


def test_a_conformance_class_of_another_kind_is_refused(made):
    registry = made("energy", ("EnergyConformance", "PriorConformance"))
    (found,) = check_conformance(registry, registry.spec("energy", "made"))
    assert found.state == BAD
    assert "does not inherit EnergyConformance" in found.found


def test_a_component_without_a_class_is_tried_with_its_defaults(made):
    registry = made("energy", ('conformance=("', 'conformance=() and ("'), ("4 * barrier", "3 * barrier"))
    spec = registry.spec("energy", "made")
    assert not spec.conformance
    (bad,) = (f for f in check_conformance(registry, spec, only="finite_differences") if f.state == BAD)
    assert bad.check == "gradient_by_finite_differences"


def test_where_the_standard_system_does_not_do_the_advice_is_a_class():
    registry = get_registry()
    spec = registry.spec("energy", "double-well")
    bare = ComponentSpec(**{**spec.__dict__, "conformance": ()})
    outcomes = run(cases(registry, bare), only="autograd")
    assert "no potential for system test-euclidean" in outcomes[0].message
    findings = list(check_conformance(registry, bare, only="autograd"))
    assert "name it in ComponentSpec.conformance" in findings[0].fix


def test_the_command(made, tbg, tmp_path):
    made("energy", ("4 * barrier", "3 * barrier"))
    site = tmp_path / "site"
    done = tbg("plugins", "check", "made", "-k", "finite", path=site)
    assert done.returncode == 1
    for text in ("energy/made", "FAIL", "gradient_by_finite_differences", "Rule:", "1 of", "checks failed"):
        assert text in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    rows = json.loads(tbg("plugins", "check", "energy/made", "--no-tests", "--json", path=site).stdout)
    assert {row["state"] for row in rows} <= {"ok", "note"}
    unknown = tbg("plugins", "check", "toyz")
    assert unknown.returncode == 2
    assert "Did you mean 'toys'" in unknown.stderr


def test_without_pytest_the_extra_is_named(made, tbg, tmp_path):
    made("energy")
    site = tmp_path / "site"
    (site / "hypothesis.py").write_text("raise ModuleNotFoundError('gone', name='hypothesis')\n")
    done = tbg("plugins", "check", "made", path=site)
    assert done.returncode == 2
    assert "need hypothesis" in done.stderr
    assert "pip install 'tbg-core[testing]'" in done.stderr
    assert tbg("plugins", "check", "made", "--no-tests", path=site).returncode == 0


def test_the_doctor_shows_failures_with_fixes(make_plugin, tbg):
    site = make_plugin("broken", "import a_package_that_does_not_exist\n")
    done = tbg("plugins", "doctor", path=site)
    assert done.returncode == 1
    assert "Run `pip install a_package_that_does_not_exist`" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout
    traced = tbg("plugins", "doctor", "broken", "--tracebacks", path=site)
    assert "Traceback (most recent call last)" in traced.stdout
    assert str(Path("fake_broken.py")) in traced.stdout


@pytest.mark.parametrize(
    ("problem", "fix"),
    [
        ("energy 'x' is provided by plugin a and by plugin b.", "Uninstall one of the two"),
        ("component prior/x was made for contracts version 2, this is 1.", "Install a release"),
        ("prior 'x' is a name reserved for tbg-core.", "Choose another name"),
        ("ZeroDivisionError: division by zero", "report it to its authors"),
    ],
)
def test_each_problem_has_its_advice(problem, fix):
    record = PluginRecord("x", "x", "acme-x", "1", problems=[problem], tracebacks=[""])
    assert fix in advice(problem, record)
    (found,) = recorded(record)
    assert found.state == BAD


def test_a_word_that_names_tests_of_some_components_only(capsys):
    """The others are not to blame for having none; a word that names no test at all is an error."""
    with pytest.raises(SystemExit) as end:
        main(["plugins", "check", "toys", "--only", "finite_differences"])
    assert end.value.code == 0
    with pytest.raises(SystemExit) as end:
        main(["plugins", "check", "toys", "--only", "flying"])
    assert end.value.code == 1
    assert capsys.readouterr().out.count("no test has 'flying' in its name") == 1
