"""The conformance tests of a component as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.errors import TbgError
from tbg_core.registry.checking import BAD, NOTE, OK, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tbg_core.registry import ComponentSpec, Registry


def check_conformance(registry: Registry, spec: ComponentSpec, only: str = "") -> Iterator[Finding]:
    """One finding per conformance test of a component.

    Args:
        registry: Where the component is.
        spec: The component.
        only: Words in the names of the tests to run; all of them if empty.

    Raises:
        PluginError: If pytest or hypothesis is missing.
    """
    from tbg_core.errors import PluginError

    subject = f"{spec.kind}/{spec.name}"
    try:
        import hypothesis  # noqa: F401
        import pytest  # noqa: F401
    except ModuleNotFoundError as error:
        raise PluginError(
            f"the conformance tests need {error.name}, which is not installed.",
            fix="Run `pip install 'tbg-core[testing]'`, or add --no-tests.",
        ) from None
    import torch

    from tbg_core.testing.cases import cases
    from tbg_core.testing.running import run

    torch.set_num_threads(1)  # the cases are small
    try:
        classes = cases(registry, spec)
    except TbgError as error:
        yield Finding(subject, "conformance", BAD, error.message, error.fix)
        return
    outcomes = run(classes, only)
    if not outcomes and not only:  # other components may have tests of that name
        yield Finding(subject, "conformance", BAD, "no test was collected", "A conformance class has methods test_*.")
    states = {"passed": OK, "skipped": NOTE, "failed": BAD}
    for outcome in outcomes:
        own = bool(spec.conformance)
        name = outcome.test.removeprefix("test_")
        yield Finding(
            subject,
            f"{outcome.case}: {name}" if own else name,
            OK if outcome.state == "skipped" else states.get(outcome.state, BAD),
            outcome.message,
            f"Rule: {outcome.rule}{_advice(outcome.message, own=own)}" if outcome.state == "failed" else "",
            outcome.place,
            outcome.traceback,
        )


def _advice(message: str, *, own: bool) -> str:
    """Where the component could not even be tried, how to say what it is to be tried on."""
    tried = any(word in message.lower() for word in ("ace-nme", "test-euclidean", "no potential", "test-meanfree"))
    if own or not tried:
        return ""
    return (
        " It was built with its default options and tried on a system of ours; if it needs others, write a conformance"
        " class and name it in ComponentSpec.conformance."
    )
