"""The core's own components, declared by the same hook that any plugin uses."""

from __future__ import annotations

from tbg_core.registry.hooks import hookimpl
from tbg_core.registry.spec import DEFAULT, ComponentSpec

KLEIN = "Klein & Noe, Transferable Boltzmann Generators, NeurIPS 2024, arXiv:2406.14426"


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """Priors, likelihood rules, the flow, flow matching, importance sampling, observables and local workers."""
    return [*_priors(), *_likelihoods(), *_models(), *_observables(), *_executors()]


def _priors() -> list[ComponentSpec]:
    return [
        ComponentSpec(
            kind="prior",
            name="mean-free-gaussian",
            summary="Isotropic Gaussian on the mean-free coordinates of a molecule.",
            target="tbg_core.priors.gaussian:MeanFreeGaussian",
            config="tbg_core.priors.config:MeanFreeGaussianConfig",
            capabilities=frozenset({"molecules"}),
            maturity="stable",
            citation="Satorras et al., E(n) Equivariant Normalizing Flows, NeurIPS 2021, arXiv:2105.09016",
        ),
        ComponentSpec(
            kind="prior",
            name="gaussian",
            summary="Isotropic Gaussian on R^d.",
            target="tbg_core.priors.gaussian:Gaussian",
            config="tbg_core.priors.config:GaussianConfig",
            capabilities=frozenset({"vectors", DEFAULT}),
            maturity="stable",
        ),
        ComponentSpec(
            kind="prior",
            name="logit-gaussian",
            summary="Isotropic Gaussian on the mean-free logits of discrete variables.",
            target="tbg_core.priors.gaussian:LogitGaussian",
            config="tbg_core.priors.config:GaussianConfig",
            capabilities=frozenset({"labels", DEFAULT}),
            conformance=("tbg_core.priors.conformance:TestLogitGaussian",),
        ),
        ComponentSpec(
            kind="prior",
            name="harmonic",
            summary="Gaussian of springs along the bonds of a molecule.",
            target="tbg_core.priors.harmonic:HarmonicPrior",
            config="tbg_core.priors.config:HarmonicPriorConfig",
            capabilities=frozenset({"molecules", DEFAULT}),
            citation="Jing et al., EigenFold, 2023, arXiv:2304.02198",
        ),
    ]


def _likelihoods() -> list[ComponentSpec]:
    return [
        ComponentSpec(
            kind="likelihood",
            name="augmented",
            summary="log q integrated beside the state with the exact divergence.",
            target="tbg_core.flows.augmented:Augmented",
            config="tbg_core.flows.config:AugmentedConfig",
            maturity="stable",
            citation="Chen et al., Neural Ordinary Differential Equations, NeurIPS 2018, arXiv:1806.07366",
        ),
        ComponentSpec(
            kind="likelihood",
            name="quadrature",
            summary="Exact divergence at nested quadrature nodes of the path, with an error per sample.",
            target="tbg_core.flows.quadrature:Quadrature",
            config="tbg_core.flows.config:QuadratureConfig",
        ),
        ComponentSpec(
            kind="likelihood",
            name="discrete",
            summary="log-determinant of the integrator's own steps: exact for a few large ones.",
            target="tbg_core.flows.discrete:Discrete",
            config="tbg_core.flows.config:DiscreteConfig",
            maturity="experimental",
        ),
        ComponentSpec(
            kind="likelihood",
            name="hutchinson",
            summary="Stochastic estimate of the divergence; marks the ensemble as biased.",
            target="tbg_core.flows.hutchinson:Hutchinson",
            config="tbg_core.flows.config:HutchinsonConfig",
            capabilities=frozenset({"biased"}),
            citation="Grathwohl et al., FFJORD, ICLR 2019, arXiv:1810.01367",
        ),
    ]


