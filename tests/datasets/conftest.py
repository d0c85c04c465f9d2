"""A simulation of a toy, and of a molecule."""

from __future__ import annotations

import pytest

from tbg_core import api


@pytest.fixture(scope="module")
def toy_simulation(tmp_path_factory):
    return api.simulate(
        system="double-well",
        energy="double-well",
        walkers=3,
        frames=20,
        options={"simulation.block_frames": 8},
        out=tmp_path_factory.mktemp("toy") / "simulation",
    )
