"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.registry import DEFAULT, CommandSpec, ComponentSpec, hookimpl

if TYPE_CHECKING:
    from tbg_core.ensemble import Ensemble
    from tbg_core.registry import ReportSection

_CONFIG = "tbg_assignment.config"
_CONFORMANCE = "tbg_assignment.conformance"
_LABELS = frozenset({"labels"})
BOLL = "Boll et al., Generative Assignment Flows for Representing and Learning Joint Distributions, arXiv:2406.04527"


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """Systems of discrete variables, their energies and exact samples, and a flow for them with its objective."""
    return [
        ComponentSpec(
            kind="system",
            name="labels",
            summary="Discrete variables: Potts models, discretised densities, states of a molecule's torsions.",
            target="tbg_assignment.system:LabelSource",
            config=f"{_CONFIG}:LabelsConfig",
            capabilities=_LABELS,
            conformance=(f"{_CONFORMANCE}:TestLabelSource",),
        ),
        ComponentSpec(
            kind="energy",
            name="potts",
            summary="Potts model, extended to logits without changing any average over labellings.",
            target="tbg_assignment.target:Potts",
            config=f"{_CONFIG}:PottsConfig",
            capabilities=_LABELS | {"gradients"},
            citation="Wu, Rev. Mod. Phys. 54, 235 (1982)",
            conformance=(f"{_CONFORMANCE}:TestPotts", f"{_CONFORMANCE}:TestPottsGlass"),
        ),
        ComponentSpec(
            kind="energy",
            name="label-table",
            summary="u = -log p of a given joint distribution of labels, extended to logits.",
            target="tbg_assignment.target:LabelTable",
            config=f"{_CONFIG}:LabelTableConfig",
            capabilities=_LABELS | {"gradients"},
            conformance=(f"{_CONFORMANCE}:TestLabelTable",),
        ),
        ComponentSpec(
            kind="dynamics",
            name="label-sampler",
            summary="Independent exact samples of labellings in place of a simulation.",
            target="tbg_assignment.sampler:LabelSampler",
            config=f"{_CONFIG}:LabelSamplerConfig",
            capabilities=_LABELS | {DEFAULT, "energy:potts", "energy:label-table"},
            conformance=(f"{_CONFORMANCE}:TestLabelSampler",),
        ),
        ComponentSpec(
            kind="field",
            name="assignment-network",
            summary="Dense network of the probabilities of all variables and the time.",
            target="tbg_assignment.network:AssignmentNetwork",
            config=f"{_CONFIG}:NetworkConfig",
            capabilities=_LABELS | {DEFAULT},
            citation=BOLL,
            conformance=(f"{_CONFORMANCE}:TestPosteriorNetwork", f"{_CONFORMANCE}:TestVelocityNetwork"),
        ),
        ComponentSpec(
            kind="proposal",
            name="assignment",
            summary="Assignment flow: discrete variables decided by a flow of their logits.",
            target="tbg_assignment.proposal:AssignmentFlow",
            config=f"{_CONFIG}:AssignmentConfig",
            slots={"prior": "prior", "field": "field", "integrator": "integrator", "likelihood": "likelihood"},
            capabilities=_LABELS | {DEFAULT},
            objective="fisher-rao-matching",
            citation=BOLL,
            conformance=(f"{_CONFORMANCE}:TestAssignmentFlow",),
        ),
        ComponentSpec(
            kind="objective",
            name="fisher-rao-matching",
            summary="Regression of an assignment flow on straight lines of logits, in the Fisher-Rao norm.",
            target="tbg_assignment.objective:FisherRaoMatching",
            config=f"{_CONFIG}:FisherRaoConfig",
            capabilities=_LABELS,
            citation=BOLL,
            conformance=(f"{_CONFORMANCE}:TestFisherRaoMatching",),
        ),
        ComponentSpec(
            kind="observable",
            name="labels",
            summary="Classes of discrete variables, indicators of a class and of agreement.",
            target="tbg_assignment.observables:LabelObservables",
            config=f"{_CONFIG}:LabelObservablesConfig",
            capabilities=_LABELS,
            conformance=(f"{_CONFORMANCE}:TestLabelObservables",),
        ),
    ]


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """What is known of systems of labels, labels of a molecule, probabilities of labellings, small problems."""
    at = "tbg_assignment.commands"
    return [
        CommandSpec("labels", "", "Discrete variables: systems, states of a molecule's torsions, probabilities."),
        CommandSpec("labels list", f"{at}:list_forms", "List the systems of discrete variables."),
        CommandSpec("labels show", f"{at}:show", "Show what is known exactly about a system."),
        CommandSpec("labels make", f"{at}:make", "Make a system of the states of a molecule's torsions."),
        CommandSpec("labels likelihood", f"{at}:likelihood", "Probabilities of labellings under a model, with errors."),
        CommandSpec("labels study", f"{at}:study", "Train on small problems and compare with what is exact."),
    ]


@hookimpl
def tbg_report_sections(ensemble: Ensemble) -> list[ReportSection]:
    """Marginals and agreements beside what is exact; for runs on discrete variables."""
    from tbg_assignment.report import label_sections

    return label_sections(ensemble)
