"""Figures of published work, to stand beside those that are measured."""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """Means over the systems of a split, as a paper gives them; None where it gives none.

    Attributes:
        model: Name of the model, and how its samples were used.
        source: Paper and table.
        ess: Effective sample size, a fraction.
        ess_std: Its standard deviation over the systems.
        e_w2: kT.
        t_w2: rad.
        tica_w2: Of the first two components.
        jsd: Of Ramachandran clusters.
        phi: Error of the free energy of phi, kT.
        valid: Share of valid samples.
        remark: What is different from the protocol.
    """

    model: str
    source: str
    ess: float | None = None
    ess_std: float | None = None
    e_w2: float | None = None
    t_w2: float | None = None
    tica_w2: float | None = None
    jsd: float | None = None
    phi: float | None = None
    valid: float | None = None
    remark: str = ""
