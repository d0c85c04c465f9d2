"""Simulations that need nothing of a target but its gradient."""
