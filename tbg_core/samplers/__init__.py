"""Samplers: a proposal and a target become an ensemble."""
