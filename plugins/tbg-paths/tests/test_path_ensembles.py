"""Every move leaves the path ensemble as it is: against transition matrices, free trajectories and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tbg_paths.analysis import _grid
from tbg_paths.chains import Adaptation, advance, make_moves
from tbg_paths.config import elementary
from tbg_paths.grid import GridPaths
from tbg_paths.measures import Passages

FRAMES = 16
SIGMAS = 4.5
"""Deviations of means are compared with their errors; with about fifty comparisons one above is a failure in 3000."""


def sampled(space, x, names, settings, *, steps, burn_in=200, every=2, seed=1):
    """Paths [C, S, L, d] of chains, and the chains' acceptance."""
    moves = make_moves([m for name in names for m in elementary(name)], settings)
    adaptation = Adaptation.begin(moves)
    paths = space.begin(x)
    paths, _ = advance(
        space, paths, moves, adaptation, steps=range(burn_in), stream="burn", seed=seed, wanted=settings.acceptance
    )
    paths, record = advance(
        space, paths, moves, adaptation, steps=range(steps), stream="run", seed=seed, store_every=every
    )
    return np.stack(record.paths, axis=1).astype(float), np.array(record.accepted)


def deviation(values, expected):
    """(mean - expected) in standard errors, of chains [C, S]; the error is that of the chain means."""
    means = values.mean(axis=1)
    return abs(means.mean() - expected) / (means.std(ddof=1) / np.sqrt(len(means)))


def passage_times(space, paths):
    flat = paths.reshape(-1, paths.shape[-1])
    inside = [region.contains(flat).reshape(paths.shape[:3]) for region in (space.start, space.end)]
    return Passages.of(*inside)


