"""What the template of each kind makes."""

from __future__ import annotations

from typing import Final, NamedTuple


class Example(NamedTuple):
    """The component that a new plugin begins with.

    Attributes:
        summary: One line.
        capabilities: As in :class:`tbg_core.registry.ComponentSpec`, as Python.
        citation: Paper of the method, or ``""``.
    """

    summary: str
    capabilities: str
    citation: str = ""


EXAMPLES: Final[dict[str, Example]] = {
    "system": Example("Points in R^d by name and dimension.", '{"vectors"}', ""),
    "prior": Example("Independent logistic coordinates on R^d: tails heavier than a Gaussian's.", '{"vectors"}', ""),
    "field": Example("A residual network on R^d with the time as Fourier features.", '{"vectors"}', ""),
    "integrator": Example(
        "The explicit midpoint method with equal steps.",
        '{"dense-output", "accumulators"}',
        "Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, Springer 1993",
    ),
    "sde": Example(
        "The stochastic midpoint method with equal steps, for additive noise.",
        "",
        "Milstein and Tretyakov, Stochastic Numerics for Mathematical Physics, Springer 2004",
    ),
    "likelihood": Example(
        "Exact divergence integrated by Simpson's rule along the path, with an error from halving.", "", ""
    ),
    "energy": Example("A double well in every coordinate: U = kT barrier sum (x^2 - 1)^2.", '{"vectors"}', ""),
    "dynamics": Example(
        "Metropolis-adjusted Langevin walkers in any target with a gradient.",
        '{"vectors"}',
        "Roberts and Tweedie, Exponential convergence of Langevin distributions, Bernoulli 2, 341 (1996)",
    ),
    "proposal": Example("A mixture of Gaussians on R^d, to be trained by maximum likelihood.", '{"vectors"}', ""),
    "objective": Example(
        "Maximum likelihood of data blurred by noise, which keeps few data from being learned by heart.", "", ""
    ),
    "sampler": Example(
        "Sampling importance resampling: every row of a block has the same weight.",
        "",
        "Rubin, Using the SIR algorithm, Bayesian Statistics 3, 395 (1988)",
    ),
    "observable": Example(
        "Distance of a point from the origin, and the angle of its first two coordinates.", '{"vectors"}', ""
    ),
    "executor": Example("Processes of this machine at low priority.", "", ""),
    "dataset": Example("A small set of capped peptides, with some held out for testing.", '{"molecules"}', ""),
}
"""By kind: a template for each of :data:`tbg_core.contracts.KINDS`."""
