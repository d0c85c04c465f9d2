"""Runs the command in forked processes, so that a hundred of them cost one import of torch.

Reads jobs as JSON lines from stdin. For each it forks a process in a group of its own, which calls the command's
``main``; it answers with the process id, and with the exit code (negative: the signal) when the process has ended.
A job may ask for a fault: a kill at a given rename, since every file of a run appears by a rename, or a limit to
the size of files.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

SLOW = (
    "lightning_fabric",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "safetensors.torch",
    "scipy.integrate",
    "scipy.ndimage",
    "scipy.stats",
    "torch._dynamo",
    "tbg_core.cli.run",
    "tbg_core.pipeline.reweight",
    "tbg_core.pipeline.run",
    "tbg_core.report.build",
    "tbg_openmm.config",
    "tbg_openmm.peptide",
    "tbg_openmm.trajectory",
    "tbg_solvers.adaptive",
    "tbg_solvers.fixed",
    "tbg_toys.double_well",
    "tbg_toys.exact_sampler",
    "tbg_toys.mlp",
)
"""What the toy pipeline imports: without one of these each command takes longer, and works all the same."""


def prepare(more: list[str]) -> None:
    """Imports what every command needs, and ``more`` modules, and runs none of it."""
    os.environ["MPLBACKEND"] = "Agg"
    for module in (*SLOW, *more):
        import_module(module)
    torch = import_module("torch")
    torch.set_num_threads(1)
    import_module("tbg_core.registry").get_registry()


def kill_at(rename: int, name: str, how: str) -> None:
    """Arranges that this process kills itself at a rename.

    Args:
        rename: Which one, from 1.
        name: Count only renames to files of this name; empty: all.
        how: ``torn``: the new content is half written; ``before``: it is whole but not yet renamed;
            ``after``: the file is in place and nothing has happened since.
    """
    really = Path.replace
    seen = 0

    def replace(self: Path, target: Path) -> Path:
        nonlocal seen
        seen += not name or Path(target).name == name
        if seen != rename or (name and Path(target).name != name):
            return really(self, target)
        if how == "torn":
            os.truncate(self, self.stat().st_size // 2)
        elif how == "after":
            really(self, target)
        os.killpg(0, signal.SIGKILL)
        raise AssertionError("unreachable")

    Path.replace = replace  # type: ignore[method-assign]


def work(job: dict[str, Any]) -> int:
    """The life of a forked process; returns its exit code."""
    with suppress(OSError):
        os.setpgid(0, 0)
    os.chdir(job["folder"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for descriptor, path in ((1, job["stdout"]), (2, job["stderr"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    if job.get("largest_file"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"],) * 2)
    if job.get("kill"):
        kill_at(**job["kill"])
    from tbg_core.cli.main import main

    try:
        main(job["arguments"])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def answer(what: object) -> None:
    """One line to whoever asked."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def serve() -> None:
    """Answers jobs until stdin is closed."""
    prepare(sys.argv[1:])
    answer("ready")
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                code = work(json.loads(line))
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        # Both set the group, so that it exists whoever is first; the child may even have ended.
        with suppress(OSError):
            os.setpgid(pid, pid)
        answer(pid)
        _, status = os.waitpid(pid, 0)
        answer(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    serve()
