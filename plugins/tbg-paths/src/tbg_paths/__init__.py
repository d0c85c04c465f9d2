"""Transition-path sampling: moves in the latent space of a proposal, and shooting moves."""
