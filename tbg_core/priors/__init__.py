"""Priors: tractable densities that flows start from."""
