"""Fixtures of the fault tests: the command in processes that can be killed, and what they leave on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

STAGES = ("simulate", "train", "sample")
TOY = ("--system", "asymmetric-double-well", "--energy", "double-well")


@dataclass(frozen=True)
class Attempt:
    """How a command ended: its exit code (negative: the signal), what it printed, and how long it took."""

    code: int
    stdout: str
    stderr: str
    seconds: float


class Commands:
    """Starts commands through the zygote, one at a time, and kills them.

    Args:
        scratch: Where their output goes.
        modules: What to import once for all of them, beside what toys need.
    """

    def __init__(self, scratch: Path, *modules: str) -> None:
        self.scratch = scratch
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TBG_")}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "COLUMNS": "160"}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py")), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._answer() == "ready"

    def __call__(
        self,
        *arguments: object,
        folder: Path,
        kill: dict[str, Any] | None = None,
        kill_after: float | None = None,
        largest_file: int = 0,
        alone: bool = False,
    ) -> Attempt:
        """Runs ``tbg ARGUMENTS`` in ``folder``.

        Args:
            arguments: Arguments of the command.
            folder: Its current directory.
            kill: Kill it at a rename: arguments of ``kill_at``.
            kill_after: Kill it after this many seconds.
            largest_file: Limit to the size of files, bytes.
            alone: Kill the process but none that it started.
        """
        folder.mkdir(parents=True, exist_ok=True)
        job = {
            "arguments": [str(a) for a in arguments],
            "folder": str(folder),
            "stdout": str(self.scratch / "stdout"),
            "stderr": str(self.scratch / "stderr"),
            "largest_file": largest_file,
            "kill": None if kill is None else {"name": "", "how": "before", **kill},
        }
        began = time.monotonic()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        pid = int(self._answer())
        if kill_after is not None:
            time.sleep(kill_after)
            with suppress(ProcessLookupError):  # it may have ended already
                os.kill(pid, signal.SIGKILL) if alone else os.killpg(pid, signal.SIGKILL)
        code = int(self._answer())
        texts = [Path(job[name]).read_text() for name in ("stdout", "stderr")]
        return Attempt(code, *texts, time.monotonic() - began)

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


@pytest.fixture(scope="session")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The command in forked processes, one thread each."""
    running = Commands(tmp_path_factory.mktemp("zygote"))
    yield running
    running.close()


@pytest.fixture(scope="session")
def molecular_commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The command in forked processes that have imported OpenMM."""
    modules = ("tbg_egnn.egnn", "tbg_openmm.engine_dynamics", "tbg_openmm.peptide", "tbg_openmm.trajectory")
    running = Commands(tmp_path_factory.mktemp("zygote"), *modules)
    yield running
    running.close()


@dataclass(frozen=True)
class Toy:
    """A small pipeline on a double well: its commands, and what they leave when nothing goes wrong.

    Attributes:
        folder: Current directory of the undisturbed commands; each stage has a folder of its name in it.
        seconds: How long each took.
    """

    folder: Path
    seconds: dict[str, float]

    @staticmethod
    def arguments(stage: str, *more: object) -> list[object]:
        """A stage that takes a fraction of a second; paths are relative to the current directory."""
        arguments = {
            "simulate": [
                *TOY,
                "--dynamics=exact-sampler",
                "--walkers=2",
                "--frames=50",
                "-ssimulation.block_frames=20",
            ],
            "train": ["--data=simulate", "--model=mlp", "--prior=gaussian", "--steps=30", "-smodel.width=8"]
            + [f"-straining.{o}" for o in ("batch_size=16", "log_every=5", "checkpoint_every=10", "warmup_steps=5")],
            "sample": [
                *(*TOY, "--checkpoint=train/checkpoint", "-n", "28", "-ssampling.block_size=8"),
                *("--integrator=rk4", "-sintegrator.steps=8", "--likelihood=augmented"),
            ],
        }
        return [stage, *arguments[stage], f"--out={stage}", "--threads=1", "--seed=5", "--quiet", *more]

    def before(self, stage: str, folder: Path) -> Path:
        """Fills a folder with what the stages before ``stage`` left; returns it."""
        folder.mkdir(parents=True, exist_ok=True)
        for earlier in STAGES[: STAGES.index(stage)]:
            shutil.copytree(self.folder / earlier, folder / earlier)
        return folder


@pytest.fixture(scope="session")
def toy(commands: Commands, tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy pipeline as it is when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    seconds = {}
    for stage in STAGES:
        attempt = commands(*Toy.arguments(stage), folder=folder)
        assert attempt.code == 0, attempt.stderr
        seconds[stage] = attempt.seconds
    return Toy(folder, seconds)


def _loss(path: Path) -> list[list[str]]:
    # The last column is the time.
    return [line.split(",")[:3] for line in path.read_text().splitlines()]


_COSTS = ("seconds", "created", "command", "cpu_seconds", "core_seconds", "ns_per_core_day")


def _json(path: Path, places: tuple[Path, ...]) -> Any:
    # Times and costs differ from run to run, and paths by where the run lies; everything else is determined.
    text = path.read_text()
    for place in places:
        text = text.replace(str(place), ".")
    return _without_costs(json.loads(text))


def _without_costs(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_costs(value) for key, value in content.items() if key not in _COSTS}
    return content


def contents(folder: Path, *others: Path) -> dict[str, Any]:
    """Every file of a folder that a reader would take for real, and what of it must be the same in every run.

    Runs store absolute paths: those that lead beside ``folder`` or beside one of ``others``, whose copy it may be,
    count as the same.
    """
    places = tuple(place.parent for place in (folder, *others))
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            found[name] = _json(path, places)
        elif path.name == "loss.csv":
            found[name] = _loss(path)
        elif path.name == "report.html":
            found[name] = path.read_text().rstrip().endswith("</html>")
        else:
            if path.suffix == ".safetensors":
                load_file(path)  # raises if it is torn
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="session")
def same_as() -> Callable[[Path, Path], None]:
    """Asserts that two folders hold the same files with the same content."""

    def check(folder: Path, expected: Path) -> None:
        have, wanted = contents(folder, expected), contents(expected, folder)
        assert sorted(have) == sorted(wanted)
        assert [name for name in wanted if have[name] != wanted[name]] == []

    return check
