"""Moves by themselves: free motion is kept whole, and step sizes follow the speed of latent coordinates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tbg_core.randomness import SampleKeys
from tbg_paths.chains import make_moves
from tbg_paths.initial import typical
from tbg_paths.latent import LatentGP, speed_of
from tbg_paths.mapping import map_errors, precise
from tbg_paths.measures import centre, effective_size, r_hat
from tbg_paths.moves import Step
from tbg_paths.state import Paths

FRAMES = 16
EVERYWHERE = {"start": "x:0=0+-1e6", "end": "x:0=0+-1e6"}


@pytest.mark.parametrize("inertial", [False, True], ids=["overdamped", "inertial"])
@pytest.mark.parametrize("name", ["latent-few", "latent-shift", "shift"])
@pytest.mark.parametrize("size", [0.3, 100.0])
def test_free_motion_is_kept_whole(well, bent, settings, inertial, name, size):
    """Without forces every trial that a move makes of free motion has the ratio one, however far it goes."""
    space = well(inertial=inertial, proposal=bent(bend=0.0), barrier=1e-13, **EVERYWHERE)
    h, dynamics = space.dynamics.h, space.dynamics
    speed = torch.tensor([h if inertial else (2 * h) ** 0.5], dtype=torch.float64)
    (move,) = make_moves([name], settings())
    rng = np.random.default_rng(0)
    paths = space.begin(torch.from_numpy(rng.standard_normal((64, FRAMES, 1)).cumsum(axis=1)))
    for scale in range(len(move.scales)):
        generators = SampleKeys.range(0, f"{scale}", 0, 64).generators()
        before, trial = move.propose(space, paths, scale, Step(size, speed), generators)
        changed = (trial.paths.x != before.x).flatten(1).any(dim=1)
        assert changed.all()
        scale_of = dynamics.log_path(before.x, before.u, before.g).abs()
        assert (trial.log_ratio.abs() < 1e-9 * (1 + scale_of)).all(), (scale, trial.log_ratio)


@pytest.mark.parametrize("name", ["latent-shift", "shift"])
def test_a_shift_moves_the_path_along_itself(well, bent, lines, settings, name):
    space = well(proposal=bent(), **EVERYWHERE)
    (move,) = make_moves([name], settings())
    paths = space.begin(lines(32, FRAMES))
    step = Step(1.0, torch.full((1,), 0.2, dtype=torch.float64))
    for scale in range(len(move.scales)):
        _, trial = move.propose(space, paths, scale, step, SampleKeys.range(0, f"{scale}", 0, 32).generators())
        for old, new in zip(paths.x[..., 0], trial.paths.x[..., 0], strict=True):
            kept = [k for k in range(1, FRAMES // 2 + 1) if (new[:-k] == old[k:]).all() or (new[k:] == old[:-k]).all()]
            assert len(kept) == 1
            assert name == "shift" or kept[0] == move.scales[scale]


def test_speeds_are_those_of_the_coordinates_and_not_of_jumps():
    rng = np.random.default_rng(1)
    speeds = np.array([0.01, 1.0, 30.0])
    z = torch.from_numpy((rng.standard_normal((8, 400, 3)) * speeds).cumsum(axis=1))
    z[:, 100:, 0] += 8.0
    zeros = torch.zeros(8, 400, dtype=torch.float64)
    paths = Paths(z, zeros, z, z, zeros, torch.ones(8, 400, dtype=torch.bool))
    found = speed_of(paths)
    assert found is not None
    np.testing.assert_allclose(found.numpy(), speeds, rtol=0.06)
    assert speed_of(Paths(z, zeros, z, z, zeros, torch.arange(400).expand(8, 400) % 2 == 0)) is None


def test_smooth_noise_is_small_for_fast_coordinates(well):
    speed = torch.tensor([0.1, 1.0], dtype=torch.float64)
    z, normal = torch.zeros(FRAMES, 2, dtype=torch.float64), torch.ones(FRAMES, 2, dtype=torch.float64)
    moved, _ = LatentGP(FRAMES).moved(well(dim=2), z, slice(0, FRAMES), 0, Step(0.5, speed), normal)
    torch.testing.assert_close(moved[:, 0], 10 * moved[:, 1])
    assert (moved > 0).all()


def test_effective_size_and_agreement_of_known_chains():
    rng = np.random.default_rng(0)
    keep = 0.8
    x = np.zeros((16, 4000))
    for i in range(1, 4000):
        x[:, i] = keep * x[:, i - 1] + np.sqrt(1 - keep**2) * rng.standard_normal(16)
    assert abs(effective_size(x) / (x.size * (1 - keep) / (1 + keep)) - 1) < 0.1
    assert r_hat(x) < 1.01
    noise = rng.standard_normal((16, 500))
    apart = noise + 10 * rng.standard_normal((16, 1))
    drifting = noise + np.linspace(-5, 5, 500)
    assert effective_size(apart) < 32
    assert effective_size(drifting) < 40
    assert r_hat(apart) > 2
    assert r_hat(drifting) > 1.3
    assert effective_size(np.ones((4, 100))) == 0.0
    assert np.isnan(r_hat(np.ones((4, 100))))


def test_a_map_that_is_not_its_own_inverse_is_found_out_and_mended(well, bent, lines):
    class Rough(bent):
        """Frames come back rounded, as from a network in single precision."""

        def from_latent(self, z, system, condition=None):
            exact = super().from_latent(z, system)
            return self._moved((exact.x * 20).round() / 20, exact.log_det)

        def reference(self, integrator):
            return bent()

    def error(proposal):
        space = well(proposal=proposal)
        paths = space.begin(lines(3, FRAMES) + 1e-3)
        return map_errors(space, space.with_latent(paths, torch.ones(3, FRAMES, dtype=torch.bool)))

    assert error(Rough())["log_path_rms"] > 1e-3
    for exact in (bent(), precise(Rough())):
        found = error(exact)
        assert found["log_path_rms"] < 1e-9
        assert found["log_det_rms"] < 1e-9
        assert found["chains_off_the_model"] == 0


def test_the_centre_of_angles_is_that_of_the_circle():
    np.testing.assert_allclose(centre(np.array([170.0, -170.0, 180.0]), 360.0), (180.0, 10.0))
    np.testing.assert_allclose(centre(np.array([170.0, -170.0, 180.0]) + 20.0, 360.0), (-160.0, 10.0))
    np.testing.assert_allclose(centre(np.array([1.0, 3.0]), None), (2.0, 2**0.5))


def test_chains_that_are_still_hot_begin_from_others(well, lines):
    space, rng = well(), np.random.default_rng(0)
    paths = space.begin(lines(6, FRAMES) + torch.from_numpy(0.01 * rng.standard_normal((6, 1, 1))))
    same, count = typical(paths)
    assert count == 0
    assert (same.x == paths.x).all()
    heated = space.begin(paths.x * torch.tensor([1.0, 3.0, 1.0, 1.0, 4.0, 1.0]).view(-1, 1, 1))
    mended, count = typical(heated)
    assert count == 2
    assert (mended.x[[0, 2, 3, 5]] == heated.x[[0, 2, 3, 5]]).all()
    assert (mended.x[[1, 4]] == heated.x[[0, 2]]).all()
    assert (mended.u[[1, 4]] == heated.u[[0, 2]]).all()
