"""What this distribution adds to tbg; imports nothing heavy."""

from __future__ import annotations

from tbg_core.registry import ComponentSpec, hookimpl


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """One energy with an allow-list of calculators."""
    return [
        ComponentSpec(
            kind="energy",
            name="ase",
            summary="Calculators of ASE: GFN2-xTB, GFN1-xTB (tblite, with ALPB solvents), EMT, Lennard-Jones, TIP3P",
            target="tbg_ase.backend:AseBackend",
            config="tbg_ase.config:AseConfig",
            capabilities=frozenset({"molecules", "gradients"}),
            citation="Larsen et al. (ASE), J. Phys. Condens. Matter 29, 273002 (2017); "
            "Bannwarth, Ehlert & Grimme (GFN2-xTB), J. Chem. Theory Comput. 15, 1652 (2019)",
            conformance=("tbg_ase.conformance:TestAse",),
        ),
    ]
