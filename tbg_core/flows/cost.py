"""What log q of a flow costs and how wrong it is: ways to obtain it, timed in turn on the same samples."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from typing_extensions import override

from tbg_core.contracts.field import VectorField
from tbg_core.contracts.integrator import Status
from tbg_core.contracts.system import Batch
from tbg_core.errors import ConfigError, NumericalError
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig, QuadratureConfig
from tbg_core.flows.divergence import exact_divergence
from tbg_core.flows.proposal import FlowProposal
from tbg_core.flows.quadrature import Quadrature
from tbg_core.randomness import SampleKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.likelihood import LikelihoodRule
    from tbg_core.contracts.system import System

    _Divergence = Callable[[VectorField, Tensor, Tensor, Batch, Tensor | None], tuple[Tensor, Tensor]]

BAR_RATIO: Final = 10.0
"""How many times cheaper than the baseline log q is to be, ..."""
BAR_ERROR: Final = 0.02
"""... and the bound on the 99th percentile of its absolute error meanwhile (nats)."""

BASELINE: Final = "reverse passes"
FORWARD: Final = "forward blocks"
STRUCTURED: Final = "structured"
_NODES: Final[tuple[Literal[63, 31, 21, 15], ...]] = (63, 31, 21, 15)


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Attributes:
        samples: Samples of the flow whose log q is computed; each round takes its share of them as one batch. Reverse
            passes are slower per sample in batches of fewer than about four.
        rounds: All variants are timed once per round, one after the other, on the same samples.
        stages: The two variants with a generic divergence are timed on that many stages of the integrator and charged
            for as many as the path has; 0 takes the whole path, which needs minutes per sample for larger molecules.
        seed: Of the samples.
        cpu_time: Count this process's time on the CPU, not the clock's: for a machine that others use.
    """

    samples: int = 12
    rounds: int = 3
    stages: int = 4
    seed: int = 0
    cpu_time: bool = False

    def __post_init__(self) -> None:
        if self.samples < self.rounds:
            raise ConfigError(
                f"{self.samples} samples cannot be shared among {self.rounds} rounds.",
                fix="Give at least as many samples as rounds.",
            )


@dataclass
class _Variant:
    """One way to log q, and what was found of it.

    ``every_stage`` is True where a divergence is taken at each stage, ``seconds`` are per sample, one entry a round,
    ``log_q`` has an entry for each sample, nan where it failed, and is empty if no path was followed.
    """

    name: str
    proposal: FlowProposal
    every_stage: bool
    seconds: list[float] = field(default_factory=list)
    divergences: list[float] = field(default_factory=list)
    log_q: list[Tensor] = field(default_factory=list)
    difference: float = 0.0


