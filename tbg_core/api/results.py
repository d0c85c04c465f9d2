"""The verbs that read a finished run: report, estimate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tbg_core.api.arguments import as_path
from tbg_core.storage.folders import check_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tbg_core.api.arguments import Folder
    from tbg_core.ensemble import Ensemble
    from tbg_core.ensemble.analysis import Analysis
    from tbg_core.observables import Observable


def report(
    run: Folder,
    *others: Folder,
    reference: Folder | None = None,
    observables: Iterable[str] = (),
    units: Iterable[str] = (),
    page: Folder | None = None,
) -> Path:
    """Writes the report of a run again, or one page that compares several runs; returns its path.

    Args:
        run: Folder of the run.
        others: Folders of runs of the same system to compare it with: ``report("runs/a", "runs/b")``.
        reference: A folder that :func:`simulate` made of the same distribution, to compare with.
        observables: What to show beside the usual, e.g. ``["rg", "distance:1:C,3:N"]``.
        units: Units to show, e.g. ``["kcal/mol", "angstrom"]``.
        page: File of a comparison; by default named after the runs, beside the first.

    Raises:
        StorageError: If a folder holds no run, or the reference is not of the same distribution.
        ConfigError: If the runs are not of one system, or an observable or a unit cannot be understood.
    """
    folders = [check_run(Path(folder)) for folder in (run, *others)]
    shown, chosen = tuple(observables), tuple(units)
    if not others:
        from tbg_core.report.build import build_report

        return build_report(folders[0], reference=as_path(reference), observables=shown, units=chosen)
    from tbg_core.report.comparison.build import build_comparison

    return build_comparison(folders, as_path(page), as_path(reference), observables=shown, units=chosen)


def estimate(
    run: Folder | Ensemble,
    observables: Iterable[str | Observable] | None = None,
    *,
    regions: tuple[tuple[float, float], tuple[float, float]] | None = None,
    profile: bool = False,
    bins: int = 36,
    units: Iterable[str] = (),
    level: float = 0.9,
    seed: int = 0,
) -> Analysis:
    """Averages and free energies: ``estimate("runs/ala", ["phi", "mycv.py:bend"], units=["kcal/mol"])``.

    Args:
        run: Folder of a run or of a saved ensemble, or an ensemble.
        observables: Texts as after ``--observable`` (``FILE.py:NAME`` runs that file), or observables; the usual ones
            of the system if None.
        regions: Two intervals of each observable, in the unit shown, between which its free energy is taken.
        profile: Free energy along each observable as well.
        bins: Bins of a profile.
        units: Units of energies, angles and lengths; kT, degree and nm where none is named.
        level: Nominal coverage of the intervals.
        seed: Seed of the bootstrap.

    Raises:
        TbgError: If the folder holds no run, or an observable or unit does not exist.
    """
    from tbg_core.ensemble import Ensemble
    from tbg_core.ensemble.analysis import analyse
    from tbg_core.observables import load_observable
    from tbg_core.units import Units

    chosen_units = Units.parse(units)
    ensemble = run if isinstance(run, Ensemble) else Ensemble.load(Path(run))
    chosen = None
    if observables is not None:
        chosen = [load_observable(text, ensemble.system) if isinstance(text, str) else text for text in observables]
    return analyse(
        ensemble,
        chosen,
        regions=regions,
        profile=profile,
        bins=bins,
        units=chosen_units,
        level=level,
        seed=seed,
    )
