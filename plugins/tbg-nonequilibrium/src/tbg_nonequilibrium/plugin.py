"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from tbg_core.registry import CommandSpec, ComponentSpec, hookimpl

_CONFIG = "tbg_nonequilibrium.config"
_CONFORMANCE = "tbg_nonequilibrium.conformance"
YU_HUANG = "Yu & Huang, Phys. Rev. E 111, 014111 (2025), arXiv:2405.11932"


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """Two SDE integrators, diffusion as a proposal with its objective and a closed-form field, and path weights."""
    return [
        ComponentSpec(
            kind="sde",
            name="euler-maruyama",
            summary="The method of Euler and Maruyama with equal steps (weak order 1).",
            target="tbg_nonequilibrium.steps:EulerMaruyama",
            config=f"{_CONFIG}:EulerMaruyamaConfig",
            citation="Maruyama, Rend. Circ. Mat. Palermo 4, 48 (1955)",
            conformance=(f"{_CONFORMANCE}:TestEulerMaruyama",),
        ),
        ComponentSpec(
            kind="sde",
            name="stochastic-heun",
            summary="Heun's method with equal steps, for additive noise (weak order 2).",
            target="tbg_nonequilibrium.steps:StochasticHeun",
            config=f"{_CONFIG}:StochasticHeunConfig",
            citation="Kloeden & Platen, Numerical Solution of Stochastic Differential Equations, Springer 1992",
            conformance=(f"{_CONFORMANCE}:TestStochasticHeun",),
        ),
        ComponentSpec(
            kind="proposal",
            name="diffusion",
            summary="Probability flow of a diffusion model, with the exact density of that flow.",
            target="tbg_nonequilibrium.proposal:DiffusionProposal",
            config=f"{_CONFIG}:DiffusionConfig",
            slots={"field": "field", "integrator": "integrator", "likelihood": "likelihood"},
            objective="denoising-score-matching",
            citation=f"Song et al., Score-Based Generative Modeling, ICLR 2021, arXiv:2011.13456; {YU_HUANG}",
            conformance=(f"{_CONFORMANCE}:TestDiffusionOnAPlane", f"{_CONFORMANCE}:TestDiffusionOfAtoms"),
        ),
        ComponentSpec(
            kind="field",
            name="mixture-velocity",
            summary="Closed-form velocity, hence score, of a diffusing Gaussian mixture.",
            target="tbg_nonequilibrium.mixture:MixtureVelocity",
            config=f"{_CONFIG}:MixtureVelocityConfig",
            capabilities=frozenset({"vectors"}),
            citation=YU_HUANG,
            conformance=(f"{_CONFORMANCE}:TestMixtureVelocity",),
        ),
        ComponentSpec(
            kind="objective",
            name="denoising-score-matching",
            summary="Regression of a diffusion's velocity, which is linear in its score, on noised data.",
            target="tbg_nonequilibrium.score_matching:DenoisingScoreMatching",
            config=f"{_CONFIG}:DenoisingScoreMatchingConfig",
            citation="Vincent, Neural Comput. 23, 1661 (2011)",
            conformance=(f"{_CONFORMANCE}:TestDenoisingScoreMatching",),
        ),
        ComponentSpec(
            kind="sampler",
            name="path-weights",
            summary="Reverse diffusion weighted by the probability of whole paths; unbiased log Z for any score.",
            target="tbg_nonequilibrium.path_weights:PathWeights",
            config=f"{_CONFIG}:PathWeightsConfig",
            citation=f"Jarzynski, Phys. Rev. Lett. 78, 2690 (1997); {YU_HUANG}",
            conformance=(f"{_CONFORMANCE}:TestPathWeights",),
        ),
    ]


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """The thermodynamics of a diffusion."""
    return [CommandSpec("thermo", "tbg_nonequilibrium.commands:app", "Thermodynamics of a diffusion model.")]
