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
    "sde",
    "system",
):
    pytest.register_assert_rewrite(f"{__name__}.{_module}")

from tbg_core.testing.dataset import DatasetConformance
from tbg_core.testing.dynamics import DynamicsConformance
from tbg_core.testing.energy import EnergyConformance
from tbg_core.testing.executor import ExecutorConformance
from tbg_core.testing.field import FieldConformance
from tbg_core.testing.integrator import IntegratorConformance
from tbg_core.testing.likelihood import LikelihoodConformance
from tbg_core.testing.objective import ObjectiveConformance
from tbg_core.testing.observable import ObservableConformance
from tbg_core.testing.prior import PriorConformance
from tbg_core.testing.proposal import ProposalConformance
from tbg_core.testing.sampler import SamplerConformance
from tbg_core.testing.sde import SdeConformance
from tbg_core.testing.system import SystemConformance

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
    "SdeConformance",
    "SystemConformance",
]
