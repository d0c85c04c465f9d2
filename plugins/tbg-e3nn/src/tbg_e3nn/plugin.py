"""What this distribution adds to tbg."""

from __future__ import annotations

from tbg_core.registry import ComponentSpec, hookimpl


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """The tensor-product field, with its shipped checkpoints."""
    return [
        ComponentSpec(
            kind="field",
            name="e3nn",
            summary="SE(3)- and permutation-equivariant tensor-product network that tells mirror images apart",
            target="tbg_e3nn.field:TensorProductField",
            config="tbg_e3nn.config:TensorProductConfig",
            capabilities=frozenset({"molecules", "exact-divergence"}),
            checkpoints="tbg_e3nn.checkpoints",
            citation="Geiger & Smidt, arXiv:2207.09453; Thomas et al., arXiv:1802.08219",
        )
    ]