def check_against_grid(space, paths):
    grid = GridPaths(space.target, space.start, space.end, space.dynamics.h, np.linspace(-2.2, 2.2, 220))
    marginals, x = grid.marginals(FRAMES), grid.nodes[:, 0]
    for frame in (0, FRAMES // 3, FRAMES // 2, FRAMES - 1):
        for power in (1, 2):
            expected = marginals[frame] @ x**power
            assert deviation(paths[:, :, frame, 0] ** power, expected) < SIGMAS, (frame, power)
    joint, found = grid.passages(FRAMES), passage_times(space, paths)
    index = np.arange(FRAMES)
    assert deviation(found.leaves, joint.sum(axis=1) @ index) < SIGMAS
    assert deviation(found.arrives, joint.sum(axis=0) @ index) < SIGMAS
    short = (index[None] - index[:, None]) <= 3
    assert deviation(found.transition <= 3, (joint * short).sum()) < SIGMAS


@pytest.mark.statistical
@pytest.mark.parametrize(("names", "steps"), [(["latent"], 1000), (["shooting"], 400)], ids=["latent", "shooting"])
def test_overdamped_paths_are_those_of_transition_matrices(well, bent, lines, settings, names, steps):
    space = well(proposal=bent())
    paths, accepted = sampled(space, lines(64, FRAMES), names, settings(), steps=steps)
    assert 0.02 < accepted.mean() < 0.95
    check_against_grid(space, paths)


@pytest.mark.statistical
@pytest.mark.parametrize("inertial", [False, True], ids=["overdamped", "inertial"])
@pytest.mark.parametrize(
    "name",
    ["latent-all", "latent-few", "latent-gp", "latent-shift", "one-way", "two-way", "shift", "latent+shooting"],
)
def test_a_move_keeps_the_ensemble_of_free_trajectories(well, bent, brute, settings, name, inertial):
    """Chains that begin with exact paths stay exact. With inertia the step is large and the friction low.

    What a move does to the mean of a function of the path is compared with zero: without mixing that is sharp.
    """
    dynamics = {"timestep": 0.25, "friction": 0.5} if inertial else {"timestep": 0.04}
    space = well(inertial=inertial, proposal=bent(), **dynamics)
    exact = torch.from_numpy(brute(space, FRAMES, 60_000 if inertial else 400_000)[:2000])
    assert len(exact) > 1000
    moves = make_moves(elementary(name), settings())
    steps = Adaptation.begin(moves)
    steps.log_step[:] = np.log(0.06 if name == "latent-all" else 0.3)
    steps.speed = np.array([0.2])
    paths, record = advance(space, space.begin(exact), moves, steps, steps=range(30), stream="run", seed=4)
    assert np.mean(record.accepted) > 0.002
    before, after = exact.numpy()[..., 0], paths.x.numpy()[..., 0]
    assert (before != after).any(axis=1).mean() > 0.05
    functions = {f"frame {k}": lambda x, k=k: x[:, k] for k in (0, 1, FRAMES // 2, FRAMES - 2, FRAMES - 1)}
    functions |= {f"velocity {k}": lambda x, k=k: x[:, k + 1] - x[:, k] for k in (0, FRAMES // 2, FRAMES - 2)}
    functions["curvature"] = lambda x: np.square(x[:, 2:] - 2 * x[:, 1:-1] + x[:, :-2]).sum(axis=1)
    for what, function in functions.items():
        for power in (1, 2):
            change = function(after) ** power - function(before) ** power
            assert abs(change.mean()) < SIGMAS * change.std() / np.sqrt(len(change)), (what, power)


@pytest.mark.statistical
def test_paths_with_inertia_are_those_of_free_trajectories(well, brute, lines, settings):
    """From straight lines, by shooting alone."""
    space = well(inertial=True, timestep=0.25, friction=0.5)
    expected = brute(space, FRAMES, 1_000_000)[..., 0]
    paths, _ = sampled(space, lines(64, FRAMES), ["shooting"], settings(dynamics="langevin"), steps=300)
    for frame in (0, 1, FRAMES // 2, FRAMES - 1):
        for power in (1, 2):
            known, means = expected[:, frame] ** power, (paths[:, :, frame, 0] ** power).mean(axis=1)
            error = np.hypot(known.std() / np.sqrt(len(known)), means.std(ddof=1) / np.sqrt(len(means)))
            assert abs(means.mean() - known.mean()) < SIGMAS * error, (frame, power)


@pytest.mark.statistical
@pytest.mark.parametrize("names", [["latent"], ["shooting"]], ids=["latent", "shooting"])
@pytest.mark.slow
def test_the_second_coordinate_is_an_exact_autoregressive_process(well, bent, lines, settings, names):
    """It does not know of the first: its variance at frame l follows from Boltzmann's by x' = (1 - h k) x + noise."""
    space = well(dim=2, proposal=bent())
    paths, _ = sampled(space, lines(64, FRAMES, dim=2), names, settings(), steps=600 if names == ["latent"] else 300)
    stiffness = 20.0 / space.target.state.kT
    h, variance = space.dynamics.h, 1.0 / stiffness
    for frame in range(FRAMES):
        if frame in {0, 3, FRAMES - 1}:
            assert deviation(paths[:, :, frame, 1] ** 2, variance) < SIGMAS, frame
        variance = (1 - h * stiffness) ** 2 * variance + 2 * h
    correlation = paths[:, :, 0, 1] * paths[:, :, 1, 1]
    assert deviation(correlation, (1 - h * stiffness) / stiffness) < SIGMAS
    check_against_grid(well(), paths[..., :1])


def test_the_grid_of_a_report_resolves_the_edges_of_the_states(well, settings):
    """Its mean transition time is that of a finer grid, but for a percent."""
    space = well()
    found = _grid(space.target, settings(), space.start, space.end, {"x": np.array([[[-1.9], [1.9]]])})
    fine = GridPaths(space.target, space.start, space.end, space.dynamics.h, np.linspace(-2.7, 2.7, 1531))
    assert found is not None
    means = [(grid.passages(FRAMES) * -np.subtract.outer(*[np.arange(FRAMES)] * 2)).sum() for grid in (found, fine)]
    assert abs(means[0] / means[1] - 1) < 0.015


def test_free_trajectories_and_transition_matrices_agree(well, brute):
    """The two references of these tests, against each other."""
    space = well()
    grid = GridPaths(space.target, space.start, space.end, space.dynamics.h, np.linspace(-2.2, 2.2, 220))
    paths = brute(space, FRAMES, 200_000)
    found = passage_times(space, paths[None])
    middle = paths[:, FRAMES // 2, 0]
    assert (
        abs(middle.mean() - grid.marginals(FRAMES)[FRAMES // 2] @ grid.nodes[:, 0])
        < SIGMAS * middle.std() / len(middle) ** 0.5
    )
    leaves = found.leaves[0]
    expected = grid.passages(FRAMES).sum(axis=1) @ np.arange(FRAMES)
    assert abs(leaves.mean() - expected) < SIGMAS * leaves.std() / len(leaves) ** 0.5
