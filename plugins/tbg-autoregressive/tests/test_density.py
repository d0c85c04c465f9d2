"""The density: normalised by quadrature, invariant, one number by sampling and by evaluation, one molecule or many."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from tbg_core.contracts.system import Batch
from tbg_core.molecule import Molecule
from tbg_core.randomness import SampleKeys

WATER = Molecule(
    "water", ("H", "O", "H"), ("H1", "O", "H2"), (0, 0, 0), ("HOH",), ((0, 1), (1, 2)),
    (1.0, 16.0, 1.0), (0, 0, 0), (), np.array([[0.096, 0.0, 0.0], [0.0, 0.0, 0.0], [-0.03, 0.093, 0.0]]),
)  # fmt: skip
PEROXIDE = Molecule(
    "peroxide", ("H", "O", "O", "H"), ("H1", "O1", "O2", "H2"), (0,) * 4, ("HOO",), ((0, 1), (1, 2), (2, 3)),
    (1.0, 16.0, 16.0, 1.0), (0,) * 4, (),
    np.array([[-0.02, 0.095, 0.0], [0.0, 0.0, 0.0], [0.146, 0.0, 0.0], [0.166, -0.03, 0.09]]),
)  # fmt: skip
NODES = 9


def grid(centre: float, width: float, nodes: int = NODES) -> tuple[torch.Tensor, float]:
    """Equidistant nodes over +-4.4 widths: for a normal this rule is exact to 1e-5."""
    points = torch.linspace(-4.4, 4.4, nodes, dtype=torch.float64)
    return centre + width * points, float(points[1] - points[0]) * width


def spread(values: torch.Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std())


def angle(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    u, v = a - b, c - b
    return torch.atan2(torch.linalg.cross(u, v, dim=-1).norm(dim=-1), (u * v).sum(-1))


def test_three_atoms_integrate_to_one(make_model) -> None:
    model = make_model(WATER)
    with torch.no_grad():
        x = model.sample_with_log_prob(SampleKeys.range(1, "w", 0, 2000), WATER).x
        h1, o, h2 = x.unbind(1)
        axes = [grid(*spread(q)) for q in ((h1 - o).norm(dim=-1), (h2 - o).norm(dim=-1), angle(h1, o, h2))]
        r1, r2, t = (m.flatten() for m in torch.meshgrid(*(a for a, _ in axes), indexing="ij"))
        zero = torch.zeros_like(t)
        first = torch.stack([r1, zero, zero], 1)
        last = torch.stack([r2 * torch.cos(t), r2 * torch.sin(t), zero], 1)
        y = torch.stack([first, torch.zeros_like(first), last], 1)
        q = model.log_prob(y, WATER).log_q.exp()
    volume = 8 * math.pi**2 * r1**2 * r2**2 * torch.sin(t) * 3**-1.5
    total = float((q * volume).sum()) * math.prod(h for _, h in axes)
    assert total == pytest.approx(1.0, abs=2e-3)


@pytest.mark.slow
def test_four_atoms_with_a_torsion_integrate_to_one(make_model) -> None:
    model = make_model(PEROXIDE, width=8)
    nodes, turns = 9, 24
    with torch.no_grad():
        x = model.sample_with_log_prob(SampleKeys.range(1, "p", 0, 2000), PEROXIDE).x
        a, b, c, d = x.unbind(1)
        quantities = [(a - b).norm(dim=-1), (b - c).norm(dim=-1), (c - d).norm(dim=-1), angle(a, b, c), angle(b, c, d)]
        axes = [grid(*spread(q), nodes) for q in quantities]
        phi = torch.arange(turns, dtype=torch.float64) * (2 * math.pi / turns)
        total = 0.0
        for r1, r2 in itertools.product(axes[0][0], axes[1][0]):
            r3, t1, t2, p = (m.flatten() for m in torch.meshgrid(*(axes[k][0] for k in (2, 3, 4)), phi, indexing="ij"))
            zero = torch.zeros_like(p)
            first = torch.stack([r1 * torch.cos(t1), r1 * torch.sin(t1), zero], 1)
            third = torch.stack([r2.expand_as(p), zero, zero], 1)
            flat = r3 * torch.sin(t2)
            last = third + torch.stack([-r3 * torch.cos(t2), flat * torch.cos(p), flat * torch.sin(p)], 1)
            y = torch.stack([first, torch.zeros_like(first), third, last], 1)
            q = model.log_prob(y, PEROXIDE).log_q.exp()
            total += float((q * (r1 * r2 * r3) ** 2 * torch.sin(t1) * torch.sin(t2)).sum())
    total *= 8 * math.pi**2 * 4**-1.5 * math.prod(h for _, h in axes) * 2 * math.pi / turns
    assert total == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize("name", ["TW", "PP"])
def test_invariance_and_agreement_of_sampling_and_evaluation(molecule, make_model, name: str) -> None:
    m = molecule(name)
    model = make_model(m)
    with torch.no_grad():
        draws = model.sample_with_log_prob(SampleKeys.range(1, "s", 0, 96), m)
        good = draws.status == 0
        assert good.sum() > 3  # torsions of random weights leave few rings closed
        x, log_q = draws.x[good], draws.log_q[good]
        assert (model.log_prob(x, m).log_q - log_q).abs().max() < 1e-6
        turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64))
        turn = turn * torch.linalg.det(turn)
        moved = x @ turn.T + torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
        assert (model.log_prob(moved, m).log_q - log_q).abs().max() < 1e-6
    assert x.mean(1).abs().max() < 1e-12


def test_gradients_are_those_of_the_density(molecule, make_model, shaken) -> None:
    """Samplers move along them; checked by central differences, with closures of rings."""
    m = molecule("PP")
    model = make_model(m)
    x = torch.from_numpy(shaken(m, 1)).requires_grad_()
    (gradient,) = torch.autograd.grad(model.log_prob(x, m).log_q.sum(), x)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        ends = [model.log_prob(x + s * 1e-6 * direction, m).log_q for s in (1, -1)]
    assert float((ends[0] - ends[1]) / 2e-6) == pytest.approx(float((gradient * direction).sum()), rel=1e-5)
    assert gradient.sum(dim=1).abs().max() < 1e-6 * gradient.abs().max()


def test_a_padded_batch_gives_the_numbers_of_its_molecules(molecule, make_model, shaken) -> None:
    systems = tuple(molecule(n) for n in ("PP", "TW", "SA"))
    model = make_model(*systems)
    longest = max(m.n_atoms for m in systems)
    index = torch.tensor([2, 0, 1, 0, 2])
    x = torch.zeros(5, longest, 3, dtype=torch.float64)
    mask = torch.zeros(5, longest, dtype=torch.bool)
    for row, k in enumerate(index.tolist()):
        n = systems[k].n_atoms
        x[row, :n] = torch.from_numpy(shaken(systems[k], 1, seed=row))[0]
        mask[row, :n] = True
    with torch.no_grad():
        together = model.log_prob_batch(x, Batch(systems, index, mask))
        for row, k in enumerate(index.tolist()):
            alone = model.log_prob(x[row : row + 1, : systems[k].n_atoms], systems[k]).log_q
            assert float(together[row]) == pytest.approx(float(alone), abs=1e-8)


def test_augmentation_relabels_alike_atoms_only(molecule, make_model, shaken) -> None:
    m = molecule("TW")
    model = make_model(m)
    x = torch.from_numpy(shaken(m, 64))
    turned = model.augment(x, Batch.single(m, 64), SampleKeys.range(1, "a", 0, 64))
    changed = (turned != x).any(-1)
    names = {m.atom_names[i] for i in changed.any(0).nonzero().flatten().tolist()}
    assert names == {"H", "H2", "H3", "HG21", "HG22", "HG23", "O", "OXT"} - (
        {"H"} if "H1" in m.atom_names else set()
    ) | ({"H1"} if "H1" in m.atom_names else set())
    assert 0.8 < changed.any(1).double().mean() <= 1.0  # 1 - 1/18 of the rows
    assert torch.equal(turned.sort(dim=1).values, x.sort(dim=1).values)
    # Still the same molecule: what is bonded is bonded, handed as before.
    assert torch.isfinite(model.log_prob(turned, m).log_q).all()


def test_weights_carry_the_predictions(molecule, make_model, shaken) -> None:
    m = molecule("SA")
    first, second = make_model(m), make_model(m, amplitude=0.002)
    x = torch.from_numpy(shaken(m, 4))
    with torch.no_grad():
        before = second.log_prob(x, m).log_q
        second.load_state_dict(first.state_dict())
        assert (before - first.log_prob(x, m).log_q).abs().min() > 1e-3
        assert torch.equal(first.log_prob(x, m).log_q, second.log_prob(x, m).log_q)


def test_molecules_never_seen_fall_back_on_coarser_names(molecule, make_model) -> None:
    known, unknown = molecule("SA"), molecule("PP")
    model = make_model(known)
    topology = model.topology(unknown)
    assert model.predictions.coverage(model.topology(known)) == 1.0
    assert model.predictions.coverage(topology) < 0.9
    with torch.no_grad():
        draws = model.sample_with_log_prob(SampleKeys.range(1, "u", 0, 8), unknown)
    assert torch.isfinite(draws.log_q[draws.status == 0]).all()


def test_a_pair_of_residues_never_seen_together_is_predicted_from_a_middle_look(molecule, make_model) -> None:
    """GS from GA and AS: its fine names were seen by halves, its middle ones all."""
    model = make_model(molecule("GA"), molecule("AS"))
    topology = model.topology(molecule("GS"))
    known = set(model.predictions.keys.tolist())
    assert 0.3 < sum(fine in known for fine, _ in topology.keys.values()) / len(topology.keys) < 0.7
    assert model.predictions.coverage(topology) == 1.0
    plan = model.predictions.plan(topology)
    predicted = {3 * n + q for (n, q), helpers in topology.regressors.items() if helpers}
    assert set(plan.matrix.abs().sum(1).nonzero().flatten().tolist()) == predicted


def test_the_reference_of_an_audit_is_the_same_density_in_float64(make_model) -> None:
    model = make_model(WATER)
    with torch.no_grad():
        draws = model.sample_with_log_prob(SampleKeys.range(2, "w", 0, 50), WATER)
        better = model.reference(None)
        again = better.log_prob(draws.x, WATER).log_q
    assert next(better.heads.parameters()).dtype == torch.float64
    assert float((again - draws.log_q).abs().max()) < 1e-4
