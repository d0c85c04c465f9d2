"""A system as an ensemble's folder remembers it: enough to analyse samples, not to make new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tbg_core.contracts.system import Euclidean, Logits, MeanFree, StateSpace, System
from tbg_core.errors import StorageError
from tbg_core.molecule import Molecule

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RecordedSpace(StateSpace):
    """Shape and dimension of a space that none of the core's describes."""

    event_shape: tuple[int, ...]
    dim: int

    def project(self, x: Tensor) -> Tensor:
        """Cannot be done.

        Raises:
            StorageError: Always: only shape and dimension of the space were recorded.
        """
        raise StorageError(
            f"states of shape {tuple(x.shape)} cannot be projected: the space was not recorded.",
            fix="Build the system from the run's config.yaml and pass it to Ensemble.load(..., system=...).",
        )


@dataclass(frozen=True)
class RecordedSystem:
    """A system that is not a molecule, read back from disk.

    Attributes:
        name: For people.
        key: Content hash of the system that was sampled.
        event_shape: Shape of one state.
        dim: Dimension of its space.
        space_type: Name of the class of its space; empty where its shape says enough.
    """

    name: str
    key: str
    event_shape: tuple[int, ...]
    dim: int
    space_type: str = ""

    @property
    def space(self) -> StateSpace:
        """One of the core's, by its name or where shape and dimension say so."""
        if self.space_type == Logits.__name__:
            return Logits(*self.event_shape)
        if self.event_shape == (self.dim,):
            return Euclidean(self.dim)
        points = (self.dim + 3) // 3
        if self.event_shape == (points, 3) and self.dim == 3 * (points - 1):
            return MeanFree(points)
        return RecordedSpace(self.event_shape, self.dim)


def system_to_dict(system: System) -> dict[str, Any]:
    """Plain data that :func:`system_from_dict` reads."""
    if isinstance(system, Molecule):
        from tbg_core.molecule.serialise import molecule_to_dict

        return {"type": "molecule", "molecule": molecule_to_dict(system)}
    return {
        "type": "recorded",
        "name": system.name,
        "key": system.key,
        "event_shape": list(system.space.event_shape),
        "dim": system.space.dim,
        "space": Logits.__name__ if isinstance(system.space, Logits) else "",
    }


def system_from_dict(data: dict[str, Any]) -> System:
    """The molecule or the record of another system.

    Raises:
        StorageError: If the data are not what :func:`system_to_dict` writes.
    """
    try:
        if data["type"] == "molecule":
            from tbg_core.molecule.serialise import molecule_from_dict

            return molecule_from_dict(data["molecule"])
        if data["type"] == "recorded":
            shape = tuple(int(size) for size in data["event_shape"])
            kind = str(data.get("space", ""))
            return RecordedSystem(str(data["name"]), str(data["key"]), shape, int(data["dim"]), kind)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"the record of the system is damaged: {error!r}.") from error
    raise StorageError(f"a system of type {data['type']!r} is not known to this version.")
