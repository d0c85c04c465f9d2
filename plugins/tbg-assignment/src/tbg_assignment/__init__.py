"""Generative assignment flows: joint distributions of discrete variables in mean-free logit space."""
