"""Autoregressive densities of molecules over internal coordinates."""
