"""Dask workers for tbg."""
