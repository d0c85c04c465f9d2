"""Systems of discrete variables: Potts models, distributions, and the labels of a molecule."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from typing_extensions import override

from tbg_assignment.densities import categorical, coupled_binary, eight_gaussians, pinwheel
from tbg_assignment.label_file import read_label_file
from tbg_core.contracts.system import Logits, SystemSource
from tbg_core.errors import UnsupportedSystemError
from tbg_core.randomness import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tbg_assignment.config import LabelsConfig
    from tbg_assignment.distributions import LabelDistribution
    from tbg_assignment.label_file import LabelFile

FILE: Final = "labels:"
_TEXT = re.compile(r"(potts-chain|potts-grid|potts-random|coupled-binary|pinwheel|eight-gaussians|categorical)(:.+)?")
_SIZES = re.compile(r":([0-9]+(?:x[0-9]+)*)(?::([0-9]+))?")
_DEFAULTS: Final[dict[str, tuple[int, ...]]] = {
    "potts-chain": (6, 3),
    "potts-grid": (3, 3, 2),
    "potts-random": (6, 3),
    "coupled-binary": (),
    "pinwheel": (32,),
    "eight-gaussians": (32,),
    "categorical": (4, 20),
}
_RANDOM: Final = ("potts-random", "categorical")


@dataclass(frozen=True)
class LabelSystem:
    """Discrete variables, all with as many classes.

    Attributes:
        name: As it is written after ``--system``.
        key: Content hash.
        space: Their logits.
        variable_names: One for each variable, where they have names.
    """

    name: str
    key: str
    space: Logits
    variable_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class PottsSystem(LabelSystem):
    """Variables on a graph. Their energy is an energy backend's, as a force field is for a molecule.

    Attributes:
        graph: ``chain``, ``grid`` or ``random``.
        shape: Rows and columns of a grid; else the number of variables.
        seed: Of the random model.
    """

    graph: str = "chain"
    shape: tuple[int, ...] = ()
    seed: int = 0

    @cached_property
    def couplings(self) -> NDArray[np.float64]:
        """g [n, n]: symmetric, zero on the diagonal."""
        n = self.space.variables
        if self.graph == "random":
            upper = np.triu(generator(self.seed, "potts", "couplings", n).standard_normal((n, n)), 1) / np.sqrt(n)
            return np.asarray(upper + upper.T)
        place = np.indices(self.shape).reshape(len(self.shape), -1)
        distance = np.abs(place[:, :, None] - place[:, None, :]).sum(axis=0)
        return np.asarray(distance == 1, dtype=np.float64)

    @cached_property
    def fields(self) -> NDArray[np.float64]:
        """f [n, c]."""
        n, c = self.space.event_shape
        if self.graph == "random":
            return np.asarray(generator(self.seed, "potts", "fields", n, c).standard_normal((n, c)))
        f = np.zeros((n, c))
        f[:, 0] = 1.0
        return f


@dataclass(frozen=True)
class DistributionSystem(LabelSystem):
    """Variables whose joint distribution is given.

    Attributes:
        distribution: It.
        counted: The frames that it was counted in, for labels of a molecule.
    """

    distribution: LabelDistribution | None = None
    counted: LabelFile | None = None


class LabelSource(SystemSource):
    """Makes systems of discrete variables; the texts are those of :data:`tbg_assignment.config.FORMS`."""

    examples = ("potts-chain:6x3", "potts-grid:3x3x2", "potts-random:6x3:1", "coupled-binary", "pinwheel:32")

    def __init__(self, config: LabelsConfig) -> None:
        self.config = config

    @classmethod
    @override
    def parse(cls, text: str) -> dict[str, object] | None:
        """Options for a text that begins with the name of a family."""
        if text.startswith(FILE) and len(text) > len(FILE):
            return {"kind": "file", "path": text.removeprefix(FILE)}
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        options: dict[str, object] = {"kind": match[1]}
        if match[2]:
            sizes = _SIZES.fullmatch(match[2])
            if sizes is None:
                return None
            options["sizes"] = tuple(int(size) for size in sizes[1].split("x"))
            if sizes[2]:
                options["seed"] = int(sizes[2])
        return options

    @override
    def build(self) -> LabelSystem:
        """Makes the system.

        Raises:
            UnsupportedSystemError: If there is no such size, or the file cannot be read.
        """
        config = self.config
        if config.kind == "file":
            return _from_file(config.path, Path(config.path).stat().st_mtime_ns if Path(config.path).is_file() else 0)
        default = _DEFAULTS[config.kind]
        sizes = config.sizes or default
        seeded = config.kind in _RANDOM
        if len(sizes) != len(default) or min(sizes[:-1], default=1) < 1 or (sizes and sizes[-1] < 2):
            form = ":" * bool(default) + "x".join("N" for _ in default) + (":SEED" if seeded else "")
            raise UnsupportedSystemError(
                f"{config.kind} of the sizes {'x'.join(map(str, sizes))} does not exist.",
                fix=f"Write {config.kind}{form}, the last size the number of classes (2 or more).",
            )
        if config.seed and not seeded:
            raise UnsupportedSystemError(f"{config.kind} has no seed.", fix="Leave the last number out.")
        return _built(config.kind, sizes, config.seed)


@lru_cache(maxsize=32)
def _built(kind: str, sizes: tuple[int, ...], seed: int) -> LabelSystem:
    name = kind + (":" + "x".join(map(str, sizes)) if sizes else "") + (f":{seed}" if kind in _RANDOM else "")
    key = hashlib.sha256(f"labels\0{name}".encode()).hexdigest()
    if kind.startswith("potts"):
        graph, shape = kind.removeprefix("potts-"), sizes[:-1]
        return PottsSystem(name, key, Logits(int(np.prod(shape)), sizes[-1]), (), graph, shape, seed)
    made: LabelDistribution
    if kind == "coupled-binary":
        made = coupled_binary()
    elif kind == "categorical":
        made = categorical(sizes[0], sizes[1], seed)
    else:
        made = (pinwheel if kind == "pinwheel" else eight_gaussians)(sizes[0])
    return DistributionSystem(name, key, Logits(made.variables, made.classes), (), made)


@lru_cache(maxsize=8)
def _from_file(path: str, _changed: int) -> LabelSystem:
    content = read_label_file(Path(path))
    space = Logits(len(content.variables), content.classes)
    return DistributionSystem(f"{FILE}{path}", content.key, space, content.variables, content.table(), content)