def _models() -> list[ComponentSpec]:
    return [
        ComponentSpec(
            kind="proposal",
            name="flow",
            summary="Continuous flow: a prior carried along a vector field.",
            target="tbg_core.flows.proposal:FlowProposal",
            config="tbg_core.flows.config:FlowConfig",
            slots={
                "prior": "prior",
                "field": "field",
                "integrator": "integrator",
                "likelihood": "likelihood",
            },
            citation=KLEIN,
        ),
        ComponentSpec(
            kind="objective",
            name="flow-matching",
            summary="Regression of the field on straight paths from prior to data.",
            target="tbg_core.objectives.flow_matching:FlowMatching",
            config="tbg_core.objectives.config:FlowMatchingConfig",
            citation="Lipman et al., Flow Matching for Generative Modeling, ICLR 2023, arXiv:2210.02747",
        ),
        ComponentSpec(
            kind="objective",
            name="maximum-likelihood",
            summary="-log q of the data, for models with an exact density.",
            target="tbg_core.objectives.maximum_likelihood:MaximumLikelihood",
            config="tbg_core.objectives.config:MaximumLikelihoodConfig",
        ),
        ComponentSpec(
            kind="objective",
            name="reverse-kl",
            summary="u + log q of the model's own draws: learns from an energy, without data; path gradients.",
            target="tbg_core.objectives.reverse_kl:ReverseKL",
            config="tbg_core.objectives.config:ReverseKLConfig",
            citation="Vaitl et al., Gradients should stay on Path, 2022, arXiv:2206.09016",
            conformance=("tbg_core.objectives.conformance:TestReverseKL",),
        ),
        ComponentSpec(
            kind="sampler",
            name="importance",
            summary="Independent draws of the proposal, weighted by exp(-u - log q).",
            target="tbg_core.samplers.importance:ImportanceSampler",
            config="tbg_core.samplers.config:ImportanceSamplerConfig",
            maturity="stable",
            citation=KLEIN,
        ),
        ComponentSpec(
            kind="sampler",
            name="smc",
            summary="Annealing from proposal to target with moves and resampling (off: annealed importance sampling).",
            target="tbg_core.samplers.smc:SequentialMonteCarlo",
            config="tbg_core.samplers.config:SMCConfig",
            maturity="beta",
            citation="Del Moral, Doucet and Jasra, J. R. Stat. Soc. B 68, 411 (2006); "
            "Neal, Stat. Comput. 11, 125 (2001)",
        ),
        ComponentSpec(
            kind="sampler",
            name="independence-metropolis",
            summary="Chains that jump by draws of the proposal and move by the forces.",
            target="tbg_core.samplers.independence:IndependenceMetropolis",
            config="tbg_core.samplers.config:IndependenceMetropolisConfig",
            maturity="beta",
            citation="Tierney, Ann. Stat. 22, 1701 (1994)",
        ),
        ComponentSpec(
            kind="dynamics",
            name="langevin",
            summary="Langevin dynamics in any energy that has a gradient.",
            target="tbg_core.dynamics.langevin:Langevin",
            config="tbg_core.dynamics.config:LangevinConfig",
            capabilities=frozenset({"molecules"}),
            citation="Zhang et al., J. Phys. Chem. A 123, 6056 (2019)",
        ),
    ]


def _observables() -> list[ComponentSpec]:
    summaries = {
        "torsions": ("named_torsions:Torsions", "phi, psi, omega and chi1 to chi5 by residue (rad)."),
        "shape": ("shape:Shape", "Radius of gyration, end-to-end distance, RMSD after superposition (nm)."),
        "j-couplings": ("karplus:JCouplings", "Three-bond J-couplings of the backbone by Karplus curves (Hz)."),
        "internal-coordinates": ("internal:InternalCoordinates", "Distances, angles and torsions between any atoms."),
    }
    return [
        ComponentSpec(
            kind="observable",
            name=name,
            summary=summary,
            target=f"tbg_core.observables.{target}",
            config=f"tbg_core.observables.config:{target.partition(':')[2]}Config",
            capabilities=frozenset({"molecules"}),
        )
        for name, (target, summary) in summaries.items()
    ]


def _executors() -> list[ComponentSpec]:
    return [
        ComponentSpec(
            kind="executor",
            name="local",
            summary="Processes of this machine, as many as --threads says.",
            target="tbg_core.pipeline.workers:LocalProcesses",
            config="tbg_core.pipeline.config:LocalProcessesConfig",
            maturity="stable",
        )
    ]
