"""Observables of points in R^d."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.observables import available, default_observables, parse_observable
from tbg_core.testing import ObservableConformance
from tbg_toys.config import CoordinatesConfig
from tbg_toys.coordinates import Coordinates
from tbg_toys.mueller_brown import MuellerBrown
from tbg_toys.system import ToySystem


class TestCoordinates(ObservableConformance):
    texts = ("x:4",)
    foreign = ("", "x1", "phi", "y:0")
    refused = ("x:6", "x:", "x:-1")

    def make(self):
        return Coordinates(CoordinatesConfig())

    def system(self):
        return ToySystem("double-well", 6)


class TestCoordinatesOfMuellerBrown(TestCoordinates):
    texts = ()
    refused = ("x:2",)

    def system(self):
        return ToySystem("mueller-brown")


def test_they_are_found_by_name():
    system = ToySystem("mueller-brown")
    assert available(system) == ("x:0", "x:1", "reaction-coordinate")
    assert [o.name for o in default_observables(system)] == ["x:0", "x:1"]


def test_the_reaction_coordinate_parts_the_basins():
    """1.45 is where the documented basins of Mueller-Brown part."""
    from tbg_core.contracts.energy import ThermodynamicState
    from tbg_toys.config import MuellerBrownConfig

    system = ToySystem("mueller-brown")
    x = np.random.default_rng(0).uniform([-1.5, -0.5], [1.2, 2.0], size=(200, 2))
    across = parse_observable("reaction-coordinate", system)(x)
    target = MuellerBrown(MuellerBrownConfig()).bind(system, ThermodynamicState())
    import torch

    basin = target.basin(torch.from_numpy(x)).numpy()
    assert len(np.unique(basin)) == 2
    assert np.array_equal(basin == basin[np.argmax(across)], across > 1.45)


def test_states_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"x:0 needs states \[n, d\]"):
        parse_observable("x:0", ToySystem("gaussian"))(np.zeros((3, 4, 3)))
