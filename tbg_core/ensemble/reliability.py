"""The verdict: may the averages of an ensemble be quoted with an error?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIN_ESS: Final = 50.0
MAX_PARETO_K: Final = 0.7
MIN_POPULATIONS: Final = 10
"""An error is the spread between populations; from fewer it is itself too uncertain."""


@dataclass(frozen=True)
class Reliability:
    """Whether intervals may be printed, and why not.

    Attributes:
        ess: Kish effective sample size of all attempted samples.
        pareto_k: Tail shape of the weights.
        attempted: Number of attempted samples.
        biased: True where log q itself carries a random error that biases the weights (Hutchinson).
        populations: Independent populations, where a sampler moved particles that interact; else None.
    """

    ess: float
    pareto_k: float
    attempted: int
    biased: bool = False
    populations: int | None = None

    @property
    def reliable(self) -> bool:
        """False if ESS < 50, k-hat > 0.7, or populations are too few; no interval is printed then."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is wrong, in words; empty if nothing is."""
        found = []
        if not self.ess >= MIN_ESS:
            found.append(f"the effective sample size {self.ess:.1f} is below {MIN_ESS:.0f}")
        if not self.pareto_k <= MAX_PARETO_K:
            found.append(f"the Pareto tail shape k = {self.pareto_k:.2f} is above {MAX_PARETO_K}")
        if self.populations is not None and self.populations < MIN_POPULATIONS:
            number = "there is one population" if self.populations == 1 else f"{self.populations} populations"
            found.append(f"{number} where errors need at least {MIN_POPULATIONS}")
        return tuple(found)

    @property
    def label(self) -> str:
        """``"RELIABLE"`` or ``"NOT RELIABLE"``."""
        return "RELIABLE" if self.reliable else "NOT RELIABLE"

    def describe(self) -> str:
        """One sentence for people."""
        worth = (
            f"{self.attempted:,} attempted samples are worth {self.ess:,.1f} independent ones "
            f"(Pareto k = {self.pareto_k:.2f})"
        )
        if not self.reliable:
            return f"NOT RELIABLE: {worth}; {' and '.join(self.reasons)}."
        caution = ""
        if self.pareto_k > 0.5:
            caution = " The weights have a heavy tail: averages converge more slowly than intervals suggest."
        if self.biased:
            caution += " log q was estimated stochastically, which biases the weights."
        return f"RELIABLE: {worth}.{caution}"
