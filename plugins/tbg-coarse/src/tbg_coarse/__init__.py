"""Free energies of coarse coordinates: a conditional density of the fine ones, and active learning."""
