"""Compiles the native kernel on first use and keeps it in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SOURCES: Final = ("simd.hpp", "model.hpp", "bonded.hpp", "nonbonded.hpp", "dynamics.hpp", "kernel.cpp")
_FLAGS: Final = (
    *("-std=c++17", "-O3", "-fPIC", "-shared", "-pthread", "-w"),
    # Sums keep their order and nan stays nan; a*b+c may be one instruction.
    *("-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-ffp-contract=fast"),
)
_TUNING: Final = (("-march=native",), ("-mcpu=native",), ())
_TIMEOUT_S: Final = 300.0


class Unavailable(Exception):  # noqa: N818 - a finding; its message is the reason
    """The native kernel does not work here; the message says why."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL:
    """The compiled kernel, from the cache if this machine has compiled it before.

    The environment variable ``CXX`` chooses the compiler, ``TBG_CACHE_DIR`` the folder of the cache (else
    ``tbg`` in ``XDG_CACHE_HOME`` or ``~/.cache``).

    Raises:
        Unavailable: If there is no C++ compiler, or what it makes cannot be loaded.
    """
    compiler = find_compiler()
    folder = Path(str(files("tbg_openmm.engine") / "native"))
    sources = b"".join((folder / name).read_bytes() for name in _SOURCES)
    key = hashlib.sha256(b"\0".join([sources, repr((_FLAGS, _TUNING)).encode(), *_machine(compiler)])).hexdigest()[:24]
    problems = []
    for cache in _caches():
        path = cache / f"engine-{key}.so"
        try:
            cache.mkdir(parents=True, exist_ok=True)
            return _load(compiler, folder / "kernel.cpp", path)
        except OSError as error:
            problems.append(str(error))
    raise Unavailable("; ".join(problems))


def _load(compiler: str, source: Path, path: Path) -> ctypes.CDLL:
    if path.is_file():
        with suppress(OSError):  # torn: made again
            return ctypes.CDLL(str(path))
    compile_kernel(compiler, source, path)
    return ctypes.CDLL(str(path))


def find_compiler() -> str:
    """Path of the C++ compiler.

    Raises:
        Unavailable: If there is none.
    """
    wanted = os.environ.get("CXX")
    for name in (wanted,) if wanted else ("g++", "c++", "clang++"):
        path = shutil.which(name)
        if path:
            return path
    raise Unavailable(f"there is no C++ compiler ({wanted or 'g++, c++, clang++'})")


def _machine(compiler: str) -> Iterator[bytes]:
    """What decides on the instructions that the compiler may use."""
    yield compiler.encode()
    yield subprocess.run([compiler, "--version"], capture_output=True, check=False, timeout=_TIMEOUT_S).stdout  # noqa: S603
    yield platform.machine().encode()
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_bytes().splitlines() if cpuinfo.is_file() else [platform.processor().encode()]
    yield from sorted({line for line in lines if line.split(b":")[0].strip() in {b"flags", b"Features", b"model name"}})


def _caches() -> Iterator[Path]:
    chosen = os.environ.get("TBG_CACHE_DIR")
    if chosen:
        yield Path(chosen)
        return
    base = os.environ.get("XDG_CACHE_HOME")
    with suppress(RuntimeError):  # no home
        yield (Path(base) if base else Path.home() / ".cache") / "tbg"
    # Of this process alone: a folder that others can write to is no place for a library.
    yield Path(_private_folder())


@lru_cache(maxsize=1)
def _private_folder() -> str:
    return tempfile.mkdtemp(prefix="tbg-engine-")


def compile_kernel(compiler: str, source: Path, target: Path) -> None:
    """Compiles under a temporary name and renames, so that processes may race.

    Raises:
        Unavailable: With the compiler's words.
    """
    words = ""
    for tuning in _TUNING:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix="building-") as folder:
            output = Path(folder) / target.name
            command: Sequence[str] = [compiler, *_FLAGS, *tuning, str(source), "-o", str(output)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)  # noqa: S603
            except subprocess.TimeoutExpired:
                raise Unavailable(f"{compiler} took more than {_TIMEOUT_S:g} s") from None
            if done.returncode == 0:
                with output.open("rb") as written:
                    # Loading half a library ends the process: it must be on the disk before it has its name.
                    os.fsync(written.fileno())
                output.replace(target)
                return
            words = words or done.stderr.strip()[-500:]
    raise Unavailable(f"{compiler} failed: {words}")
