"""Pages of the contracts and of the conformance kit: one section for each kind, whichever kinds there are."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

from tbg_core.contracts import KINDS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_CONTRACTS = """# Contracts

What a component of each kind must do. The base classes are abstract; inheriting from them is how a component says
which kind it is. See [Plugins](../plugins.md) for how components are declared and found.
"""
_AFTER_CONTRACTS = """
## What an observable is

::: tbg_core.observables.observable.Observable

## Options of a component

::: tbg_core.config.base.ComponentConfig

## Errors

::: tbg_core.errors
    options:
      show_root_heading: false
      show_root_toc_entry: false
"""
_TESTING = """# Conformance kit

`tbg_core.testing` needs pytest and hypothesis: install `tbg-core[testing]`. Inherit the class of your component's kind,
give what it asks for, and pytest collects the rest.
"""
_SECTION = """
## {kind}

::: {module}
    options:
      show_root_heading: false
      show_root_toc_entry: false
      show_source: {source}
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages."""
    contracts = {kind: target.partition(":")[0] for kind, target in KINDS.items()}
    tests = {kind: f"tbg_core.testing.{kind}" for kind in KINDS if find_spec(f"tbg_core.testing.{kind}")}
    page = _CONTRACTS + _sections(contracts, source="false") + _AFTER_CONTRACTS
    files.append(File.generated(config, "reference/contracts.md", content=page))
    page = _TESTING + _sections(tests, source="true")
    files.append(File.generated(config, "reference/testing.md", content=page))
    return files


def _sections(modules: dict[str, str], source: str) -> str:
    return "".join(_SECTION.format(kind=kind, module=module, source=source) for kind, module in modules.items())
