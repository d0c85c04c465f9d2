"""Exact targets on R^d for tbg, with fields and dynamics to match."""
