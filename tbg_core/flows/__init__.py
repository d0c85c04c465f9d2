"""Continuous flows: divergences, likelihood rules, and the proposal made of them."""
