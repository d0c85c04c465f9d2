"""The verbs of the command line, from Python; the command line itself calls them.

Every verb takes its choices by keyword, as the command takes its flags:

* ``system``, ``model``, ``energy``, ``prior``, ...: a name, or a mapping with ``name`` and options.
* ``config``: a YAML or TOML file, a mapping with the same content, or a ``RunConfig``.
* ``options``: further settings by their dotted path, ``{"integrator.rtol": 1e-6, "training.steps": 4000}``.
* ``out``: the folder; by default named after what is run. ``resume=True`` completes what was begun there.
* ``threads``: more than one starts worker processes; a script then needs ``if __name__ == "__main__":``.
* ``progress``: True shows it as the command line does; an object with the methods of
  :class:`tbg_core.pipeline.progress.Progress` is told of it.

What can go wrong is a :class:`tbg_core.errors.TbgError`, with the line that the command would print.
"""

from __future__ import annotations

from tbg_core.api.datasets import list_datasets, make_dataset, pack_dataset, show_dataset
from tbg_core.api.results import estimate, report
from tbg_core.api.runs import reweight, run, sample
from tbg_core.api.training import simulate, train

__all__ = [
    "estimate",
    "list_datasets",
    "make_dataset",
    "pack_dataset",
    "report",
    "reweight",
    "run",
    "sample",
    "show_dataset",
    "simulate",
    "train",
]
