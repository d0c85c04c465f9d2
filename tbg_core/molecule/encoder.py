"""Encodings as tensors, bound to the molecules that a network was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.nn import functional as F

from tbg_core.errors import ConfigError, UnsupportedSystemError
from tbg_core.molecule.encodings import ENCODINGS, classes, is_capped
from tbg_core.molecule.molecule import Molecule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tbg_core.contracts.system import Batch, System
    from tbg_core.molecule.config import EncodingConfig

_Config = TypeVar("_Config", bound="EncodingConfig")


def adapt(config: _Config, systems: Sequence[System]) -> _Config:
    """Fixes the length of the encoding, the kinds of atoms in training, and the molecule of an encoding for one only.

    Kinds of atoms that ``config`` names already, those of a trained network, stay.

    Raises:
        ConfigError: If such an encoding was chosen for several molecules.
    """
    encodings = [ENCODINGS[config.encoding](_molecule(s)) for s in systems]
    seen = set(config.seen or ()).union(*(kinds(_molecule(s), config.encoding) for s in systems))
    found: dict[str, Any] = {"seen": tuple(sorted(seen))}
    if config.n_features is None:
        found["n_features"] = max(rows.shape[1] for rows in encodings)
    if config.encoding != "element" and any(is_capped(_molecule(s)) for s in systems):
        if len({s.key for s in systems} | ({config.molecule} if config.molecule else set())) > 1:
            raise ConfigError(
                f"in capped molecules the {config.encoding} encoding means one molecule, and there are several.",
                fix="Set -s model.encoding=element.",
            )
        found["molecule"] = systems[0].key
    return config.model_copy(update=found)


def kinds(molecule: Molecule, encoding: str) -> list[str]:
    """What each atom is, for what a training showed: the numbers of its features, e.g. ``"1-7-24"``.

    Those of the encoding ``full`` where there is one, for a network that sees elements alone has not seen all molecules
    there are; atoms of a capped molecule are like those of no other.
    """
    try:
        rows = ENCODINGS["full"](molecule)
    except UnsupportedSystemError:
        rows = ENCODINGS[encoding](molecule)
    capped = f"{molecule.key}-" if is_capped(molecule) else ""
    return [capped + "-".join(str(i) for i in np.flatnonzero(row)) for row in rows]


class AtomEncoder:
    """Encodings of the molecules that a network was made for, computed once each.

    Args:
        config: Options; ``n_features`` must be known (:func:`adapt` finds it).

    Attributes:
        n_features: Length F of the encoding.

    Raises:
        UnsupportedSystemError: If it is not known.
    """

    n_features: int

    def __init__(self, config: EncodingConfig) -> None:
        if config.n_features is None:
            raise UnsupportedSystemError(
                "the network does not know the length of its encoding.", fix="Give the field option n_features."
            )
        self.config = config
        self.n_features = config.n_features
        self._known: dict[str, Tensor] = {}
        self._seen = frozenset(config.seen or ())

    def features(self, system: System) -> Tensor:
        """Encoding [N, F] of a system.

        Raises:
            UnsupportedSystemError: If the network was not made for it.
        """
        if system.key not in self._known:
            features = ENCODINGS[self.config.encoding](_molecule(system))
            made_for, encoding = self.config.molecule, self.config.encoding
            # The columns of a capped molecule are its own, and may be as many as those of dipeptides.
            stranger = made_for is None and encoding != "element" and is_capped(_molecule(system))
            if features.shape[1] != self.n_features or made_for not in {None, system.key} or stranger:
                only = ", one molecule only" if made_for else ", uncapped peptides only" if stranger else ""
                raise UnsupportedSystemError(
                    f"{system.name} is not the kind of molecule that this network was made for "
                    f"({self.n_features} features in the {encoding} encoding{only}; it has {features.shape[1]}).",
                    fix="Use a checkpoint trained for it, or train one with --from-scratch.",
                )
            self._known[system.key] = torch.from_numpy(features)
        return self._known[system.key]

    def coverage(self, system: System) -> float | None:
        """Share of a system's atoms whose kind was in training; None if the network does not know what was.

        Raises:
            UnsupportedSystemError: If the network was not made for the system.
        """
        if self.config.seen is None:
            return None
        self.features(system)  # or it cannot be taken at all
        found = kinds(_molecule(system), self.config.encoding)
        return sum(kind in self._seen for kind in found) / len(found)

    def table(self, batch: Batch, x: Tensor) -> Tensor:
        """Encodings [B, N, F] of the atoms of the states x [B, N, 3], in their type; zero for padded atoms."""
        n = x.shape[1]
        rows = [self.features(s) for s in batch.systems]
        table = torch.stack([F.pad(row, (0, 0, 0, n - len(row))) for row in rows]).to(x)
        return table[batch.index] if len(batch.systems) > 1 else table.expand(len(x), -1, -1)

    def atom_classes(self, system: System) -> Tensor:
        """Class of each atom [N], int64: atoms with equal encodings."""
        return torch.from_numpy(classes(self.features(system).numpy()))


def _molecule(system: System) -> Molecule:
    if not isinstance(system, Molecule):
        raise UnsupportedSystemError(
            f"this field is made for molecules, and {system.name} is none.",
            fix="Choose a field for vectors, e.g. --model mlp.",
        )
    return system
