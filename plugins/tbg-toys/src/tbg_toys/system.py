"""Toy systems: a name and a dimension."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from typing_extensions import override

from tbg_core.contracts.system import Euclidean, SystemSource
from tbg_core.errors import UnsupportedSystemError
from tbg_toys.config import ToyName

if TYPE_CHECKING:
    from tbg_toys.config import ToyConfig

_TEXT = re.compile(rf"({'|'.join(get_args(ToyName))})(?::([0-9]+))?")


@dataclass(frozen=True)
class ToySystem:
    """A toy on R^dim. Its potential is an energy backend's, as a force field is for a molecule.

    Attributes:
        toy: One of the names of :data:`~tbg_toys.config.ToyName`.
        dim: Dimension d.
    """

    toy: str
    dim: int = 2

    @property
    def name(self) -> str:
        """The toy's name, with its dimension where that is not 2."""
        return self.toy if self.dim == 2 else f"{self.toy}:{self.dim}"

    @property
    def key(self) -> str:
        """Hash of the name and the dimension."""
        return hashlib.sha256(f"toy\0{self.toy}\0{self.dim}".encode()).hexdigest()

    @property
    def space(self) -> Euclidean:
        """R^dim."""
        return Euclidean(self.dim)


class ToySource(SystemSource):
    """Makes toy systems; understands ``NAME`` and ``NAME:DIM``, e.g. ``double-well`` and ``gaussian:5``."""

    def __init__(self, config: ToyConfig) -> None:
        self.config = config

    @classmethod
    @override
    def parse(cls, text: str) -> dict[str, object] | None:
        """Options for a text that begins with the name of a toy."""
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        options: dict[str, object] = {"toy": match[1]}
        if match[2]:
            options["dim"] = int(match[2])
        return options

    @override
    def build(self) -> ToySystem:
        """Makes the system.

        Raises:
            UnsupportedSystemError: If the toy does not exist in that dimension.
        """
        toy, dim = self.config.toy, self.config.dim or 2
        if toy == "mueller-brown" and dim != 2:
            raise UnsupportedSystemError(
                f"System mueller-brown exists in 2 dimensions, not {dim}.", fix="Write mueller-brown alone."
            )
        return ToySystem(toy, dim)
