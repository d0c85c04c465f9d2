"""Dipeptides and other short peptides: which are trained on, which are held out, and how they are simulated."""

from __future__ import annotations

import json
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from typing_extensions import override

from tbg_core.contracts.dataset import Dataset, Split
from tbg_core.datasets.folder import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tbg_data_dipeptides.config import PeptidesConfig

TRAINING: Final = "train"
_LADDER_K: Final = (310.0, 380.0, 465.0, 570.0, 700.0)
_FRAMES: Final[Mapping[str, int]] = {"train": 120}
_HELD_OUT_FRAMES: Final = 480


class Peptides(Dataset):
    """Zwitterionic or capped peptides at the preset amber14-obc1-310K, by parallel tempering.

    Args:
        config: No options.
    """

    lists: ClassVar[str]
    """File of this package with the systems of each split, and where they are from."""

    def __init__(self, config: PeptidesConfig) -> None:
        self.config = config
        self._folder = Path(str(resources.files(__package__)))

    @cached_property
    @override
    def splits(self) -> Mapping[str, Split]:
        """``train``, and what is held out."""
        content = json.loads((self._folder / self.lists).read_text(encoding="utf-8"))
        source = content.pop("source")
        return {name: Split(tuple(names), name == TRAINING, source) for name, names in content.items()}

    @override
    def recipe(self, split: str) -> dict[str, Any]:
        """Sixteen ladders of five temperatures, started from different conformations.

        Hydrogens of 3 amu and a friction of 3/ps change no distribution of positions; they allow steps of 2 fs, whose
        bias was measured (docs/datasets.md), and spread what an exchange brings faster.
        """
        return {
            "energy": {"name": "openmm", "preset": "amber14-obc1-310K"},
            "dynamics": {
                "name": "engine",
                "temperatures_K": list(_LADDER_K),
                "walkers_together": 16,
                "timestep_fs": 2.0,
                "hydrogen_mass_amu": 3.0,
                "friction_per_ps": 3.0,
                "exchange_interval_ps": 0.1,
                "frame_interval_ps": 1.0,
                "heating_ps": 1.0,
                "scramble_ps": 10.0,
                "equilibration_ps": 10.0,
            },
            "simulation": {"walkers": 16, "frames": _FRAMES.get(split, _HELD_OUT_FRAMES), "block_frames": 20},
            "temperature_K": 310.0,
            "seed": 0,
        }


class Dipeptides(Peptides):
    """200 dipeptides to train on and the held-out ones of published work."""

    lists = "splits.json"

    @override
    def shipped(self, split: str) -> Path | None:
        """The frames of ``train``."""
        folder = self._folder / "frames"
        return folder if split == TRAINING and (folder / MANIFEST).is_file() else None


class ShortPeptides(Peptides):
    """Capped amino acids and tripeptides to train on; others, and tetrapeptides, that are held out."""

    lists = "short.json"
