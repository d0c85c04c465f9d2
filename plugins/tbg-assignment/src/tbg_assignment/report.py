"""The report of a run on discrete variables: what is exact beside what was estimated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from markupsafe import Markup

from tbg_assignment.config import LabelsConfig
from tbg_assignment.figures import marginals
from tbg_assignment.runs import energy_of, target_of
from tbg_assignment.system import LabelSource
from tbg_core.contracts.system import Logits
from tbg_core.errors import UnsupportedSystemError
from tbg_core.registry import ReportSection
from tbg_core.report.exact import exact_table

if TYPE_CHECKING:
    from tbg_assignment.distributions import LabelDistribution
    from tbg_core.ensemble import Ensemble
    from tbg_core.ensemble.estimate import Estimate

_SHOWN: Final = 12


def label_sections(ensemble: Ensemble) -> list[ReportSection]:
    """One section for a run on labels that can be enumerated, with the energy that belongs to them; else none."""
    exact = _exact(ensemble)
    if exact is None or not ensemble.valid.any():
        return []
    return [
        ReportSection(
            "Exact values", str(exact_table(estimates(ensemble, exact)) + _drawing(ensemble, exact)), order=250
        )
    ]


def estimates(ensemble: Ensemble, exact: LabelDistribution) -> list[tuple[str, float, Estimate]]:
    """(What, exact value, estimate) of log Z, of single classes and of agreements between neighbours."""
    found = [("log Z", exact.log_z, ensemble.log_z)]
    n = exact.variables
    for i in range(min(n, _SHOWN)):
        a = int(exact.marginals[i].argmax())
        found.append((f"P(label {i} = {a})", float(exact.marginals[i, a]), ensemble.expectation(f"label:{i}={a}")))
    pairs = [(i, i + 1) for i in range(min(n - 1, _SHOWN))]
    found += [
        (f"P({i} and {j} agree)", exact.agreement(i, j), ensemble.expectation(f"agree:{i},{j}")) for i, j in pairs
    ]
    return found


def _exact(ensemble: Ensemble) -> LabelDistribution | None:
    if not isinstance(ensemble.system.space, Logits):
        return None
    options = LabelSource.parse(ensemble.system.name)
    try:
        system = None if options is None else LabelSource(LabelsConfig.model_validate(options)).build()
    except UnsupportedSystemError:  # the file of a molecule's labels has gone
        return None
    if system is None or system.key != ensemble.system.key or ensemble.provenance.get("energy") != energy_of(system):
        return None
    return target_of(
        system, ensemble.temperature_K, energy_of(system), ensemble.provenance.get("target", {})
    ).distribution


def _drawing(ensemble: Ensemble, exact: LabelDistribution) -> Markup:
    labels = ensemble.positions[ensemble.valid].argmax(axis=-1)
    w = ensemble.relative_weights[ensemble.valid]
    one_hot = labels[:, :, None] == np.arange(exact.classes)
    weighted = np.einsum("b,bnc->nc", w / w.sum(), one_hot)
    figure = marginals(exact.marginals, weighted, one_hot.mean(axis=0))
    caption = Markup("<figcaption>Every class of every variable: probability, exact and estimated.</figcaption>")
    return Markup("<figure>") + figure.image + caption + Markup("</figure>")
