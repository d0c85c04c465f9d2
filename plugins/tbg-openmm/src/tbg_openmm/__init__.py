"""Peptides, PDB files, force fields and molecular dynamics with OpenMM."""
