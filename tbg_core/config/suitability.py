"""Do the components of a run fit its system? Asked of their descriptions, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tbg_core.config.run_config import COMPONENT_KEYS
from tbg_core.errors import ConfigError, PluginError, TbgError, UnknownComponentError
from tbg_core.registry.naming import FIRST_PARTY
from tbg_core.registry.spec import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tbg_core.registry.registry import Registry
    from tbg_core.registry.spec import ComponentSpec


class Basis(NamedTuple):
    """What the components have to fit.

    Attributes:
        label: What to call it in messages, e.g. ``"the system GF"``.
        classes: Its classes of systems (:data:`tbg_core.registry.spec.SYSTEM_CLASSES`); empty: anything fits.
    """

    label: str
    classes: frozenset[str]

    def fits(self, spec: ComponentSpec) -> bool:
        """True unless the component is for other classes."""
        return not (self.classes and spec.system_classes) or bool(self.classes & spec.system_classes)


def basis_of_system(registry: Registry, system: object) -> Basis | None:
    """What the source of a completed system makes; None where there is none that is known."""
    if not isinstance(system, Mapping):
        return None
    try:
        spec = registry.spec("system", system["name"])
    except (UnknownComponentError, PluginError):
        return None
    options = " ".join(str(value) for key, value in system.items() if key != "name" and value is not None)
    return Basis(f"the system {options or spec.name}", spec.system_classes)


def basis_of_model(registry: Registry, reference: Mapping[str, Any], label: str) -> Basis:
    """What the proposal and its field are for."""
    classes: frozenset[str] = frozenset()
    for spec in _specs(registry, "proposal", {k: v for k, v in reference.items() if k != "prior"}):
        classes = classes & spec.system_classes or classes or spec.system_classes
    return Basis(f"the model {label}", classes)


def default_for(registry: Registry, kind: str, basis: Basis, usual: str) -> str:
    """The component of ours to take for ``basis``: the usual one, or if that does not fit, the default that does."""
    # A proposal that is a default knows its own field; a field is made a flow of.
    kinds = ("proposal", "field") if kind == "proposal" else (kind,)
    try:
        named = [s for k in kinds for s in registry.specs(k) if s.name == usual]
        if not basis.classes or (named and all(basis.fits(s) for s in named)):
            return usual
    except TbgError:
        return usual
    for spec in (s for k in kinds for s in registry.specs(k)):
        if DEFAULT in spec.capabilities and basis.fits(spec) and (spec.kind, spec.name) in FIRST_PARTY:
            return spec.name
    return usual


def dynamics_for(registry: Registry, basis: Basis, energy: str, usual: str) -> str:
    """The dynamics of ours to take for an energy: the usual one, or if that cannot integrate it, one that can."""
    try:
        specs = [s for s in registry.specs("dynamics") if (s.kind, s.name) in FIRST_PARTY and basis.fits(s)]
    except TbgError:
        return usual
    fitting = [s.name for s in specs if not s.energies or energy in s.energies]
    return usual if usual in fitting or not fitting else fitting[0]


def check_dynamics(registry: Registry, basis: Basis | None, dynamics: str, energy: str) -> None:
    """Refuses a dynamics that cannot integrate the energy.

    Raises:
        ConfigError: Naming those that can.
    """
    spec = registry.spec("dynamics", dynamics)
    if not spec.energies or energy in spec.energies or not (basis is None or basis.fits(spec)):
        return  # a dynamics for other systems is refused for that, by check_fit
    able = [s for s in registry.specs("dynamics") if not s.energies or energy in s.energies]
    others = [s.name for s in able if basis is None or basis.fits(s)]
    raise ConfigError(
        f"dynamics {dynamics!r} integrates the energy {_words(spec.energies)}, not {energy!r}.",
        fix=f"Choose another by `-s dynamics=NAME`: {', '.join(others)}." if others else "",
    )


def check_fit(registry: Registry, basis: Basis, chosen: Mapping[str, Any], keys: Iterable[str]) -> None:
    """Refuses components that are for other systems.

    Args:
        registry: Where to look.
        basis: What they have to fit.
        chosen: Key of the configuration -> completed reference, or None.
        keys: Keys to check.

    Raises:
        ConfigError: Naming the first that does not fit, and those that would.
    """
    for key in keys:
        if chosen.get(key) is None:
            continue
        for spec in _specs(registry, COMPONENT_KEYS[key], chosen[key]):
            if basis.fits(spec):
                continue
            others = [s.name for s in registry.specs(spec.kind) if basis.fits(s)]
            flag = "model" if spec.kind in {"field", "proposal"} else key
            raise ConfigError(
                f"{spec.kind} {spec.name!r} is for {_words(spec.system_classes)}, "
                f"and {basis.label} is of the class {_words(basis.classes)}.",
                fix=f"Choose another by `-s {flag}=NAME`: {', '.join(others)}."
                if others
                else f"No {spec.kind} for {_words(basis.classes)} is installed.",
            )


def _specs(registry: Registry, kind: str, reference: Any) -> Iterator[ComponentSpec]:
    """The component that a reference names and those in its slots, as far as they are installed."""
    name, options = (reference, {}) if isinstance(reference, str) else (reference["name"], reference)
    try:
        spec = registry.spec(kind, name)
    except (UnknownComponentError, PluginError):
        return
    yield spec
    for slot, inner_kind in spec.slots.items():
        if options.get(slot) is not None:
            yield from _specs(registry, inner_kind, options[slot])


def _words(classes: frozenset[str]) -> str:
    return " or ".join(sorted(classes))
