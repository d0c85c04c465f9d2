from __future__ import annotations

import pytest
import torch

from tbg_core.contracts.integrator import Status
from tbg_core.contracts.system import Batch
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, HutchinsonConfig, QuadratureConfig
from tbg_core.flows.hutchinson import Hutchinson
from tbg_core.flows.quadrature import Quadrature
from tbg_core.randomness import SampleKeys
from tbg_solvers.adaptive import Dopri5
from tbg_solvers.config import Dopri5Config, EulerConfig, HeunConfig, RK4Config
from tbg_solvers.fixed import RK4, Euler, Heun

MATRIX = torch.tensor([[0.5, -1.2, 0.3], [0.8, -0.4, 0.1], [-0.2, 0.6, 0.35]], dtype=torch.float64)
SHIFT = torch.tensor([0.3, -0.1, 0.7], dtype=torch.float64)
AUGMENTED = Augmented(AugmentedConfig())

INTEGRATORS = {
    # name: (integrator, error allowed in log q)
    "euler": (Euler(EulerConfig(steps=500)), 1e-2),
    "heun": (Heun(HeunConfig(steps=200)), 1e-4),
    "rk4": (RK4(RK4Config(steps=50)), 1e-7),
    "dopri5": (Dopri5(Dopri5Config(rtol=1e-9, atol=1e-9)), 1e-7),
}
RULES = {
    "augmented": AUGMENTED,
    "quadrature-15": Quadrature(QuadratureConfig(nodes=15)),
    "quadrature-21": Quadrature(QuadratureConfig(nodes=21)),
    "quadrature-31": Quadrature(QuadratureConfig(nodes=31, max_rows=40)),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_linear_flows_have_their_analytic_density(toys, integrator, rule):
    """dx/dt = A x + b takes N(0, I) to N(m, E E^T) with E = e^A and m = A^-1 (E - I) b."""
    solver, tolerance = INTEGRATORS[integrator]
    system = toys.euclidean(3)
    proposal = toys.flow(toys.LinearField(MATRIX, SHIFT), RULES[rule], tolerance=solver)
    E = torch.linalg.matrix_exp(MATRIX)
    mean = torch.linalg.solve(MATRIX, (E - torch.eye(3, dtype=torch.float64)) @ SHIFT)
    exact = torch.distributions.MultivariateNormal(mean, E @ E.T)
    with torch.no_grad():
        draws = proposal.sample_with_log_prob(SampleKeys.range(3, "test", 0, 16), system)
        again = proposal.log_prob(draws.x, system)
    for found in (draws, again):
        assert found.log_q.dtype == torch.float64
        assert (found.status == Status.OK).all()
        torch.testing.assert_close(found.log_q, exact.log_prob(draws.x), rtol=0, atol=tolerance)


@pytest.mark.parametrize("backward", [False, True])
def test_quadrature_agrees_with_augmented_and_states_its_error(toys, backward):
    field, batch = toys.PairField(1.5).double(), Batch.single(toys.atoms(6), 24)
    keys = SampleKeys.range(0, "x", 0, 24)
    x = toys.atoms(6).space.project(keys.normal((6, 3)))
    ends = (1.0, 0.0) if backward else (0.0, 1.0)
    errors = {}
    with torch.no_grad():
        if backward:  # start from where the flow ends
            x = AUGMENTED.transport(field, toys.dopri5(1e-6), x, batch, 0.0, 1.0, keys=keys).x
        reference = AUGMENTED.transport(field, toys.dopri5(1e-11), x, batch, *ends, keys=keys)
        for name in ("quadrature-15", "quadrature-21", "quadrature-31"):
            moved = RULES[name].transport(field, toys.dopri5(1e-10), x, batch, *ends, keys=keys)
            torch.testing.assert_close(moved.x, reference.x, rtol=0, atol=1e-7)
            errors[name] = (moved.log_det - reference.log_det).abs()
            # Conservative: at least the true error, down to that of the path.
            assert (errors[name] <= moved.log_det_err + 1e-7).all()
            assert (moved.log_det_err < 1e-2).all()
    assert errors["quadrature-21"].max() < 1e-6
    assert errors["quadrature-15"].max() < 1e-4
    assert (reference.log_det.abs() > 0.1).any()


@pytest.mark.parametrize("backward", [False, True])
def test_nodes_lie_where_the_divergence_changes_most(toys, backward):
    """A field that contracts by 1 / (1 - t + 0.02), as flows do onto the widths of bonds, and back."""
    width = 0.02

    class Narrowing(toys.LinearField):
        def forward(self, t, x, batch, condition=None):
            return -x / (1.0 - t.view(-1, 1) + width)

    field, batch = Narrowing(MATRIX, SHIFT), Batch.single(toys.euclidean(3), 4)
    ends = (1.0, 0.0) if backward else (0.0, 1.0)
    exact = (3.0 if backward else -3.0) * torch.log(torch.tensor((1.0 + width) / width, dtype=torch.float64))
    errors = []
    for grading in (1.0, 2.0):
        rule = Quadrature(QuadratureConfig(nodes=15, grading=grading))
        with torch.no_grad():
            moved = rule.transport(
                field, toys.dopri5(1e-9), torch.ones(4, 3, dtype=torch.float64), batch, *ends, keys=keys_of(4)
            )
        errors.append((moved.log_det - exact).abs().max())
        assert errors[-1] <= moved.log_det_err.max()
    assert errors[1] < 0.01 * errors[0]


def keys_of(n):
    return SampleKeys.range(0, "x", 0, n)


def test_evaluations_count_velocities_only(toys):
    field, batch = toys.MlpField(2).double(), Batch.single(toys.euclidean(2), 3)
    x, keys = torch.zeros(3, 2, dtype=torch.float64), SampleKeys.range(0, "x", 0, 3)
    moved = RULES["quadrature-21"].transport(field, RK4(RK4Config(steps=5)), x, batch, 0, 1, keys=keys)
    # Dense output at the end of a fixed grid may take one velocity more.
    assert ((moved.evaluations >= 20) & (moved.evaluations <= 21)).all()


def test_hutchinson_is_right_in_expectation_of_log_det_only(toys):
    n, probes = 4000, 2
    keys = SampleKeys.range(5, "probes", 0, n)
    field, batch = toys.LinearField(MATRIX), Batch.single(toys.euclidean(3), n)
    x = torch.zeros(n, 3, dtype=torch.float64)
    rule = Hutchinson(HutchinsonConfig(probes=probes))
    moved = rule.transport(field, RK4(RK4Config(steps=2)), x, batch, 0.0, 1.0, keys=keys)
    assert rule.biased
    assert not AUGMENTED.biased
    # Var(e^T A e) = 2 sum_{i<j} ((A + A^T)/2)_ij^2 * 2 for Rademacher e.
    symmetric = 0.5 * (MATRIX + MATRIX.T)
    variance = 2 * (symmetric.square().sum() - symmetric.diagonal().square().sum()) / probes
    trace = MATRIX.trace()
    assert abs(moved.log_det.mean() - trace) < 5 * (variance / n).sqrt()
    torch.testing.assert_close(moved.log_det.var(), variance, rtol=0.1, atol=0)
    # |difference of two probes|/2 is the standard error of their mean; its mean square is the variance.
    torch.testing.assert_close(moved.log_det_err.square().mean(), variance, rtol=0.1, atol=0)
    # exp(log_det) is not: Jensen's gap is about variance/2, far beyond its standard error.
    ratio = (moved.log_det - trace).exp()
    assert ratio.mean() - 1 > 10 * ratio.std() / n**0.5


def test_hutchinson_probes_belong_to_the_keys(toys):
    field, rule = toys.MlpField(2).double(), Hutchinson(HutchinsonConfig())
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def log_det(rows):
        keys = SampleKeys(1, "s", SampleKeys.range(1, "s", 0, 6).index[rows])
        batch = Batch.single(toys.euclidean(2), len(rows))
        with torch.no_grad():
            return rule.transport(field, toys.dopri5(), x[rows], batch, 0, 1, keys=keys).log_det

    torch.testing.assert_close(log_det([4, 1]), log_det([0, 1, 2, 3, 4, 5])[[4, 1]], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule", [*RULES, "hutchinson"])
def test_padded_transport_equals_unpadded(toys, rule):
    likelihood = RULES.get(rule) or Hutchinson(HutchinsonConfig(probes=2))
    field = toys.PairField().double()
    x, batch, rows = toys.padded([3, 5, 4], width=7)
    keys = SampleKeys.range(0, "pad", 0, 3)
    with torch.no_grad():
        moved = likelihood.transport(field, RK4(RK4Config(steps=20)), x, batch, 0, 1, keys=keys)
        for i, row in enumerate(rows):
            n = len(row)
            key = SampleKeys.range(0, "pad", i, i + 1)
            single = Batch.single(toys.atoms(n), 1)
            alone = likelihood.transport(field, RK4(RK4Config(steps=20)), row[None], single, 0, 1, keys=key)
            torch.testing.assert_close(moved.x[i, :n], alone.x[0], rtol=1e-11, atol=1e-12)
            if rule != "hutchinson":  # its probes are drawn for the padded shape
                torch.testing.assert_close(moved.log_det[i], alone.log_det[0], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("rule", [*RULES, "hutchinson"])
def test_a_diverging_sample_is_flagged_and_leaves_the_others_alone(toys, rule):
    likelihood = RULES.get(rule) or Hutchinson(HutchinsonConfig())

    class Explosive(toys.LinearField):
        def forward(self, t, x, batch, condition=None):
            v = super().forward(t, x, batch, condition)
            return torch.where(t[:, None] * x[:, :1] > 50, v / 0, v)

    field = Explosive(torch.eye(2))
    x = torch.tensor([[0.1, 0.2], [60.0, 1.0], [0.3, -0.4]], dtype=torch.float64)
    keys = SampleKeys.range(0, "bad", 0, 3)
    batch = Batch.single(toys.euclidean(2), 3)
    with torch.no_grad():
        moved = likelihood.transport(field, toys.dopri5(), x, batch, 0, 1, keys=keys)
    assert moved.status[1] != Status.OK
    assert torch.isnan(moved.log_det[1])
    assert (moved.status[[0, 2]] == Status.OK).all()
    torch.testing.assert_close(moved.log_det[[0, 2]], torch.full((2,), 2.0, dtype=torch.float64))
