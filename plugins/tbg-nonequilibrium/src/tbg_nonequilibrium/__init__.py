"""Diffusion models as proposals, and the thermodynamics of what they do."""
