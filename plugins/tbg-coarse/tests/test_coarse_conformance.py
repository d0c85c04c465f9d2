"""The components pass the conformance kit: normalised densities, independent rows, complete weights."""

from __future__ import annotations

from tbg_coarse.conformance import TestCoarseOnAMolecule, TestCoarseOnAPoint, TestVectorLangevin

__all__ = ["TestCoarseOnAMolecule", "TestCoarseOnAPoint", "TestVectorLangevin"]