class OtherDivergence(VectorField):
    """A field with another way to its divergence."""

    def __init__(self, field: VectorField, divergence: _Divergence) -> None:
        super().__init__()
        self.field = field
        self.symmetry = field.symmetry
        self._divergence = divergence

    @override
    def forward(self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None) -> Tensor:
        return self.field(t, x, batch, condition)  # type: ignore[no-any-return]

    @override
    def velocity_and_divergence(
        self, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        return self._divergence(self.field, t, x, batch, condition)

    @override
    def atom_classes(self, system: System) -> Tensor:
        return self.field.atom_classes(system)


def reverse_divergence(
    field: VectorField, t: Tensor, x: Tensor, batch: Batch, condition: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Velocity and divergence [B] by one reverse pass per coordinate: the usual way, and the baseline."""
    with torch.enable_grad():
        y = x.detach().requires_grad_()
        v = field(t, y, batch, condition)
        divergence = x.new_zeros(len(x), dtype=torch.float64)
        for k, component in enumerate(v.flatten(1).unbind(1)):
            (gradient,) = torch.autograd.grad(component.sum(), y, retain_graph=True)
            divergence = divergence + gradient.flatten(1)[:, k].double()
    return v.detach(), divergence


@torch.no_grad()
def measure(
    proposal: FlowProposal, system: System, tight: Integrator, plan: Plan, advance: Callable[[str], None]
) -> dict[str, Any]:
    """Times every variant on samples of ``proposal`` and compares its log q of them with a reference.

    Args:
        proposal: A flow, ready to sample; its integrator is that of every variant.
        system: What it samples.
        tight: Integrator of the reference, which is in float64, e.g. dopri5 at 1e-8.
        plan: How to measure.
        advance: Told the name of each of the ``steps(plan)`` steps when it begins.

    Returns:
        Plain data, for JSON: ``samples``, ``bar`` and ``variants``.

    Raises:
        NumericalError: If the flow does not give as many samples as there are rounds.
    """
    variants = _variants(proposal)
    advance("samples")
    x = _samples(variants[-1].proposal, system, plan)
    for variant in variants:
        _stage(variant, x[:1], system, 0.5)  # the first call is slower, and not timed
    better = proposal.reference(tight)
    exact = []
    for states in torch.tensor_split(x, plan.rounds):
        for variant in variants:
            advance(variant.name)
            if plan.stages and variant.name in (BASELINE, FORWARD):
                _time_stages(variant, states, system, plan)
            else:
                _time_paths(variant, states, system, plan)
        stages = next(v for v in variants if v.name == STRUCTURED).divergences[-1]
        for variant in variants:
            if len(variant.divergences) < len(variant.seconds):  # timed on single stages
                variant.divergences.append(stages)
                variant.seconds[-1] *= stages
        advance("reference")
        draws = better.log_prob(states, system)
        exact.append(draws.log_q.masked_fill(draws.status != Status.OK, torch.nan))
    found = _summaries(variants, torch.cat(exact), plan)
    return {"samples": len(x), "bar": _bar(found), "variants": found}


def steps(plan: Plan) -> int:
    """Steps of :func:`measure`."""
    return 1 + (len((BASELINE, FORWARD, STRUCTURED, *_NODES)) + 1) * plan.rounds  # the reference is one of them


def _variants(proposal: FlowProposal) -> list[_Variant]:
    field, augmented = proposal.field, Augmented(AugmentedConfig())
    made = [
        _Variant(BASELINE, _with(proposal, OtherDivergence(field, reverse_divergence), augmented), every_stage=True),
        _Variant(FORWARD, _with(proposal, OtherDivergence(field, exact_divergence), augmented), every_stage=True),
        _Variant(STRUCTURED, _with(proposal, field, augmented), every_stage=True),
    ]
    for nodes in _NODES:
        rule = Quadrature(QuadratureConfig(nodes=nodes))
        made.append(_Variant(f"quadrature {nodes}", _with(proposal, field, rule), every_stage=False))
    return made


def _with(proposal: FlowProposal, field: VectorField, rule: LikelihoodRule) -> FlowProposal:
    other = FlowProposal(
        proposal.config, prior=proposal.prior, field=field, integrator=proposal.integrator, likelihood=rule
    )
    other.length_scale, other.t_end = proposal.length_scale.clone(), proposal.t_end
    return other.eval()


def _samples(proposal: FlowProposal, system: System, plan: Plan) -> Tensor:
    keys = SampleKeys.range(plan.seed, f"{system.key}/likelihood-cost", 0, plan.samples)
    draws = proposal.sample_with_log_prob(keys, system)
    x = draws.x[draws.status == Status.OK]
    if len(x) < plan.rounds:
        raise NumericalError(
            f"only {len(x)} of {plan.samples} samples of {system.name} could be drawn.",
            fix="Take another --seed, more --samples, or a trained checkpoint.",
        )
    return x


def _clock(plan: Plan) -> float:
    return time.process_time() if plan.cpu_time else time.perf_counter()


def _time_paths(variant: _Variant, x: Tensor, system: System, plan: Plan) -> None:
    begin = _clock(plan)
    draws = variant.proposal.log_prob(x, system)
    variant.seconds.append((_clock(plan) - begin) / len(x))
    taken = draws.evaluations.double().mean() if variant.every_stage else int(variant.name.split()[-1])
    variant.divergences.append(float(taken))
    variant.log_q.append(draws.log_q.masked_fill(draws.status != Status.OK, torch.nan))


def _time_stages(variant: _Variant, x: Tensor, system: System, plan: Plan) -> None:
    """Appends seconds per sample and stage: what a divergence costs does not depend on the state."""
    passed = 0.0
    for t in torch.linspace(variant.proposal.t_end, 0.0, plan.stages).tolist():
        begin = _clock(plan)
        divergence = _stage(variant, x, system, t)
        passed += _clock(plan) - begin
        expected = _stage(variant, x, system, t, structured=True)
        variant.difference = max(variant.difference, float((divergence - expected).abs().max()))
    variant.seconds.append(passed / (len(x) * plan.stages))


def _stage(variant: _Variant, x: Tensor, system: System, t: float, *, structured: bool = False) -> Tensor:
    """The divergence at x [n, *event] and time t [n], the variant's or that of the field itself."""
    proposal, field = variant.proposal, variant.proposal.field
    y = system.space.project(x / proposal.length_scale).to(proposal.dtype)
    if structured and isinstance(field, OtherDivergence):
        field = field.field
    batch = Batch.single(system, len(y), y.device)
    return field.velocity_and_divergence(y.new_full((len(y),), t), y, batch)[1]


def _summaries(variants: Sequence[_Variant], exact: Tensor, plan: Plan) -> list[dict[str, Any]]:
    found = []
    for i, variant in enumerate(variants):
        # The quadratures are alternatives to one another: each is a step from the structured divergence at every stage.
        before = variants[min(max(i - 1, 0), 2)]
        followed = bool(variant.log_q)
        found.append(
            {
                "variant": variant.name,
                "every_stage": variant.every_stage,
                "timed_stages": None if followed else plan.stages,
                "divergences": sum(variant.divergences) / len(variant.divergences),
                "seconds": _over_rounds(variant.seconds) | {"rounds": variant.seconds},
                "times_cheaper": _over_rounds(_quotients(variants[0], variant)),
                "times_cheaper_than_before": None if i == 0 else _over_rounds(_quotients(before, variant)),
                "divergence_difference": None if followed else variant.difference,
                "log_q_error": _errors(torch.cat(variant.log_q) - exact) if followed else None,
            }
        )
    return found


def _quotients(before: _Variant, after: _Variant) -> list[float]:
    return [a / b for a, b in zip(before.seconds, after.seconds, strict=True)]


def _over_rounds(values: Sequence[float]) -> dict[str, Any]:
    return {"median": float(torch.tensor(values).quantile(0.5)), "lowest": min(values), "highest": max(values)}


def _errors(error: Tensor) -> dict[str, Any]:
    """Of the absolute error, nats; None where no sample has one."""
    good = error[torch.isfinite(error)].abs()
    counts = {"samples": len(error), "failed": len(error) - len(good)}
    if not len(good):
        return counts | {"rms": None, "p99": None, "max": None}
    return counts | {
        "rms": float(good.square().mean().sqrt()),
        "p99": float(good.quantile(0.99)),
        "max": float(good.max()),
    }


def _bar(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    met = [
        row["variant"]
        for row in found
        if row["times_cheaper"]["median"] >= BAR_RATIO
        and row["log_q_error"] is not None
        and row["log_q_error"]["failed"] == 0
        and row["log_q_error"]["p99"] <= BAR_ERROR
    ]
    return {"times_cheaper": BAR_RATIO, "p99_nats": BAR_ERROR, "met_by": met}
