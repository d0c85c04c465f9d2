"""Paths of a molecule, with the autoregressive density that ships."""

from __future__ import annotations

import pytest
import torch

from tbg_core.config.request import make_request
from tbg_core.pipeline.checkpoints import bind_checkpoint, find_checkpoint, load_proposal
from tbg_core.pipeline.components import bind_target, build_system
from tbg_core.randomness import SampleKeys
from tbg_paths.chains import make_moves
from tbg_paths.dynamics import make_dynamics
from tbg_paths.latent import speed_of
from tbg_paths.mapping import map_errors, precise
from tbg_paths.moves import Step
from tbg_paths.regions import parse_region
from tbg_paths.state import PathSpace
from tbg_paths.verb import make_settings

pytest.importorskip("tbg_openmm")
pytest.importorskip("tbg_autoregressive")

FRAMES = 24
ANYWHERE = "psi=0+-180"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """``made(single)``: a space of paths of di-alanine, and two free trajectories of some frames."""
    components = {"system": "AA", "model": "autoregressive", "energy": "openmm"}
    config, _ = make_request(
        config=None,
        overrides={},
        components=components,
        values={"seed": 0},
        out=tmp_path_factory.mktemp("aa") / "out",
        resume=False,
        needs=("system", "model", "energy"),
    )
    system = build_system(config)
    checkpoint = find_checkpoint(config, system)
    config = bind_checkpoint(config, checkpoint)
    shipped = load_proposal(config, checkpoint, system, "cpu")
    settings = make_settings(system, {"start": ANYWHERE, "end": ANYWHERE, "frames": FRAMES})
    region, generator = parse_region(ANYWHERE, system), torch.Generator().manual_seed(0)
    with bind_target(config, system) as target:
        dynamics, x, before = make_dynamics(settings, target), torch.as_tensor(system.reference).double(), None
        now, frames = system.space.project(x.expand(2, -1, -1).clone()), []
        for step in range(200):
            normal = torch.randn(now.shape, generator=generator, dtype=torch.float64)
            now, before = dynamics.forward(now, before, target.energy_and_grad(now)[1].double(), normal), now
            if step >= 200 - FRAMES:
                frames.append(now)

        def make(*, single):
            proposal = shipped if single else precise(shipped)
            space = PathSpace(target, dynamics, region, region, proposal)
            paths = space.begin(torch.stack(frames, dim=1))
            return space, space.with_latent(paths, torch.ones_like(paths.mapped)), settings

        yield make


def test_the_map_of_a_molecule_needs_double_precision(made):
    assert map_errors(*made(single=True)[:2])["log_path_rms"] > 1e-3
    assert map_errors(*made(single=False)[:2])["log_path_rms"] < 1e-6


@pytest.mark.parametrize("name", ["latent-few", "latent-shift", "latent-gp"])
def test_trials_of_a_molecule_have_the_latent_states_and_volumes_of_their_frames(made, name):
    space, paths, settings = made(single=False)
    (move,) = make_moves([name], settings)
    speed = speed_of(paths)
    assert speed is not None
    generators = SampleKeys.range(0, "", 0, 2).generators()
    _, trial = move.propose(space, paths, len(move.scales) - 1, Step(1e-4, speed), generators)
    assert (trial.paths.x != paths.x).any()
    assert torch.isfinite(trial.log_ratio).all()
    again = space.with_latent(space.begin(trial.paths.x), torch.ones_like(paths.mapped))
    torch.testing.assert_close(again.z, trial.paths.z, atol=1e-7, rtol=0)
    torch.testing.assert_close(again.log_det, trial.paths.log_det, atol=1e-7, rtol=0)
