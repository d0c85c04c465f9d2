"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from tbg_core.registry import CommandSpec, ComponentSpec, hookimpl

_SOURCE = (
    "Schopmans and Friederich, Conditional Normalizing Flows for Active Learning of Coarse-Grained Molecular "
    "Representations, ICML 2024, arXiv:2402.01195"
)


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """The proposal, and a dynamics of points for comparison."""
    return [
        ComponentSpec(
            kind="proposal",
            name="coarse",
            summary="Density of coarse coordinates, and of the fine ones given them; exact log q",
            target="tbg_coarse.proposal:Coarse",
            config="tbg_coarse.config:CoarseConfig",
            capabilities=frozenset({"molecules", "vectors"}),
            maturity="experimental",
            citation=_SOURCE,
            conformance=("tbg_coarse.conformance:TestCoarseOnAPoint", "tbg_coarse.conformance:TestCoarseOnAMolecule"),
        ),
        ComponentSpec(
            kind="dynamics",
            name="vector-langevin",
            summary="Langevin dynamics of a point in R^d, as the baseline that methods are measured against",
            target="tbg_coarse.langevin:VectorLangevin",
            config="tbg_coarse.config:VectorLangevinConfig",
            capabilities=frozenset({"vectors"}),
            maturity="experimental",
            conformance=("tbg_coarse.conformance:TestVectorLangevin",),
        ),
    ]


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """Active learning of a potential of mean force."""
    return [
        CommandSpec(
            "explore", "tbg_coarse.commands:app", "Potential of mean force by active learning in coarse coordinates."
        )
    ]
