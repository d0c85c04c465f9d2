"""Errors meant for the person at the keyboard: what is wrong, and what to do about it."""

from __future__ import annotations

from typing import Final

_MEMORY: Final = ("can't allocate memory", "out of memory", "not enough memory")


class TbgError(Exception):
    """An expected failure, shown by the command line as one line without a traceback.

    Args:
        message: What is wrong, naming the offending value.
        fix: What the user can do, as an imperative sentence; appended to the message.
    """

    exit_code = 2

    def __init__(self, message: str, *, fix: str = "") -> None:
        self.message = message
        self.fix = fix
        super().__init__(f"{message} {fix}".strip())


class ConfigError(TbgError):
    """A config file, an override or a flag that cannot be used as given."""


class UnknownComponentError(ConfigError):
    """A (kind, name) that no working plugin provides."""


class PluginError(TbgError):
    """A plugin that is broken, clashes with another, or was made for another API version."""


class UnsupportedSystemError(TbgError):
    """A molecule or toy system that cannot be understood or is not supported."""


class CheckpointError(TbgError):
    """A checkpoint that is torn, unsafe, or made for something else."""


class StorageError(TbgError):
    """A folder or file that cannot be written or read, or whose content was altered."""


class EnergyError(TbgError):
    """A potential that cannot be set up or evaluated."""


class NumericalError(TbgError):
    """A computation that produced no usable number."""


class OffSupportError(NumericalError):
    """No state of those asked for lies where the density is positive."""


class ReliabilityWarning(UserWarning):
    """A result that exists but should not be relied on (low ESS, heavy-tailed weights)."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; on a CPU torch says so in the words of a plain RuntimeError."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _MEMORY)
