"""Conformance of system sources."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
import torch

from tbg_core.contracts.system import System, SystemSource
from tbg_core.errors import UnsupportedSystemError
from tbg_core.testing.prior import space_basis

if TYPE_CHECKING:
    from tbg_core.config.base import ComponentConfig


class SystemConformance(ABC):
    """What every system source must do. Give ``source``, ``config`` and the attributes.

    Attributes:
        accepted: Texts after ``--system`` that this source understands, all of different systems.
        foreign: Texts that are for other sources.
        refused: Texts that have the form of this source's systems but cannot be built.
    """

    accepted: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ("no/such file.pdb", "", "?")
    refused: tuple[str, ...] = ()

    @abstractmethod
    def source(self) -> type[SystemSource]:
        """The source's class."""

    @abstractmethod
    def config(self) -> type[ComponentConfig]:
        """Its config."""

    def build(self, text: str) -> System:
        """The system that ``text`` means."""
        options = self.source().parse(text)
        assert options is not None, f"{text!r} was not recognised"
        return self.source()(self.config()(**options)).build()  # type: ignore[call-arg]

    def test_accepted_texts_give_systems(self) -> None:
        assert self.accepted, "name some texts that this source understands"
        keys = set()
        for text in self.accepted:
            system = self.build(text)
            assert isinstance(system, System)
            assert system.name
            assert re.fullmatch(r"[0-9a-f]{8,}", system.key)
            keys.add(system.key)
        assert len(keys) == len(self.accepted), "different systems must have different keys"

    def test_identity_is_reproducible(self) -> None:
        for text in self.accepted:
            first, second = self.build(text), self.build(text)
            assert first.key == second.key
            assert first.space == second.space

    def test_space_is_a_projection_of_the_stated_dimension(self) -> None:
        for text in self.accepted[:3]:
            space = self.build(text).space
            x = torch.randn(4, *space.event_shape, dtype=torch.float64)
            once = space.project(x)
            assert torch.allclose(space.project(once), once, rtol=0, atol=1e-12)
            assert space_basis(space).shape[1] == space.dim

    def test_foreign_texts_are_left_to_others(self) -> None:
        for text in self.foreign:
            assert self.source().parse(text) is None

    def test_refused_texts_raise_a_clear_error(self) -> None:
        for text in self.refused:
            with pytest.raises(UnsupportedSystemError) as caught:
                self.build(text)
            assert "\n" not in str(caught.value)
