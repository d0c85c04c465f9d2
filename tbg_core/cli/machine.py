"""What a job may use of this machine."""

from __future__ import annotations

import os
import re
from typing import Final

from tbg_core.errors import ConfigError

_UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE: Final = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)I?B?\s*$", re.IGNORECASE)
_DEVICE: Final = re.compile(r"^(auto|cpu|cuda(:[0-9]+)?)$")
_SMALLEST: Final = 10**9  # below it, the numerical libraries abort while they are loaded
_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENMM_CPU_THREADS",
)


def prepare_machine(*, threads: int | None, max_memory: str | None, device: str = "auto") -> int:
    """Applies the limits before any numerical library is imported; returns the number of cores to use.

    Raises:
        ConfigError: If a size or a device cannot be used as given.
    """
    check_device(device)
    if max_memory is not None:
        limit_memory(parse_size(max_memory))
    if threads is not None:
        # Libraries read these once, when they are loaded; worker processes inherit them.
        os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
        return threads
    return available_cores()


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parse_size(text: str) -> int:
    """Bytes of ``"4GB"``, ``"800M"``, ...

    Raises:
        ConfigError: If it is no size, or too little to start in.
    """
    match = _SIZE.match(text)
    if match is None:
        raise ConfigError(f"--max-memory {text!r} is no size.", fix="Write e.g. --max-memory 4GB.")
    size = int(float(match[1]) * _UNITS[match[2].upper()])
    if size < _SMALLEST:
        raise ConfigError(f"--max-memory {text!r} is too little to start in.", fix="Give at least 1GB.")
    return size


def limit_memory(size: int) -> None:
    """Makes allocations beyond ``size`` bytes fail in this process and in each of its workers.

    Raises:
        ConfigError: Where the operating system cannot do so.
    """
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        limit = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    except (ImportError, OSError, ValueError) as error:
        raise ConfigError("--max-memory cannot be enforced on this system.", fix="Drop it.") from error


def check_device(device: str) -> None:
    """Checks the form of a device name; whether it is there is seen when it is used.

    Raises:
        ConfigError: If it has none of the known forms.
    """
    if not _DEVICE.match(device):
        raise ConfigError(
            f"unknown device {device!r}.",
            fix="Devices are auto, cpu, cuda, cuda:N; others may lack double precision.",
        )
