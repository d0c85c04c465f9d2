"""Runs conformance classes without a test folder: pytest does the work, the results are data."""

from __future__ import annotations

import inspect
import os
import tempfile
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import pytest

from tbg_core.errors import TbgError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

current: dict[str, type] = {}
"""The classes of the run in progress, read by the file that pytest collects."""

_FILE: Final = "from tbg_core.testing.running import current\nglobals().update(current)\n"
_INI: Final = "[pytest]\npython_classes = Case_*\nmarkers =\n    slow\n    statistical\n"


@dataclass(frozen=True)
class Outcome:
    """What became of one conformance test.

    Attributes:
        case: Name of the conformance class.
        test: Name of the test.
        state: ``"passed"``, ``"failed"`` or ``"skipped"``.
        message: What is wrong, or why it was skipped; the first lines.
        rule: What must hold, from the test's docstring or its name.
        place: File and line of the last frame.
        traceback: All of it.
    """

    case: str
    test: str
    state: str
    message: str = ""
    rule: str = ""
    place: str = ""
    traceback: str = ""


def run(cases: Mapping[str, type], only: str = "") -> list[Outcome]:
    """Runs every test of some conformance classes, each by itself, in this process.

    Args:
        cases: Classes by name, as :func:`tbg_core.testing.cases.cases` gives them.
        only: Words in the names of the tests to run, as after pytest's ``-k``; all of them if empty.

    Returns:
        The outcomes in the order of the classes and their tests.
    """
    collector = _Collector(cases)
    # No third-party pytest plugin of the environment takes part: neither its options nor its output.
    quiet = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, quiet), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # A name of its own: modules of that name that were collected before are not imported again.
        Path(folder, f"test_{Path(folder).name}.py").write_text(_FILE, encoding="utf-8")
        Path(folder, "pytest.ini").write_text(_INI, encoding="utf-8")
        current.clear()
        current.update({f"Case_{name}": case for name, case in cases.items()})
        options = ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:warnings"]
        options += ["-k", only] if only else []
        pytest.main([folder, "-c", f"{folder}/pytest.ini", *options], plugins=[collector])
        current.clear()
    return collector.outcomes


class _Collector:
    def __init__(self, cases: Mapping[str, type]) -> None:
        self.cases = cases
        self.outcomes: list[Outcome] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: Any, call: Any) -> Generator[None, Any, Any]:
        report = yield
        if report.when == "call" or report.outcome != "passed":
            case = item.cls.__name__ if item.cls is not None else ""
            name = next((n for n, cls in self.cases.items() if cls is item.cls), case)
            error = call.excinfo.value if call.excinfo is not None else None
            self.outcomes.append(
                Outcome(
                    case=name,
                    test=item.name,
                    state=report.outcome,
                    message=_message(error),
                    rule=_rule(item),
                    place=_place(error),
                    traceback="" if error is None else "".join(traceback.format_exception(error)),
                )
            )
        return report

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.outcomes.append(Outcome("", "collection", "failed", str(report.longrepr)[-2000:]))


def _message(error: BaseException | None) -> str:
    if error is None:
        return ""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = "; ".join(lines[:2])
    # An expected error explains itself, and so does an assertion; of others the type is half of the message.
    plain = isinstance(error, (AssertionError, TbgError, pytest.skip.Exception))
    return (text if plain and text else f"{type(error).__name__}: {text}")[:400]


def _rule(item: Any) -> str:
    own = inspect.getdoc(getattr(item, "function", None))
    if own:
        return " ".join(own.split("\n\n")[0].split())
    return str(item.name).partition("[")[0].removeprefix("test_").replace("_", " ") + "."


def _place(error: BaseException | None) -> str:
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    last = (own or frames)[-1:]
    return f"{last[0].filename}:{last[0].lineno}" if last else ""
