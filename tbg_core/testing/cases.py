"""The conformance classes of a component: its own where it names some, or else one made from its description.

Without a class of its own a component is built with its default options, its slots are filled with the exact parts
of :mod:`tbg_core.testing.parts`, and it is tried on a small system of its class:
N-methylacetamide, logits of discrete variables, or a point in a plane.
"""

from __future__ import annotations

import inspect
import math
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import pytest
import torch

from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.contracts.system import Logits
from tbg_core.errors import PluginError
from tbg_core.flows.augmented import Augmented
from tbg_core.flows.config import AugmentedConfig
from tbg_core.molecule import Molecule
from tbg_core.priors.config import GaussianConfig, MeanFreeGaussianConfig
from tbg_core.priors.gaussian import Gaussian, LogitGaussian, MeanFreeGaussian
from tbg_core.testing.parts import (
    ClassicRK4,
    CurvedField,
    Harmonic,
    PairField,
    labels,
    n_methylacetamide,
    near_reference,
    plane,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tbg_core.contracts.system import System
    from tbg_core.registry import ComponentSpec, Registry

_LOOSE: Final[dict[str, dict[str, Any]]] = {
    # What default options must achieve; a class of the plugin's own asks more of better ones.
    "integrator": {"tolerance": 5e-2, "path_tolerance": 5e-2},
    "sde": {"tolerance": 5e-2},
    "likelihood": {"tolerance": 1e-3},
    "proposal": {"atol": 1e-3},
}


def conformance_base(kind: str) -> type:
    """The conformance class of a kind: that of ``"field"`` is ``tbg_core.testing.field.FieldConformance``.

    Raises:
        PluginError: If the kind has none.
    """
    try:
        found = getattr(import_module(f"tbg_core.testing.{kind}"), f"{kind.title()}Conformance")
    except (ModuleNotFoundError, AttributeError):
        raise PluginError(f"there is no conformance class for the kind {kind!r}.") from None
    assert isinstance(found, type)
    return found


def cases(registry: Registry, spec: ComponentSpec) -> dict[str, type]:
    """The conformance classes of a component, by name.

    Raises:
        PluginError: If a class that the component names cannot be imported or is not of its kind.
    """
    base = conformance_base(spec.kind)
    if not spec.conformance:
        name = f"Default{spec.kind.title()}"
        return {name: type(name, (base,), _methods(registry, spec))}
    found: dict[str, type] = {}
    for target in spec.conformance:
        pytest.register_assert_rewrite(target.partition(":")[0])
        case = registry.load(target, f"the conformance class of {spec.kind} {spec.name!r}")
        if not (inspect.isclass(case) and issubclass(case, base)):
            raise PluginError(
                f"{target}, a conformance class of {spec.kind} {spec.name!r}, does not inherit {base.__name__}.",
                fix=f"Write `class {target.partition(':')[2]}(tbg_core.testing.{base.__name__})`.",
            )
        if missing := sorted(getattr(case, "__abstractmethods__", ())):
            raise PluginError(f"{target} does not give {', '.join(missing)}.", fix=f"See {base.__name__}.")
        found[target.partition(":")[2]] = case
    return found


def standard_system(spec: ComponentSpec) -> System:
    """What a component is tried on: a small system of the class it is for, else a point in a plane."""
    if spec.system_classes == {"molecules"}:
        return n_methylacetamide()
    return labels() if spec.system_classes == {"labels"} else plane()


def _methods(registry: Registry, spec: ComponentSpec) -> dict[str, Any]:
    """What the conformance class of the kind asks for."""
    system = standard_system(spec)
    molecular = isinstance(system, Molecule)

    def make(_: object) -> Any:
        options = {"name": spec.name}
        if spec.kind == "field":
            cls = registry.load(spec.target, f"field {spec.name!r}")
            config = cls.adapt(registry.validated("field", spec.name, {}), [system])
            return _scatter(cls(config))
        slots = {slot: _part(kind, system) for slot, kind in spec.slots.items()}
        if spec.kind == "proposal":
            if molecular and "length_scale_nm" in registry.config_class(spec.kind, spec.name).model_fields:
                options["length_scale_nm"] = 0.1  # type: ignore[assignment]
            return _scatter(registry.build(spec.kind, options, **slots))
        return registry.build(spec.kind, options, **slots)

    methods: dict[str, Callable[..., Any] | Any] = {"make": make, **_LOOSE.get(spec.kind, {})}
    if spec.kind == "system":
        source = registry.load(spec.target, f"system {spec.name!r}")
        methods = {
            "accepted": tuple(source.examples),
            "source": lambda _: source,
            "config": lambda _: registry.config_class("system", spec.name),
        }
    elif spec.kind == "dynamics":
        methods["target"] = lambda _: Harmonic().bind(system, ThermodynamicState(300.0))
    elif spec.kind in {"prior", "field", "energy", "proposal", "observable"}:
        methods["system"] = lambda _: system
        if isinstance(system, Molecule) and spec.kind in {"energy", "observable"}:
            count = 5 if spec.kind == "energy" else 6
            states = near_reference(system, count)
            methods["states"] = lambda _: states if spec.kind == "energy" else states.numpy()
    return methods


def _part(kind: str, system: System) -> Any:
    """An exact component for a slot.

    Raises:
        PluginError: If there is none of that kind.
    """
    molecular = isinstance(system, Molecule)
    vectors = LogitGaussian if isinstance(system.space, Logits) else Gaussian
    parts: dict[str, Callable[[], Any]] = {
        "prior": lambda: MeanFreeGaussian(MeanFreeGaussianConfig()) if molecular else vectors(GaussianConfig()),
        "field": lambda: PairField() if molecular else CurvedField(2),
        "integrator": lambda: ClassicRK4(12),
        "likelihood": lambda: Augmented(AugmentedConfig()),
        "energy": Harmonic,
    }
    if kind not in parts:
        raise PluginError(
            f"there is no standard {kind} to fill a slot with.", fix="Name a class in ComponentSpec.conformance."
        )
    return parts[kind]()


def _scatter(model: Any) -> Any:
    """Weights at random, always the same: a field that begins as zero would pass every test."""
    generator = torch.Generator().manual_seed(17)
    with torch.no_grad():
        for weight in model.parameters():
            noise: Tensor = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            weight.copy_(weight + 0.5 * noise / math.sqrt(max(1, weight.shape[-1] if weight.ndim else 1)))
    return model
