"""The components pass the conformance kit."""

from __future__ import annotations

from tbg_nonequilibrium.conformance import (
    TestDenoisingScoreMatching,
    TestDiffusionOfAtoms,
    TestDiffusionOnAPlane,
    TestEulerMaruyama,
    TestMixtureVelocity,
    TestPathWeights,
    TestStochasticHeun,
)

__all__ = [
    "TestDenoisingScoreMatching",
    "TestDiffusionOfAtoms",
    "TestDiffusionOnAPlane",
    "TestEulerMaruyama",
    "TestMixtureVelocity",
    "TestPathWeights",
    "TestStochasticHeun",
]
