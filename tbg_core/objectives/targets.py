"""The energies of the systems that a model is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tbg_core.contracts.energy import Target
    from tbg_core.contracts.system import System
    from tbg_core.registry.references import Reference


class BoundTargets(dict[str, "Target"]):
    """Targets of one energy by the key of their system, each bound when it is first asked for.

    Args:
        energy: A name, or a mapping with ``name`` and options.
        temperature_K: Kelvin; None: that of the energy.
    """

    def __init__(self, energy: Reference, temperature_K: float | None) -> None:
        super().__init__()
        self.energy, self.temperature_K = energy, temperature_K

    def of(self, system: System) -> Target:
        """The target of a system."""
        if system.key not in self:
            from tbg_core.loading import load_target

            self[system.key] = load_target(system, self.energy, self.temperature_K)
        return self[system.key]

    def close(self) -> None:
        """Ends what the targets hold, worker processes above all; they are bound anew if they are asked for again."""
        while self:
            self.popitem()[1].close()
