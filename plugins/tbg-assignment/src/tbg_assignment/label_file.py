"""A file of labellings with weights: the joint distribution of the states of a molecule's torsions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tbg_assignment.distributions import LIMIT, Table
from tbg_core.errors import StorageError, UnsupportedSystemError
from tbg_core.storage.atomic import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = 1


@dataclass(frozen=True)
class LabelFile:
    """What a file of labels holds.

    Attributes:
        name: Of the molecule.
        variables: Names of the variables, e.g. ``phi:2``.
        classes: Number of classes of each.
        boundaries_degree: Where class 0, 1, ... of each variable begin, degrees, ascending [n][c or less].
        labels: Labellings that occur [K][n].
        weights: How many frames have each [K].
        held_out: How many frames of other walkers have each [K]; they take no part in the distribution.
        frames: Effective number of independent frames behind ``weights``: one walker counts as one at most.
        held_out_frames: The same of ``held_out``.
        source: The folder that they come from.
    """

    name: str
    variables: tuple[str, ...]
    classes: int
    boundaries_degree: tuple[tuple[float, ...], ...]
    labels: tuple[tuple[int, ...], ...]
    weights: tuple[float, ...]
    held_out: tuple[float, ...]
    frames: float
    held_out_frames: float
    source: str

    @property
    def key(self) -> str:
        """Hash of the distribution; where it comes from does not matter."""
        content = {k: v for k, v in asdict(self).items() if k != "source"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def table(self) -> Table:
        """The distribution; labellings that never occurred have probability zero.

        Raises:
            UnsupportedSystemError: If there are too many labellings.
        """
        n = len(self.variables)
        if self.classes**n > LIMIT or n > 20:
            raise UnsupportedSystemError(
                f"{n} variables of {self.classes} classes have more than {LIMIT:,} labellings.",
                fix="Choose fewer variables.",
            )
        p = np.zeros((self.classes,) * n)
        np.add.at(p, tuple(np.array(self.labels).T), np.array(self.weights))
        with np.errstate(divide="ignore"):
            return Table(np.log(p / p.sum()))


def write_label_file(path: Path, content: LabelFile) -> None:
    """Writes the file, whole or not at all."""
    write_json(path, {"schema": SCHEMA, **asdict(content)})


def read_label_file(path: Path) -> LabelFile:
    """Reads a file of labels.

    Raises:
        UnsupportedSystemError: If there is none, or it is not one of ours.
    """
    fix = "Give a file that `tbg labels make` wrote."
    if not path.is_file():
        raise UnsupportedSystemError(f"there is no file {path}.", fix=fix)
    try:
        content = _content(read_json(path))
    except (StorageError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsupportedSystemError(f"{path} is no file of labels: {error}", fix=fix) from error
    return content


def _content(data: dict[str, Any]) -> LabelFile:
    """The content, if it is sound."""
    if data.pop("schema") != SCHEMA:
        raise ValueError(f"it has another schema than {SCHEMA}")
    content = LabelFile(
        **{
            **data,
            "variables": tuple(data["variables"]),
            "boundaries_degree": tuple(map(tuple, data["boundaries_degree"])),
            "labels": tuple(map(tuple, data["labels"])),
            "weights": tuple(data["weights"]),
            "held_out": tuple(data["held_out"]),
        }
    )
    values = np.array(content.labels)
    if values.shape != (len(content.weights), len(content.variables)) or len(content.held_out) != len(values):
        raise ValueError("labels and weights do not fit")
    if min(content.weights) < 0 or sum(content.weights) <= 0 or values.min() < 0 or values.max() >= content.classes:
        raise ValueError("a weight is negative, or a label is no class")
    return content
