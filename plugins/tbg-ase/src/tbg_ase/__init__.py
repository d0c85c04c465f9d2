"""ASE calculators, tight-binding quantum chemistry first, as energies for tbg."""
