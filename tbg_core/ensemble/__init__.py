"""Weighted samples, how far to trust them, and what they say."""

from tbg_core.ensemble.ensemble import Ensemble
from tbg_core.ensemble.estimate import Estimate
from tbg_core.ensemble.free_energy import Profile
from tbg_core.ensemble.reliability import Reliability
from tbg_core.ensemble.validity import Validity

__all__ = ["Ensemble", "Estimate", "Profile", "Reliability", "Validity"]
