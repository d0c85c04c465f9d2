"""What this plugin provides; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.registry import DEFAULT, CommandSpec, ComponentSpec, hookimpl

if TYPE_CHECKING:
    from tbg_core.ensemble import Ensemble
    from tbg_core.registry import ReportSection

_CONFIG = "tbg_toys.config"
_CONFORMANCE = "tbg_toys.conformance"
_VECTORS = frozenset({"vectors"})


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """A source of toy systems, their energies, two fields, a dynamics that samples exactly, and coordinates."""
    return [
        ComponentSpec(
            kind="system",
            name="toy",
            summary="Toy systems on R^d: double wells, Mueller-Brown, Gaussians.",
            target="tbg_toys.system:ToySource",
            config=f"{_CONFIG}:ToyConfig",
            capabilities=_VECTORS,
            conformance=(f"{_CONFORMANCE}:TestToySource",),
        ),
        ComponentSpec(
            kind="energy",
            name="double-well",
            summary="Quartic double well, symmetric or tilted, harmonic in further dimensions.",
            target="tbg_toys.double_well:DoubleWell",
            config=f"{_CONFIG}:DoubleWellConfig",
            capabilities=_VECTORS,
            conformance=(
                f"{_CONFORMANCE}:TestDoubleWell",
                f"{_CONFORMANCE}:TestAsymmetricDoubleWell",
            ),
        ),
        ComponentSpec(
            kind="energy",
            name="mueller-brown",
            summary="The two-dimensional surface of Mueller and Brown.",
            target="tbg_toys.mueller_brown:MuellerBrown",
            config=f"{_CONFIG}:MuellerBrownConfig",
            capabilities=_VECTORS,
            citation="Mueller and Brown, Theor. Chim. Acta 53, 75 (1979)",
            conformance=(f"{_CONFORMANCE}:TestMuellerBrown",),
        ),
        ComponentSpec(
            kind="energy",
            name="gaussian-mixture",
            summary="Mixture of isotropic Gaussians, normalised up to a known offset.",
            target="tbg_toys.gaussian_mixture:GaussianMixture",
            config=f"{_CONFIG}:GaussianMixtureConfig",
            capabilities=_VECTORS,
            conformance=(f"{_CONFORMANCE}:TestGaussianMixture",),
        ),
        ComponentSpec(
            kind="field",
            name="mlp",
            summary="Multilayer perceptron on R^d with a time embedding.",
            target="tbg_toys.mlp:MLP",
            config=f"{_CONFIG}:MLPConfig",
            capabilities=_VECTORS | {DEFAULT},
        ),
        ComponentSpec(
            kind="field",
            name="linear",
            summary="Linear field whose flow and log-determinant are known exactly.",
            target="tbg_toys.linear:Linear",
            config=f"{_CONFIG}:LinearConfig",
            capabilities=_VECTORS,
        ),
        ComponentSpec(
            kind="dynamics",
            name="exact-sampler",
            summary="Independent exact samples of a toy in place of a simulation.",
            target="tbg_toys.exact_sampler:ExactSampler",
            config=f"{_CONFIG}:ExactSamplerConfig",
            capabilities=_VECTORS | {DEFAULT},
            conformance=(
                f"{_CONFORMANCE}:TestExactSamplerOfDoubleWell",
                f"{_CONFORMANCE}:TestExactSamplerOfMuellerBrown",
                f"{_CONFORMANCE}:TestExactSamplerOfGaussianMixture",
            ),
        ),
        ComponentSpec(
            kind="observable",
            name="coordinates",
            summary="Coordinates of a point in R^d, and the one along which a toy has its barrier.",
            target="tbg_toys.coordinates:Coordinates",
            config=f"{_CONFIG}:CoordinatesConfig",
            capabilities=_VECTORS,
        ),
    ]


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """What the toys are, and what is known exactly about them."""
    return [
        CommandSpec("toys", "", "Toy systems, and what is known exactly about them."),
        CommandSpec("toys list", "tbg_toys.commands:list_toys", "List the toys."),
        CommandSpec("toys show", "tbg_toys.commands:show", "Show a toy's potential and its exact values."),
    ]


@hookimpl
def tbg_report_sections(ensemble: Ensemble) -> list[ReportSection]:
    """Exact values beside the estimates, and the samples on the potential; for runs on toys."""
    from tbg_toys.report import toy_sections

    return toy_sections(ensemble)
