"""What this distribution adds to tbg."""

from __future__ import annotations

from tbg_core.registry import CommandSpec, ComponentSpec, hookimpl


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """Two datasets."""
    return [
        ComponentSpec(
            kind="dataset",
            name="dipeptides",
            summary="Dipeptides of the twenty amino acids as zwitterions, amber14 and OBC1 at 310 K",
            target="tbg_data_dipeptides.dipeptides:Dipeptides",
            config="tbg_data_dipeptides.config:PeptidesConfig",
            capabilities=frozenset({"molecules"}),
            citation="Klein & Noe, NeurIPS 2024, arXiv:2406.14426; Tan et al. 2025, arXiv:2508.18175 (splits)",
        ),
        ComponentSpec(
            kind="dataset",
            name="short-peptides",
            summary="Capped amino acids, tripeptides and tetrapeptides, amber14 and OBC1 at 310 K",
            target="tbg_data_dipeptides.dipeptides:ShortPeptides",
            config="tbg_data_dipeptides.config:PeptidesConfig",
            capabilities=frozenset({"molecules"}),
            citation="Klein et al., NeurIPS 2023, arXiv:2302.01170 (potential)",
        ),
    ]


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """A measurement."""
    return [
        CommandSpec("bench", "", "Measure speed and accuracy."),
        CommandSpec(
            "bench dipeptides",
            "tbg_data_dipeptides.commands:app",
            "Measure a transferable model on held-out dipeptides.",
        ),
    ]
