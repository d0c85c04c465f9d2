"""The conformance kit: one class per component kind, which a plugin's tests inherit.

Example::

    from tbg_core.testing import IntegratorConformance


    class TestDopri5(IntegratorConformance):
        def make(self):
            return Dopri5(Dopri5Config(rtol=1e-8, atol=1e-8))

Each class says in its docstring which methods must be given and which attributes may be set. The kit needs
pytest and hypothesis; nothing else in ``tbg_core`` imports it.
"""

from __future__ import annotations

import pytest

for _module in (
    "dataset",
    "dynamics",
    "energy",
    "executor",
    "field",
    "integrator",
    "likelihood",
    "objective",
    "observable",
    "prior",
    "proposal",
    "sampler",
    "system",
):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from tbg_core.testing.dataset import DatasetConformance  # noqa: E402 - after the assertion rewriting
from tbg_core.testing.dynamics import DynamicsConformance  # noqa: E402
from tbg_core.testing.energy import EnergyConformance  # noqa: E402
from tbg_core.testing.executor import ExecutorConformance  # noqa: E402
from tbg_core.testing.field import FieldConformance  # noqa: E402
from tbg_core.testing.integrator import IntegratorConformance  # noqa: E402
from tbg_core.testing.likelihood import LikelihoodConformance  # noqa: E402
from tbg_core.testing.objective import ObjectiveConformance  # noqa: E402
from tbg_core.testing.observable import ObservableConformance  # noqa: E402
from tbg_core.testing.prior import PriorConformance  # noqa: E402
from tbg_core.testing.proposal import ProposalConformance  # noqa: E402
from tbg_core.testing.sampler import SamplerConformance  # noqa: E402
from tbg_core.testing.system import SystemConformance  # noqa: E402

__all__ = [
    "DatasetConformance",
    "DynamicsConformance",
    "EnergyConformance",
    "ExecutorConformance",
    "FieldConformance",
    "IntegratorConformance",
    "LikelihoodConformance",
    "ObjectiveConformance",
    "ObservableConformance",
    "PriorConformance",
    "ProposalConformance",
    "SamplerConformance",
    "SystemConformance",
]
