"""Transferable models, measured on all systems of a split by one protocol."""
