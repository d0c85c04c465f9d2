"""Trained checkpoints, one folder each, with a model card README.md."""
