"""Conformance of datasets."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tbg_core.config.load import make_config
from tbg_core.contracts.dataset import Split

if TYPE_CHECKING:
    from tbg_core.contracts.dataset import Dataset


class DatasetConformance(ABC):
    """What every dataset must do. Give ``make``. No system is built and nothing is simulated here."""

    @abstractmethod
    def make(self) -> Dataset:
        """The dataset."""

    def test_splits_are_named_lists(self) -> None:
        """At least one split; each names its systems, once each, and says where its list comes from."""
        splits = self.make().splits
        assert splits, "a dataset has at least one split"
        for name, split in splits.items():
            assert isinstance(split, Split), name
            assert split.systems, f"split {name} is empty"
            assert all(isinstance(system, str) and system.strip() == system and system for system in split.systems)
            assert len(set(split.systems)) == len(split.systems), f"split {name} names a system twice"
            assert split.source.strip(), f"split {name} does not say where its list comes from"

    def test_nothing_that_is_held_out_is_trained_on(self) -> None:
        """No system of a split that is for training is in one that is not."""
        splits = self.make().splits
        trained = {system for split in splits.values() if split.training for system in split.systems}
        held_out = {system for split in splits.values() if not split.training for system in split.systems}
        assert not trained & held_out, f"trained on and held out: {', '.join(sorted(trained & held_out))}"

    def test_order_is_reproducible(self) -> None:
        """Systems are made in the order of the list, which is the same each time."""
        first, again = (
            {name: split.systems for name, split in dataset.splits.items()} for dataset in (self.make(), self.make())
        )
        assert first == again

    def test_recipes_are_run_configurations_without_a_system(self) -> None:
        """A recipe is plain data that a run configuration accepts; the system is put in for each of the split."""
        dataset = self.make()
        for name, split in dataset.splits.items():
            recipe = dataset.recipe(name)
            json.dumps(recipe)
            assert "system" not in recipe, f"the recipe of {name} names a system"
            make_config({**recipe, "system": split.systems[0]})

    def test_shipped_frames_are_folders(self) -> None:
        """What is said to ship is there."""
        dataset = self.make()
        for name in dataset.splits:
            folder = dataset.shipped(name)
            assert folder is None or folder.is_dir(), f"{folder} does not exist"
