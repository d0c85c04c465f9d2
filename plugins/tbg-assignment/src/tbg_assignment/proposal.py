"""The assignment flow as a proposal: the core's flow, run for longer than a unit of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.flows.config import FlowConfig
from tbg_core.flows.proposal import FlowProposal

if TYPE_CHECKING:
    from tbg_assignment.config import AssignmentConfig
    from tbg_core.contracts.field import VectorField
    from tbg_core.contracts.integrator import Integrator
    from tbg_core.contracts.likelihood import LikelihoodRule
    from tbg_core.contracts.prior import Prior


class AssignmentFlow(FlowProposal):
    """dv/dt = Pi_0 F(softmax v, t) from v(0) ~ N(0, I) to v(T); argmax v(T) is the labelling.

    On the assignment manifold this is dW/dt = R_W F(W, t) with W = softmax v: a curve of the e-connection is a straight
    line of v. Labels are reached as t goes to infinity; at T = 10 a state is 10 standard deviations away from the
    origin in the direction of its label. Time is in units of the inverse field magnitude m of the paper, which is the
    same as m = 1.

    Args:
        config: T and the type of the states.
        prior: Density of v(0); the objective takes it for granted that it is the standard one.
        field: Pi_0 F.
        integrator: Solves the equation.
        likelihood: Obtains log q along the way.
    """

    def __init__(
        self,
        config: AssignmentConfig,
        *,
        prior: Prior,
        field: VectorField,
        integrator: Integrator,
        likelihood: LikelihoodRule,
    ) -> None:
        flow = FlowConfig(length_scale_nm=1.0, dtype=config.dtype)
        super().__init__(flow, prior=prior, field=field, integrator=integrator, likelihood=likelihood)
        self.t_end = config.t_end
