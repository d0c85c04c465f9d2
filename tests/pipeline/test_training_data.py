"""Which frames are trained on: whole walkers held out, rare regions raised, batches that are functions of the step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tbg_core.datasets import load_data
from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import RecordedSystem
from tbg_core.errors import ConfigError
from tbg_core.training.data import Frames, TrainingData, merge_frames, oversampling_weights

PLANE = RecordedSystem("plane", "p1a4e", (2,), 2)
SMALL, LARGE = (RecordedSystem(f"chain-{n}", f"c{n}", (n, 3), 3 * n - 3) for n in (7, 8))


def frames(walkers, per_walker=10, system=PLANE, weights=None):
    walker = np.repeat(np.arange(walkers), per_walker)
    # Each frame holds its own number, plus one: zeros are padding.
    number = 1.0 + np.arange(len(walker), dtype=np.float32)
    shape = (len(walker), *(1 for _ in system.space.event_shape))
    positions = np.broadcast_to(number.reshape(shape), (len(walker), *system.space.event_shape)).copy()
    return Frames(system, positions, walker, weights)


@pytest.mark.parametrize(
    ("walkers", "fraction", "held_out"),
    [(4, 0.1, [3]), (4, 0.25, [3]), (4, 0.5, [2, 3]), (10, 0.3, [7, 8, 9]), (2, 0.9, [1]), (3, 0.99, [1, 2])],
)
def test_whole_walkers_are_held_out(walkers, fraction, held_out):
    training, validation = frames(walkers).split(fraction)
    assert sorted(set(validation.walker)) == held_out
    assert sorted(set(training.walker)) == [w for w in range(walkers) if w not in held_out]
    assert len(training.positions) + len(validation.positions) == 10 * walkers


@pytest.mark.parametrize(("count", "fraction", "kept"), [(10, 0.1, 9), (10, 0.25, 8), (100, 0.5, 50), (10, 0.99, 1)])
def test_the_end_of_a_single_walker_is_held_out(count, fraction, kept):
    training, validation = frames(1, count).split(fraction)
    assert training.positions[:, 0].tolist() == list(range(1, kept + 1))
    assert validation.positions[:, 0].tolist() == list(range(kept + 1, count + 1))


@pytest.mark.parametrize(("walkers", "count", "fraction"), [(4, 10, 0.0), (1, 4, 0.1), (1, 1, 0.9)])
def test_nothing_is_held_out_where_nothing_is_asked_for_or_there_is_too_little(walkers, count, fraction):
    given = frames(walkers, count)
    training, validation = given.split(fraction)
    assert validation is None
    assert training is given


def test_weights_stay_normalised_on_either_side():
    weights = np.arange(1.0, 41.0)
    training, validation = frames(4, weights=weights / weights.sum()).split(0.25)
    np.testing.assert_allclose(training.weights, np.arange(1.0, 31.0) / np.arange(1.0, 31.0).sum())
    np.testing.assert_allclose(validation.weights, np.arange(31.0, 41.0) / np.arange(31.0, 41.0).sum())


def test_a_batch_is_a_function_of_seed_and_step():
    data, again = TrainingData([frames(3)]), TrainingData([frames(3)])
    again.batch(1, 6, 32)  # what was drawn before plays no part
    x, batch = data.batch(1, 7, 32)
    assert x.dtype == torch.float32
    assert torch.equal(x, again.batch(1, 7, 32)[0])
    assert not torch.equal(x, data.batch(1, 8, 32)[0])
    assert not torch.equal(x, data.batch(2, 7, 32)[0])
    assert batch.systems == (PLANE,)
    assert batch.index.tolist() == [0] * 32


@pytest.mark.statistical
def test_frames_are_drawn_as_often_as_their_weights_say():
    weights = np.array([0.0, 0.1, 0.2, 0.7])
    data = TrainingData([frames(1, 4, weights=weights)])
    drawn = data.batch(0, 0, 20000)[0][:, 0].numpy().astype(int) - 1
    share = np.bincount(drawn, minlength=4) / len(drawn)
    assert share[0] == 0.0
    # Five standard deviations of a multinomial: a false alarm in a million.
    assert (np.abs(share - weights) <= 5 * np.sqrt(weights * (1 - weights) / len(drawn))).all(), share
    uniform = np.bincount(TrainingData([frames(1, 4)]).batch(0, 0, 20000)[0][:, 0].int().numpy() - 1) / 20000
    assert (np.abs(uniform - 0.25) <= 5 * np.sqrt(0.25 * 0.75 / 20000)).all(), uniform


def test_constants_are_fitted_to_what_is_drawn():
    weights = np.array([0.0, 0.5, 0.25, 0.25])
    f = frames(1, 4, weights=weights)
    assert f.drawn()[:, 0].tolist() == [2.0, 2.0, 3.0, 4.0]  # each frame holds its number, plus one
    assert np.array_equal(frames(1, 4).drawn(), frames(1, 4).positions)
    assert f.drawn(2)[:, 0].tolist() == [2.0, 3.0]


@pytest.mark.statistical
def test_systems_have_equal_shares_and_small_ones_are_padded():
    # The larger data set is not drawn more often.
    data = TrainingData([frames(1, 500, SMALL), frames(1, 7, LARGE)])
    x, batch = data.batch(0, 3, 4000)
    assert x.shape == (4000, 8, 3)
    of_large = batch.index == 1
    assert abs(float(of_large.float().mean()) - 0.5) < 5 * 0.5 / 4000**0.5
    assert batch.mask[of_large].all()
    assert batch.mask[~of_large].sum(dim=1).unique().tolist() == [7]
    assert (x[~batch.mask] == 0).all()
    assert (x[batch.mask] > 0).all()


def test_a_batch_holds_systems_of_about_one_size():
    sizes = (30, 7, 31, 8, 60, 33)
    systems = [RecordedSystem(f"chain-{n}", f"c{n}", (n, 3), 3 * n - 3) for n in sizes]
    data = TrainingData([frames(1, 5, s) for s in systems])
    assert [[sizes[i] for i in bucket] for bucket in data.buckets] == [[7, 8], [30, 31, 33], [60]]
    count = np.zeros(len(sizes))
    for step in range(600):
        x, batch = data.batch(1, step, 4)
        names = [batch.systems[i].name for i in batch.index.tolist()]
        assert x.shape[1] == max(s.space.event_shape[0] for s in batch.systems)
        for name in names:
            count[[s.name for s in systems].index(name)] += 1
    # Equal shares in the long run; rows of a batch share a bucket, so that the error is that of 600 draws.
    assert (np.abs(count / 2400 - 1 / 6) < 5 * np.sqrt(1 / 6 * 5 / 6 / 600)).all(), count


@pytest.mark.parametrize("given", [[], [frames(0)], [frames(2), frames(0, system=SMALL)]])
def test_no_frames_are_refused(given):
    with pytest.raises(ConfigError, match="no training frames"):
        TrainingData(given)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_rare_region_gets_the_share_that_was_asked_for(share):
    # Mostly at -1.5, one in a hundred at 1: the added weight lies in the window around 1.
    rng = np.random.default_rng(0)
    phi = np.where(rng.random(20000) < 0.01, 1.0, -1.5) + 0.1 * rng.standard_normal(20000)
    weights = oversampling_weights(phi, centre=1.0, kappa=10.0, share=share)
    assert weights.sum() == pytest.approx(1.0)
    rare = phi > 0
    assert weights[rare].sum() == pytest.approx(share + (1 - share) * rare.mean(), abs=0.02)
    assert weights.min() > 0
    turned = oversampling_weights(phi + 2 * np.pi, centre=1.0, kappa=10.0, share=share)
    np.testing.assert_allclose(turned, weights, rtol=1e-9)


def test_a_region_that_was_never_visited_leaves_the_weights_even():
    weights = oversampling_weights(np.full(50, 1.0 - np.pi), centre=1.0, kappa=1000.0, share=0.5)
    np.testing.assert_allclose(weights, 1 / 50)


def test_samples_of_a_model_are_drawn_by_their_truncated_weights(tmp_path):
    n = 400
    x = np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)
    u = np.zeros(n)
    u[3] = -8.0
    valid = np.arange(n) != 5
    ensemble = Ensemble(
        PLANE, 300.0, x, np.zeros(n), u, valid, log_q_err=np.zeros(n), status=np.where(valid, 0, 3).astype(np.int64)
    )
    ensemble.save(tmp_path / "runs" / "plane")
    for folder in (tmp_path / "runs", tmp_path / "runs" / "plane"):
        (found,) = load_data(folder, training=True)
        assert len(found.positions) == n - 1
        assert found.weights.sum() == pytest.approx(1.0)
        np.testing.assert_array_equal(found.positions, x[valid])
    mean = (np.exp(8.0) + n - 2) / n
    assert found.weights[3] / found.weights[0] == pytest.approx(np.sqrt(n) * mean)
    mild = np.zeros(n)
    mild[3] = -2.0
    ensemble.with_energy(mild, 300.0).save(tmp_path / "mild")
    (found,) = load_data(tmp_path / "mild")
    assert found.weights[3] / found.weights[0] == pytest.approx(np.exp(2.0))


def test_folders_share_the_draws_by_their_effective_numbers_of_frames():
    weights = np.array([1.0, 1.0, 2.0]) / 4.0
    (joined,) = merge_frames([frames(2, 2), frames(1, 3, weights=weights)])
    n_eff = 1.0 / (weights @ weights)
    assert joined.weights[:4].sum() == pytest.approx(4 / (4 + n_eff))
    np.testing.assert_allclose(joined.weights[4:] / joined.weights[4:].sum(), weights)
    assert sorted(set(joined.walker)) == [0, 1, 2]
    (joined,) = merge_frames([frames(2, 2), frames(1, 3)])
    assert joined.weights is None


def test_a_window_that_few_frames_reach_gets_less_than_its_share():
    """Else half of the draws would be the frames nearest to a region that the simulation never reached."""
    # As phi of a simulation that stays negative: the bump (centre 1, kappa 10) is 1e-5 where it is largest.
    phi = np.linspace(-2.8, -0.2, 2000)
    never = oversampling_weights(phi[phi < -0.8], centre=1.0, kappa=10.0, share=0.5)
    assert never.max() / never.min() < 1.5
    one = oversampling_weights(np.append(np.full(999, -2.0), 1.0), centre=1.0, kappa=10.0, share=0.5)
    assert one[-1] == pytest.approx(1 / 11, rel=0.02)  # ten such frames would have the half
    ten = oversampling_weights(np.append(np.full(990, -2.0), np.full(10, 1.0)), centre=1.0, kappa=10.0, share=0.5)
    assert ten[-10:].sum() == pytest.approx(0.5 + 0.5 * 0.01, abs=0.001)


def test_a_window_is_laid_over_weights():
    rng = np.random.default_rng(1)
    phi = np.where(rng.random(4000) < 0.1, 1.0, -2.0)
    given = rng.random(4000)
    given /= given.sum()
    weights = oversampling_weights(phi, centre=1.0, kappa=10.0, share=0.5, weights=given)
    rare = phi > 0
    assert weights[rare].sum() == pytest.approx(0.5 + 0.5 * given[rare].sum(), rel=1e-6)
    np.testing.assert_allclose(weights[rare] / given[rare], weights[rare][0] / given[rare][0])
    alike = oversampling_weights(phi, centre=1.0, kappa=10.0, share=0.5, weights=np.full(4000, 1 / 4000))
    np.testing.assert_allclose(alike, oversampling_weights(phi, centre=1.0, kappa=10.0, share=0.5), rtol=1e-12)
