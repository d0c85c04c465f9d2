"""Explicit Runge-Kutta integrators for tbg."""
