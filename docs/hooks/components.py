"""A page for every component that is installed, made from its description and its config while the site is built.

Nothing of it is checked in, so that it cannot be out of date.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

from tbg_core.cli.component_page import option_rows
from tbg_core.config.recipes import shipped_recipes
from tbg_core.contracts import KINDS
from tbg_core.registry import get_registry

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

    from tbg_core.registry import ComponentSpec, Registry

_FOLDER = "components"
_SECTION = "Components"
_TAKEN_BY = {"field": "model", "proposal": "model"}
_FLAGS = {"system", "model", "energy", "prior", "integrator", "likelihood", "sampler", "dynamics", "objective"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills the section of the components in the navigation."""
    registry = get_registry()
    pages = {kind: [{spec.name: _path(spec)} for spec in registry.specs(kind)] for kind in KINDS}
    entries: list[Any] = [{"All components": f"{_FOLDER}/index.md"}]
    entries += [{kind: listed} for kind, listed in pages.items() if listed]
    for section in _sections(config.nav):
        if _SECTION in section:
            section[_SECTION] = entries
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    registry = get_registry()
    files.append(File.generated(config, f"{_FOLDER}/index.md", content=_index(registry)))
    for spec in registry.specs():
        files.append(File.generated(config, _path(spec), content=_page(registry, spec)))
    return files


def _sections(nav: Any) -> list[dict[str, Any]]:
    """All mappings of the navigation, at any depth."""
    found: list[dict[str, Any]] = []
    for entry in nav if isinstance(nav, list) else []:
        if isinstance(entry, dict):
            found.append(entry)
            for inner in entry.values():
                found.extend(_sections(inner))
    return found


def _path(spec: ComponentSpec) -> str:
    return f"{_FOLDER}/{spec.kind}-{spec.name}.md"


def _index(registry: Registry) -> str:
    lines = [
        "# Components",
        "",
        "What can be named in a config or by a flag. `tbg components list` says what is installed where you are.",
    ]
    for kind in KINDS:
        specs = registry.specs(kind)
        lines += ["", f"## {kind}", "", f"What one must do: [contract](../reference/contracts.md#{kind}).", ""]
        lines += ["| name | from | maturity | what it is |", "|---|---|---|---|"] if specs else ["None is installed."]
        for spec in specs:
            provider = registry.provider(spec.kind, spec.name)
            lines.append(
                f"| [`{spec.name}`]({spec.kind}-{spec.name}.md) | {provider.distribution} | {spec.maturity} "
                f"| {_cell(spec.summary)} |"
            )
    return "\n".join(lines) + "\n"


def _page(registry: Registry, spec: ComponentSpec) -> str:
    provider = registry.provider(spec.kind, spec.name)
    config = registry.config_class(spec.kind, spec.name)
    lines = [
        f"# {spec.name}",
        "",
        spec.summary,
        "",
        f"| kind | [{spec.kind}](index.md#{spec.kind}) ([contract](../reference/contracts.md#{spec.kind})) |",
        "|---|---|",
        f"| provided by | {provider.distribution} {provider.version} |",
        f"| maturity | {spec.maturity} |",
        f"| for | {_cell(', '.join(sorted(spec.system_classes)) or 'any system')} |",
    ]
    if others := sorted(spec.capabilities - spec.system_classes - {"default"}):
        lines.append(f"| capabilities | {_cell(', '.join(others))} |")
    if "default" in spec.capabilities:
        lines.append("| default | yes, for such systems |")
    if spec.citation:
        lines.append(f"| source | {_cell(spec.citation)} |")
    if recipes := shipped_recipes(spec.recipes):
        names = ", ".join(f"`{path.stem}`" for path in recipes)
        lines.append(f"| [recipes](../howto/recipes.md) | {names} |")
    if spec.slots:
        taken = (f"`{slot}` takes a [{kind}](index.md#{kind})" for slot, kind in spec.slots.items())
        lines.append(f"| slots | {'; '.join(taken)} |")
    lines += ["", "## Use", "", *_use(spec), "", "## Options", "", inspect.getdoc(config) or "", ""]
    rows = option_rows(config.model_json_schema())
    if rows:
        lines += ["| option | type | default | unit | meaning |", "|---|---|---|---|---|"]
        for name, kind, default, unit, meaning in rows:
            lines.append(f"| `{name}` | {_cell(kind)} | `{_cell(default)}` | {_cell(unit)} | {_cell(meaning)} |")
    module, _, name = spec.target.partition(":")
    lines += ["", "## Code", "", f"`{module}.{name}`; the same from a terminal: `tbg components show {spec.name}`."]
    return "\n".join(lines) + "\n"


def _use(spec: ComponentSpec) -> list[str]:
    key = _TAKEN_BY.get(spec.kind, spec.kind)
    if spec.kind == "observable":
        return ["`tbg observables list --system ACE-ALA-NME` lists what there is; see [Estimates](../estimates.md)."]
    if spec.kind == "system":
        return ["Texts that it reads are given after `--system`; a config can also write:", "", *_yaml(key, spec.name)]
    if key not in _FLAGS:
        return [f"By its name, `{spec.name}`."]
    return [
        "```bash",
        f"tbg config resolve --{key} {spec.name}"
        if key not in {"dynamics", "objective"}
        else f"tbg config resolve -s {key}={spec.name}",
        "```",
        "",
        "or in a config file:",
        "",
        *_yaml(key, spec.name),
    ]


def _yaml(key: str, name: str) -> list[str]:
    return ["```yaml", f"{key}: {{name: {name}}}", "```"]


def _cell(text: str) -> str:
    """Text that cannot end a cell or begin a tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
