"""What this distribution adds to tbg."""

from __future__ import annotations

from tbg_core.registry import DEFAULT, CommandSpec, ComponentSpec, hookimpl


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """The EGNN field, with its shipped checkpoints, and one whose divergence is cheaper."""
    return [
        ComponentSpec(
            kind="field",
            name="egnn",
            summary="E(3)- and permutation-equivariant graph network of the transferable Boltzmann generator",
            target="tbg_egnn.egnn:EGNN",
            config="tbg_egnn.config:EGNNConfig",
            capabilities=frozenset({"molecules", "exact-divergence", DEFAULT}),
            checkpoints="tbg_egnn.checkpoints",
            recipes="tbg_egnn.recipes",
            citation="Klein & Noe, NeurIPS 2024, arXiv:2406.14426; Satorras et al., ICML 2021, arXiv:2102.09844",
        ),
        ComponentSpec(
            kind="field",
            name="hollow",
            summary="E(3)- and permutation-equivariant graph network, exact divergence by three reverse passes",
            target="tbg_egnn.hollow:HollowField",
            config="tbg_egnn.config:HollowConfig",
            capabilities=frozenset({"molecules", "exact-divergence"}),
            citation="Gloy & Olsson (HollowFlow), NeurIPS 2025, arXiv:2510.21542",
        ),
    ]


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """The measurement of its divergence."""
    return [
        CommandSpec("bench", "", "Measure speed and accuracy."),
        CommandSpec("bench likelihood", "tbg_egnn.likelihood_bench:app", "Cost and error of log q of a flow."),
    ]
