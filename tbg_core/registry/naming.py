"""Names: which are ours, and what to answer to one that nobody provides."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CORE: Final = "tbg-core"

_BY_DISTRIBUTION: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    CORE: {
        "prior": ("mean-free-gaussian", "gaussian", "logit-gaussian", "harmonic"),
        "likelihood": ("augmented", "quadrature", "discrete", "hutchinson"),
        "proposal": ("flow",),
        "objective": ("flow-matching", "maximum-likelihood", "reverse-kl"),
        "sampler": ("importance", "smc", "independence-metropolis"),
        "dynamics": ("langevin",),
        "observable": ("torsions", "shape", "j-couplings", "internal-coordinates"),
        "executor": ("local",),
    },
    "tbg-assignment": {
        "system": ("labels",),
        "energy": ("potts", "label-table"),
        "field": ("assignment-network",),
        "proposal": ("assignment",),
        "objective": ("fisher-rao-matching",),
        "dynamics": ("label-sampler",),
        "observable": ("labels",),
    },
    "tbg-coarse": {"proposal": ("coarse",), "dynamics": ("vector-langevin",)},
    "tbg-data-dipeptides": {"dataset": ("dipeptides", "short-peptides")},
    "tbg-dask": {"executor": ("dask",)},
    "tbg-e3nn": {"field": ("e3nn",)},
    "tbg-autoregressive": {"proposal": ("autoregressive",)},
    "tbg-egnn": {"field": ("egnn", "hollow")},
    "tbg-ase": {"energy": ("ase",)},
    "tbg-torchdiffeq": {"integrator": ("torchdiffeq",)},
    "tbg-solvers": {"integrator": ("euler", "heun", "rk4", "dopri5")},
    "tbg-openmm": {"energy": ("openmm",), "dynamics": ("engine", "openmm"), "system": ("peptide", "pdb")},
    "tbg-nonequilibrium": {
        "sde": ("euler-maruyama", "stochastic-heun"),
        "proposal": ("diffusion",),
        "field": ("mixture-velocity",),
        "objective": ("denoising-score-matching",),
        "sampler": ("path-weights",),
    },
    "tbg-paths": {},
    "tbg-toys": {
        "system": ("toy",),
        "energy": ("double-well", "mueller-brown", "gaussian-mixture"),
        "field": ("mlp", "linear"),
        "dynamics": ("exact-sampler",),
        "observable": ("coordinates",),
    },
}

FIRST_PARTY: Final[dict[tuple[str, str], str]] = {
    (kind, name): distribution
    for distribution, kinds in _BY_DISTRIBUTION.items()
    for kind, names in kinds.items()
    for name in names
}
"""(kind, name) -> the distribution of ours that alone may provide it."""

FIRST_PARTY_DISTRIBUTIONS: Final = frozenset(_BY_DISTRIBUTION)


def same_distribution(a: str, b: str) -> bool:
    """True if two distribution names are equal after normalisation (PEP 503)."""
    return _normalise(a) == _normalise(b)


def _normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """``" Did you mean 'dopri5'?"``, or nothing where no word is close."""
    pool = {w.lower(): w for w in words}
    close = [pool[m] for m in get_close_matches(word.lower(), pool, n=3, cutoff=0.6)]
    if not close:
        return ""
    return f" Did you mean {' or '.join(repr(w) for w in close)}?"
