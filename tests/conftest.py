"""Fixtures of the whole-system tests: the command in a process of its own, and plugins made on the spot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tbg_core.registry import reset_registry

Command = Callable[..., subprocess.CompletedProcess[str]]
PluginMaker = Callable[..., Path]

_PLUGIN = """
from tbg_core.registry import ComponentSpec, hookimpl

@hookimpl
def tbg_components():
    return [ComponentSpec({arguments})]
"""


@pytest.fixture
def tbg(tmp_path: Path) -> Command:
    """Runs ``tbg`` in a fresh process in an empty folder: ``tbg("plugins", "list", path=..., TBG_X="1")``."""
    work = tmp_path / "work"
    work.mkdir()

    def run(*arguments: object, path: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TBG_")}
        clean.update(environment, OMP_NUM_THREADS="1", COLUMNS="160")
        if path is not None:
            clean["PYTHONPATH"] = str(path)
        return subprocess.run(
            [sys.executable, "-m", "tbg_core.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=work,
            env=clean,
            timeout=120,
            check=False,
        )

    return run


class Environment:
    """A Python environment of its own, in which packages can be installed and everything of this one is there.

    Attributes:
        bin: Folder of its commands: ``python``, ``pip``, ``pytest``, ``tbg``.
        variables: Environment variables for processes in it. Nothing is fetched: what is missing fails.
    """

    def __init__(self, folder: Path) -> None:
        venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
        self.bin = folder / "bin"
        here = sysconfig.get_path("purelib")
        there = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
        # addsitedir: editable installs of this environment count as well.
        (Path(there) / "parent.pth").write_text(f"import site; site.addsitedir({here!r})\n")
        modules = {"pip": "pip", "pytest": "pytest", "tbg": "tbg_core.cli.main", "ruff": "ruff"}
        for command, module in modules.items():
            script = self.bin / command
            script.write_text(f'#!/bin/sh\nexec "{self.bin}/python" -m {module} "$@"\n')
            script.chmod(0o755)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TBG_", "PYTEST_", "PIP_"))}
        self.variables = {
            **clean,
            "PATH": f"{self.bin}{os.pathsep}{clean.get('PATH', '')}",
            "VIRTUAL_ENV": str(folder),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say yes
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "120",
        }

    def run(self, *command: object, cwd: Path, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs a command found in ``bin`` or on the path."""
        first, *others = map(str, command)
        found = shutil.which(first, path=self.variables["PATH"]) or first
        return subprocess.run(
            [found, *others],
            cwd=cwd,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment into which a test may install packages; see :class:`Environment`."""
    return Environment(tmp_path_factory.mktemp("environment"))


@pytest.fixture
def make_plugin(tmp_path: Path) -> PluginMaker:
    """Puts a distribution with one plugin into a folder, as an installer would, and returns the folder."""

    def make(plugin: str, source: str | None = None, /, *, distribution: str = "", **spec: object) -> Path:
        site = tmp_path / "site"
        module = f"fake_{plugin.replace('-', '_')}"
        distribution = distribution or f"acme-{plugin}"
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[tbg.plugins]\n{plugin} = {module}\n")
        if source is None:
            described = {
                "kind": "prior",
                "name": plugin,
                "summary": "A fake.",
                "target": f"{module}:Component",
                "config": f"{module}:Config",
                **spec,
            }
            source = _PLUGIN.format(arguments=", ".join(f"{k}={v!r}" for k, v in described.items()))
        (site / f"{module}.py").write_text(source)
        return site

    return make


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Lets this process see the plugins in a folder, and forgets them afterwards."""
    for variable in ("TBG_DISABLE_PLUGINS", "TBG_STRICT_PLUGINS"):
        monkeypatch.delenv(variable, raising=False)

    def look_in(site: Path) -> None:
        monkeypatch.syspath_prepend(str(site))
        reset_registry()

    before = set(sys.modules)
    yield look_in
    for module in set(sys.modules) - before:
        if module.startswith("fake_"):
            del sys.modules[module]
    reset_registry()
