"""Datasets: many simulations made in one job, their convergence, and the packed form in which they are published."""

from tbg_core.datasets.folder import load_data
from tbg_core.datasets.positions import Positions

__all__ = ["Positions", "load_data"]
