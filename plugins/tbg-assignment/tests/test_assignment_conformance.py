"""The components pass the conformance kit."""

from __future__ import annotations

from tbg_assignment.conformance import (
    TestAssignmentFlow,
    TestFisherRaoMatching,
    TestLabelObservables,
    TestLabelSampler,
    TestLabelSource,
    TestLabelTable,
    TestPosteriorNetwork,
    TestPotts,
    TestPottsGlass,
    TestVelocityNetwork,
)

__all__ = [
    "TestAssignmentFlow",
    "TestFisherRaoMatching",
    "TestLabelObservables",
    "TestLabelSampler",
    "TestLabelSource",
    "TestLabelTable",
    "TestPosteriorNetwork",
    "TestPotts",
    "TestPottsGlass",
    "TestVelocityNetwork",
]
