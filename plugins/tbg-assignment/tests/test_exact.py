"""Everything against the enumeration of all labellings: targets, sampling, reweighting, likelihoods."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from tbg_assignment.config import LabelSamplerConfig, LabelTableConfig, PottsConfig
from tbg_assignment.conformance import flow, label_system
from tbg_assignment.distributions import Table, all_labels, enumerate_labels
from tbg_assignment.embedding import Embedding, ball_width, labels_of
from tbg_assignment.exact_field import ExactField
from tbg_assignment.likelihood import likelihoods, narrow_width
from tbg_assignment.sampler import LabelSampler
from tbg_assignment.target import LabelTable, Potts
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.contracts.system import Logits
from tbg_core.randomness import SampleKeys

KT = ThermodynamicState(300.0).kT


def potts(text, **options):
    return Potts(PottsConfig(**options)).bind(label_system(text), ThermodynamicState(300.0))


def exact_flow(distribution, **options):
    """The flow that a perfect training would give."""
    return flow(ExactField(distribution), **options)


@pytest.fixture(scope="module")
def chain():
    return potts("potts-chain:3x3")


def test_partition_functions_by_hand():
    """Two variables on a chain: energies written out; an open chain without field: c (e^K + c - 1)^(n-1)."""
    k, h = 2.0 / KT, 0.5 / KT
    by_hand = np.exp(2 * h + k) + np.exp(k) + 2 * np.exp(h)
    assert potts("potts-chain:2x2").reference_values["log_z"] == pytest.approx(np.log(by_hand), abs=1e-13)
    no_field = potts("potts-chain:5x4", coupling=3.0, field=0.0)
    transfer = np.log(4) + 4 * np.log(np.exp(3.0 / KT) + 3)
    assert no_field.reference_values["log_z"] == pytest.approx(transfer, abs=1e-12)
    assert no_field.distribution.agreement(1, 2) == pytest.approx(np.exp(3.0 / KT) / (np.exp(3.0 / KT) + 3))


def test_a_grid_by_transfer_matrices():
    """3 rows of 3 Ising-like variables, row by row."""
    target, k, h = potts("potts-grid:3x3x2"), 2.0 / KT, 0.5 / KT
    rows = np.array(list(itertools.product(range(2), repeat=3)))
    inside = k * (rows[:, :-1] == rows[:, 1:]).sum(axis=1) + h * (rows == 0).sum(axis=1)
    between = np.exp(k * (rows[:, None] == rows[None]).sum(axis=2))
    state = np.exp(inside)
    for _ in range(2):
        state = (state @ between) * np.exp(inside)
    assert target.reference_values["log_z"] == pytest.approx(np.log(state.sum()), abs=1e-12)


@pytest.mark.parametrize("text", ["potts-random:4x3:7", "potts-grid:2x2x3"])
def test_marginals_and_pairs_are_sums_over_labellings(text):
    target = potts(text)
    n, c = target.system.space.event_shape
    labels = np.array(list(itertools.product(range(c), repeat=n)))
    p = np.exp(-target.label_energy(labels))
    p /= p.sum()
    for i, a in itertools.product(range(n), range(c)):
        assert target.distribution.marginals[i, a] == pytest.approx(p[labels[:, i] == a].sum(), abs=1e-14)
    both = p[(labels[:, 2] == 1) & (labels[:, 0] == 0)].sum()
    assert target.distribution.pair(2, 0)[1, 0] == pytest.approx(both, abs=1e-14)
    assert target.distribution.pair(0, 2)[0, 1] == pytest.approx(both, abs=1e-14)


def test_too_many_labellings_are_not_enumerated():
    assert enumerate_labels(21, 2, lambda labels: np.zeros(len(labels))) is None
    assert potts("potts-chain:30x3").reference_values == {}


@pytest.mark.parametrize(("classes", "radius", "width"), [(2, 1.0, 1.0), (3, 1.5, 2.0), (5, 3.0, 0.7)])
def test_the_density_in_a_cone_is_normalised(classes, radius, width):
    """The uncut Gaussian lies in the cone as often as the normaliser says; drawn states all do."""
    space = Logits(1, classes)
    embedding = Embedding(space, radius, width)
    rng = np.random.default_rng(5)
    n = 200_000
    states = embedding.centres(torch.zeros(n, 1, dtype=torch.int64)) + width * space.project(
        torch.from_numpy(rng.standard_normal((n, 1, classes)))
    )
    share, expected = float((labels_of(states) == 0).double().mean()), float(np.exp(embedding.log_cone))
    assert abs(share - expected) < 4.5 * np.sqrt(expected * (1 - expected) / n)
    drawn = torch.from_numpy(embedding.draw(np.full((1000, 1), 1), rng))
    assert (labels_of(drawn) == 1).all()
    assert drawn.sum(dim=-1).abs().max() < 1e-12


def test_the_extended_target_has_the_partition_function_of_the_labels():
    """The integral of exp(-u) over a plane of logits, by a grid; wide cones, so that every cut counts."""
    target = potts("potts-chain:2x2", radius=1.0, width=1.0)
    ticks = torch.linspace(-9.0, 9.0, 1200, dtype=torch.float64)
    y = torch.cartesian_prod(ticks, ticks)
    x = torch.stack([y, -y], dim=-1) / np.sqrt(2.0)
    total = torch.exp(-target.reduced_energy(x)).sum() * (ticks[1] - ticks[0]) ** 2
    assert float(total.log()) == pytest.approx(target.reference_values["log_z"], abs=2e-5)


def test_exact_samples_have_the_exact_marginals(chain):
    block = LabelSampler(LabelSamplerConfig()).bind(chain)
    n = 20_000
    labels = labels_of(torch.from_numpy(block.advance(block.start(0, [0]), n, 0, [0], 0).positions[0])).numpy()
    for i, row in enumerate(chain.distribution.marginals):
        found = np.bincount(labels[:, i], minlength=3) / n
        assert (np.abs(found - row) < 4.5 * np.sqrt(row * (1 - row) / n)).all()


def test_the_exact_field_samples_the_extended_target(chain):
    """Its flow at T with unit width is the target up to the cut: all weights are equal, log Z is exact."""
    model = exact_flow(chain.distribution)
    with torch.no_grad():
        draws = model.sample_with_log_prob(SampleKeys.range(1, "exact", 0, 200), chain.system)
    log_w = -chain.reduced_energy(draws.x) - draws.log_q
    assert log_w.std() < 2e-3
    assert float(log_w.mean()) == pytest.approx(chain.reference_values["log_z"], abs=1e-3)


def test_a_wrong_model_is_reweighted_to_the_exact_averages():
    """The flow of independent fair variables, weighted for a chain that they know nothing of."""
    target = potts("potts-chain:3x2")
    fair = Table(np.zeros((2, 2, 2)))
    n = 1500
    with torch.no_grad():
        draws = exact_flow(fair, steps=40).sample_with_log_prob(SampleKeys.range(3, "fair", 0, n), target.system)
    w = torch.exp(-target.reduced_energy(draws.x) - draws.log_q).numpy()
    error = w.std() / np.sqrt(n)
    assert abs(w.mean() - np.exp(target.reference_values["log_z"])) < 4.5 * error
    labels = labels_of(draws.x).numpy()
    assert abs((labels == 0).mean() - 0.5) < 4.5 * 0.5 / np.sqrt(3 * n)  # the model itself is fair
    for i, j in ((0, 1), (0, 2)):
        agree = (labels[:, i] == labels[:, j]).astype(float)
        estimate = (w * agree).sum() / w.sum()
        spread = np.sqrt((w**2 * (agree - estimate) ** 2).sum()) / w.sum()
        exact = target.distribution.agreement(i, j)
        assert abs(estimate - exact) < 4.5 * spread
        assert abs(0.5 - exact) > 4.5 * spread  # unweighted it would be found out


@pytest.mark.parametrize("text", ["coupled-binary", "potts-chain:3x3"])
def test_likelihoods_of_the_exact_field_are_the_probabilities(text):
    """Within the stated errors, which are small; and they sum to one."""
    system = label_system(text)
    table = system.distribution if text == "coupled-binary" else potts(text).distribution
    labels = all_labels(table.variables, table.classes)
    found = likelihoods(exact_flow(table), system, labels, draws=32, seed=2)
    exact = np.log(table.probabilities.reshape(-1))
    assert (found.log_p_err < 0.35).all()
    deviation = (found.unbiased - exact) / found.log_p_err
    assert np.abs(deviation).max() < 4.5
    assert 0.3 < np.sqrt((deviation**2).mean()) < 2.0  # neither too small nor too large an error
    p = np.exp(found.log_p)
    assert abs(p.sum() - 1) < 4.5 * np.sqrt(((p * found.log_p_err) ** 2).sum())
    assert found.bits_per_variable @ table.probabilities.reshape(-1) * table.variables == pytest.approx(
        -(table.probabilities * np.log2(table.probabilities)).sum(), abs=0.1
    )


def test_likelihood_of_a_flow_that_is_stopped_early_is_what_it_draws():
    """At T = 1 cones overlap: probabilities differ from mu, and agree with the frequencies of 4,000 draws."""
    system = label_system("coupled-binary")
    model = exact_flow(system.distribution, t_end=1.0, steps=12)
    found = likelihoods(model, system, all_labels(2, 2), draws=500, seed=1)
    n = 4000
    with torch.no_grad():
        x = model.sample_with_log_prob(SampleKeys.range(0, "early", 0, n), system).x
    number = labels_of(x) @ torch.tensor([2, 1])
    frequency = np.bincount(number.numpy(), minlength=4) / n
    p = np.exp(found.log_p)
    error = np.sqrt(frequency * (1 - frequency) / n + (p * found.log_p_err) ** 2)
    assert (np.abs(p - frequency) < 4.5 * error).all()
    assert np.abs(p - system.distribution.probabilities.reshape(-1)).max() > 6 * error.max()


def test_without_rounding_early_states_are_labelled_at_random():
    """softmax of N(T v^, I) averages to less than one; at large T rounding changes nothing."""
    system = label_system("coupled-binary")
    labels = all_labels(2, 2)
    early = exact_flow(system.distribution, t_end=1.0, steps=12)
    hard, soft = (likelihoods(early, system, labels, draws=400, soft=s) for s in (False, True))
    assert abs(np.exp(soft.log_p).sum() - 1) < 0.1
    assert np.exp(soft.log_p)[1] > np.exp(hard.log_p)[1] + 0.01
    late = exact_flow(system.distribution)
    hard, soft = (likelihoods(late, system, labels, draws=32, soft=s) for s in (False, True))
    assert np.abs(hard.log_p - soft.log_p).max() < 1e-3


def test_states_of_a_labelling_do_not_depend_on_the_others(monkeypatch):
    system = label_system("coupled-binary")
    model = exact_flow(system.distribution)
    every = likelihoods(model, system, all_labels(2, 2), draws=16, seed=4)
    one = likelihoods(model, system, np.array([[1, 0]]), draws=16, seed=4)
    assert one.log_p[0] == pytest.approx(every.log_p[2], abs=1e-9)
    monkeypatch.setattr("tbg_assignment.likelihood.BLOCK", 8)  # fewer than the states of one labelling
    assert likelihoods(model, system, all_labels(2, 2), draws=16, seed=4).log_p == pytest.approx(every.log_p, abs=1e-9)


def test_widths_of_the_proposal():
    """A share of the mass lies in the ball of the cone; the narrow weights have one variance in any dimension."""
    space = Logits(1, 3)
    s = ball_width(space, 10.0, 0.65)
    ball = 10.0 * np.sqrt(3.0 / 4.0)
    draws = s * np.random.default_rng(0).standard_normal((100_000, 2))
    assert abs((np.linalg.norm(draws, axis=1) < ball).mean() - 0.65) < 0.01
    for dim in (12, 636):
        v = narrow_width(dim) ** 2
        assert 0.15 < dim * (np.log(v) - 0.5 * np.log(2 * v - 1)) < 0.35


def test_tables_say_nothing_of_temperature():
    system = label_system("pinwheel:5")
    cold, hot = (LabelTable(LabelTableConfig()).bind(system, ThermodynamicState(t)) for t in (100.0, 900.0))
    labels = all_labels(2, 5)
    assert np.array_equal(cold.label_energy(labels), hot.label_energy(labels))
    assert np.exp(-cold.label_energy(labels)).sum() == pytest.approx(1.0, abs=1e-12)
