"""Random numbers that are drawn piece by piece are those drawn at once."""

from __future__ import annotations

import pytest
import torch

from tbg_core.randomness import SampleKeys


@pytest.mark.parametrize("chunk", [1, 3, 64])
def test_normals_one_after_the_other_are_those_drawn_at_once(chunk):
    keys = SampleKeys.range(4, "noise", 10, 13)
    at_once = keys.normal((7, 2, 3))
    piecewise = torch.stack(list(keys.normals(7, (2, 3), chunk=chunk)), dim=1)
    assert torch.equal(piecewise, at_once)
    alone = SampleKeys.range(4, "noise", 12, 13)
    assert torch.equal(torch.stack(list(alone.normals(7, (2, 3), chunk=chunk)), dim=1)[0], at_once[2])
    assert not list(keys.normals(0, (2,)))
