"""The solvers of torchdiffeq for tbg."""
