"""What a plugin says about a component: names and strings only, so that listing imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from tbg_core.contracts import KINDS
from tbg_core.errors import PluginError

API_VERSION: Final = 1
"""Version of the contracts; a component made for another one is refused."""

SYSTEM_CLASSES: Final = ("molecules", "vectors", "labels")
"""Capabilities that say which systems a source makes, and which a component is for (none of them: any)."""

DEFAULT: Final = "default"
"""Capability of the component that is taken for its class of systems where the user names none; only ours count."""

ENERGY: Final = "energy:"
"""Prefix of capabilities of a dynamics: the energies that it integrates, e.g. ``"energy:openmm"`` (none: any)."""

CAPABILITIES: Final[dict[str, str]] = {
    "molecules": "makes molecules, or is for them",
    "vectors": "makes points in R^d, or is for them",
    "labels": "makes discrete variables, as mean-free logits, or is for them",
    DEFAULT: "is taken where the user names none (components of this project only)",
    "biased": "gives stochastic estimates of log q; ensembles are marked",
    "gradients": "gives energy gradients",
    "exact-divergence": "has an exact divergence of its own",
    "dense-output": "gives the state at any time of the path",
    "accumulators": "carries accumulators along",
    "adaptive": "chooses its steps by their error",
}
"""The capabilities in use, beside ``energy:NAME``; others are allowed, and shown as a remark by a check."""

Maturity = Literal["experimental", "beta", "stable"]

_NAME = re.compile(r"^[a-z][a-z0-9-]*$")
_TARGET = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


@dataclass(frozen=True)
class ComponentSpec:
    """One component, described without importing it.

    Attributes:
        kind: One of :data:`tbg_core.contracts.KINDS`.
        name: What configs and flags call it: lower case, digits, hyphens.
        summary: One line for listings.
        target: ``"module:Class"``; called as ``Class(config, **slots)``.
        config: ``"module:Class"`` of its pydantic config, in a module that imports no torch.
        slots: Slot -> kind of the components that are built first and passed by keyword, e.g.
            ``{"prior": "prior"}`` for a flow.
        capabilities: What it can do, for checks before any work, e.g. ``{"molecules"}``; those in
            :data:`SYSTEM_CLASSES` limit it to such systems.
        checkpoints: ``"package"`` whose folder holds shipped checkpoints, or ``""``.
        recipes: ``"package.folder"`` of the training recipes that come with it, YAML files named after themselves, or
            ``""``.
        objective: Of a proposal: the objective that trains it where the user names none, or ``""`` for the usual one
            (flow matching where it has a vector field, else maximum likelihood).
        maturity: How far to trust it.
        api_version: The contracts it was written for.
        citation: Papers to cite, separated by ``;``: author, title or journal, year, where there is one a doi or arXiv
            number.
        conformance: ``"module:Class"`` of the conformance classes that ``tbg plugins check`` runs, in a module that
            may import pytest. Without any, one is made from the default options.
    """

    kind: str
    name: str
    summary: str
    target: str
    config: str
    slots: dict[str, str] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    checkpoints: str = ""
    recipes: str = ""
    objective: str = ""
    maturity: Maturity = "beta"
    api_version: int = API_VERSION
    citation: str = ""
    conformance: tuple[str, ...] = ()

    @property
    def system_classes(self) -> frozenset[str]:
        """The classes of systems that it makes or is for; empty: any."""
        return self.capabilities.intersection(SYSTEM_CLASSES)

    @property
    def energies(self) -> frozenset[str]:
        """Names of the energies that a dynamics is for; empty: any."""
        return frozenset(c.removeprefix(ENERGY) for c in self.capabilities if c.startswith(ENERGY))

    def validate(self) -> None:
        """Checks the form of every attribute.

        Raises:
            PluginError: Naming the attribute that is wrong.
        """
        where = f"component {self.kind}/{self.name}"
        if self.kind not in KINDS:
            raise PluginError(f"{where}: unknown kind {self.kind!r}.", fix=f"Kinds are {', '.join(KINDS)}.")
        if not _NAME.match(self.name):
            raise PluginError(f"{where}: names are lower case letters, digits and hyphens.")
        for attribute in ("target", "config"):
            if not _TARGET.match(getattr(self, attribute)):
                raise PluginError(f"{where}: {attribute} {getattr(self, attribute)!r} is not 'module:Class'.")
        for target in self.conformance:
            if not _TARGET.match(target):
                raise PluginError(f"{where}: conformance {target!r} is not 'module:Class'.")
        for slot, kind in self.slots.items():
            if kind not in KINDS:
                raise PluginError(f"{where}: slot {slot!r} is of unknown kind {kind!r}.")
        if self.api_version != API_VERSION:
            raise PluginError(
                f"{where} was made for contracts version {self.api_version}, this is {API_VERSION}.",
                fix="Install a release of the plugin made for this version of tbg-core.",
            )
