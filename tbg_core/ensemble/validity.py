"""Why an attempted sample does not count as valid."""

from __future__ import annotations

from enum import IntEnum


class Validity(IntEnum):
    """Outcome of one attempted sample; 0 is valid."""

    OK = 0
    INTEGRATION_FAILED = 1
    WRONG_BONDS = 2
    WRONG_HANDEDNESS = 3
    NONFINITE_DENSITY = 4
    NONFINITE_ENERGY = 5
    FILTERED = 6

    @property
    def reason(self) -> str:
        """The outcome in words, for reports."""
        return {
            Validity.OK: "valid",
            Validity.INTEGRATION_FAILED: "the flow could not be integrated",
            Validity.WRONG_BONDS: "the bond graph is not that of the molecule",
            Validity.WRONG_HANDEDNESS: "a stereocentre or prochiral group has the wrong handedness",
            Validity.NONFINITE_DENSITY: "the proposal density is not finite",
            Validity.NONFINITE_ENERGY: "the energy is not finite",
            Validity.FILTERED: "left out by a filter that the user asked for",
        }[self]
