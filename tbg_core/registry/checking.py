"""Is a component described as it should be? Asked of its description and its options; the component is not built."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from tbg_core.config.units import unit_of
from tbg_core.contracts import KINDS
from tbg_core.errors import TbgError
from tbg_core.registry.naming import did_you_mean
from tbg_core.registry.spec import CAPABILITIES, ENERGY, Maturity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tbg_core.config.base import ComponentConfig
    from tbg_core.registry.loader import PluginRecord
    from tbg_core.registry.registry import Registry
    from tbg_core.registry.spec import ComponentSpec

OK: Final = "ok"
NOTE: Final = "note"
BAD: Final = "bad"

HEAVY: Final = (
    "torch",
    "numpy",
    "scipy",
    "openmm",
    "ase",
    "e3nn",
    "jax",
    "matplotlib",
    "mdtraj",
    "MDAnalysis",
    "networkx",
    "pandas",
    "pytest",
    "tensorflow",
    "torchdiffeq",
)
"""Packages that are too slow to import for a listing."""

_LONG: Final = 120
_PROBE: Final = """
import importlib, json, sys, time
heavy, sys.path[:] = json.loads(sys.argv[1])
import tbg_core.registry, tbg_core.config.base
began = time.perf_counter()
for module in sys.argv[2:]:
    importlib.import_module(module)
seconds = time.perf_counter() - began
print(json.dumps([seconds, [name for name in heavy if name in sys.modules]]))
"""


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        subject: What was looked at: ``"kind/name"`` of a component, or the plugin.
        check: What was asked.
        state: ``"ok"``, ``"note"`` (worth a thought) or ``"bad"``.
        found: What is wrong, or what was seen.
        fix: How to repair it.
        place: Where in the code, if that is known.
        traceback: Of an unexpected error.
    """

    subject: str
    check: str
    state: str
    found: str = ""
    fix: str = ""
    place: str = ""
    traceback: str = ""


