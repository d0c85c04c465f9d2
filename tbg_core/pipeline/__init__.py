"""The stages of a run: simulate, train, sample, reweight, and all of them in turn."""
