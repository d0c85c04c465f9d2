"""Dipeptides: splits, recipe, and frames that ship."""