def check_imports(registry: Registry, plugin: str) -> Finding:
    """Whether listing the components of a plugin imports nothing heavy, measured in a process of its own."""
    record = next(r for r in registry.plugins if r.name == plugin)
    modules = {record.module, *(registry.spec(*c).config.partition(":")[0] for c in record.components)}
    check, fix = "light imports", "Import it inside the functions of plugin.py and config.py, or under TYPE_CHECKING."
    done = subprocess.run(  # noqa: S603 - our own interpreter; the modules are those of an installed plugin
        [sys.executable, "-c", _PROBE, json.dumps([HEAVY, sys.path]), *sorted(modules)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        what = f"importing {', '.join(sorted(modules))} fails: {last}"
        return Finding(plugin, check, BAD, what, "See the traceback.", traceback=done.stderr)
    seconds, heavy = json.loads(done.stdout.splitlines()[-1])
    if heavy:
        what = (
            f"{', '.join(sorted(modules))} import {', '.join(heavy)} ({seconds:.2f} s), which every `tbg --help` pays"
        )
        return Finding(plugin, check, BAD, what, fix)
    return Finding(plugin, check, OK, f"{1e3 * seconds:.0f} ms beside the core's own")


def check_description(registry: Registry, spec: ComponentSpec) -> Iterator[Finding]:
    """The checks of one component's description, options and class."""
    subject = f"{spec.kind}/{spec.name}"

    def finding(check: str, problem: str, fix: str = "", *, state: str = BAD, seen: str = "") -> Finding:
        return Finding(subject, check, state if problem else OK, problem or seen, fix if problem else "")

    words = spec.summary.split()
    problem = "" if words else "it has no summary"
    if len(spec.summary) > _LONG or "\n" in spec.summary:
        problem = f"the summary is longer than one line of {_LONG} characters"
    yield finding("summary", problem, "Say in one line what the component is.")
    known = get_args(Maturity)
    problem = (
        "" if spec.maturity in known else f"unknown maturity {spec.maturity!r}.{did_you_mean(spec.maturity, known)}"
    )
    yield finding("maturity", problem, f"Choose one of {', '.join(known)}.", seen=spec.maturity)
    strange = [c for c in sorted(spec.capabilities) if c not in CAPABILITIES and not c.startswith(ENERGY)]
    hints = "".join(did_you_mean(c, CAPABILITIES) for c in strange)
    yield finding(
        "capabilities",
        f"not known: {', '.join(strange)}.{hints}" if strange else "",
        f"Those that are looked at: {', '.join(CAPABILITIES)}.",
        state=BAD if hints else NOTE,
        seen=", ".join(sorted(spec.capabilities)) or "none",
    )
    yield finding(
        "citation",
        "" if spec.citation else "none",
        "Name the paper, if there is one: `tbg cite` lists it.",
        state=NOTE,
        seen=spec.citation,
    )
    yield from _options(registry, spec, subject)
    yield _class(registry, spec, subject)


def _options(registry: Registry, spec: ComponentSpec, subject: str) -> Iterator[Finding]:
    try:
        config = registry.config_class(spec.kind, spec.name)
    except TbgError as error:
        yield Finding(subject, "options", BAD, error.message, error.fix, traceback=_chain(error))
        return
    required = [name for name, field in config.model_fields.items() if field.is_required()]
    if required and not spec.conformance:
        what = f"{', '.join(required)} {'has' if len(required) == 1 else 'have'} no default"
        yield Finding(subject, "defaults", BAD, what, "Give a default, or name a class in ComponentSpec.conformance.")
    elif required:
        yield Finding(subject, "defaults", NOTE, f"required: {', '.join(required)}")
    else:
        try:
            config()
        except ValueError as error:
            text = " ".join(str(error).split())
            yield Finding(
                subject, "defaults", BAD, f"the defaults are refused by their own model: {text}", "Repair them."
            )
        else:
            yield Finding(subject, "defaults", OK, f"{len(config.model_fields)} options")
    bare = [name for name, field in config.model_fields.items() if not (field.description or "").strip()]
    yield Finding(
        subject,
        "descriptions",
        BAD if bare else OK,
        f"without description: {', '.join(bare)}" if bare else "",
        'Write Field(..., description="What it is (unit).").' if bare else "",
    )
    yield _units(config, subject)


def _units(config: type[ComponentConfig], subject: str) -> Finding:
    bare = [
        name
        for name, field in config.model_fields.items()
        if re.search(r"\bfloat\b", str(field.annotation))
        and not unit_of(name, " ".join((field.description or "").split()))
    ]
    return Finding(
        subject,
        "units",
        NOTE if bare else OK,
        f"no unit in the description of {', '.join(bare)}" if bare else "",
        "End the description in the unit: (nm), (kT), (relative)." if bare else "",
    )


def _class(registry: Registry, spec: ComponentSpec, subject: str) -> Finding:
    try:
        found = registry.load(spec.target, f"{spec.kind} {spec.name!r}")
    except TbgError as error:
        return Finding(subject, "class", BAD, error.message, error.fix, traceback=_chain(error))
    base = registry.load(KINDS[spec.kind], f"the contract of {spec.kind}")
    if not (inspect.isclass(found) and issubclass(found, base)):
        what = f"{spec.target} is no {base.__name__}"
        return Finding(subject, "class", BAD, what, f"Inherit {KINDS[spec.kind].replace(':', '.')}.")
    if missing := sorted(getattr(found, "__abstractmethods__", ())):
        return Finding(subject, "class", BAD, f"{spec.target} lacks {', '.join(missing)}", f"See {base.__module__}.")
    return Finding(subject, "class", OK, spec.target)


def _chain(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error))


_FIXES: Final = (
    (r"No module named '(?!tbg_)([\w.]+)'", "Run `pip install {0}`, or add it to the dependencies of the plugin."),
    (r"No module named '(tbg_\w+)'", "Reinstall {0}."),
    (r"contracts version", "Install a release of the plugin made for this version of tbg-core."),
    (r"is provided by .* and by", "Uninstall one of the two, or rename its component."),
    (r"has the same name", "Uninstall one of the two, or rename its entry point."),
    (r"is a name reserved for", "Choose another name for the component."),
    (r"unknown hook", "Correct the name of the function marked with hookimpl."),
    (r"unknown kind|names are lower case|is not 'module:Class'", "Correct the ComponentSpec in plugin.py."),
    (r"command '", "Correct tbg_commands in plugin.py."),
)


def recorded(record: PluginRecord) -> Iterator[Finding]:
    """What went wrong when a plugin was loaded; one ``ok`` if nothing did."""
    if record.disabled:
        yield Finding(record.name, "loading", NOTE, "switched off")
    elif not record.problems:
        yield Finding(record.name, "loading", OK, f"{record.distribution} {record.version}")
    for text, trace in zip(record.problems, record.tracebacks, strict=True):
        yield Finding(record.name, "loading", BAD, text, advice(text, record), traceback=trace)


def advice(text: str, record: PluginRecord) -> str:
    """What to do about a problem of a plugin."""
    for pattern, fix in _FIXES:
        if match := re.search(pattern, text):
            return fix.format(*match.groups())
    return f"Update {record.distribution}, or report it to its authors; uninstall it to be rid of the warning."
