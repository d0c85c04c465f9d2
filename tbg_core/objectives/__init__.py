"""Training objectives and the couplings they use."""
