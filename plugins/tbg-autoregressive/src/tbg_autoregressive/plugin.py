"""What this distribution adds to tbg."""

from __future__ import annotations

from tbg_core.registry import ComponentSpec, hookimpl


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """The autoregressive proposal."""
    return [
        ComponentSpec(
            kind="proposal",
            name="autoregressive",
            summary="Autoregressive density over internal coordinates; exact log q in one pass",
            target="tbg_autoregressive.proposal:Autoregressive",
            config="tbg_autoregressive.config:AutoregressiveConfig",
            capabilities=frozenset({"molecules"}),
            maturity="experimental",
            checkpoints="tbg_autoregressive.checkpoints",
            conformance=("tbg_autoregressive.conformance:TestAutoregressive",),
        )
    ]
