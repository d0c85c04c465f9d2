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

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Union

from tbg_core.config.request import make_request, overrides_for, recorded
from tbg_core.registry.references import Reference
from tbg_core.storage.folders import check_folder, check_inputs, check_run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tbg_core.config.request import Overrides, Source
    from tbg_core.ensemble import Ensemble
    from tbg_core.ensemble.analysis import Analysis
    from tbg_core.observables import Observable
    from tbg_core.pipeline.progress import Progress

Folder = Union[str, Path]  # noqa: UP007 - evaluated at run time on Python 3.10 too
SystemReference = Union[Reference, Path]  # noqa: UP007 - as above

_PARTS: Final = ("system", "model", "energy", "prior", "integrator", "likelihood", "sampler", "executor")


def run(
    *,
    system: SystemReference | None = None,
    model: Reference | None = None,
    energy: Reference | None = None,
    prior: Reference | None = None,
    integrator: Reference | None = None,
    likelihood: Reference | None = None,
    sampler: Reference | None = None,
    temperature_K: float | None = None,
    num_samples: int | None = None,
    seed: int | None = None,
    checkpoint: Folder | None = None,
    from_scratch: bool = False,
    reference: Folder | None = None,
    trust_forcefield: bool = False,
    config: Source = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int = 1,
    executor: Reference | None = None,
    progress: bool | Progress = False,
) -> Ensemble:
    """From nothing to a reweighted ensemble and its report: ``run(system="ACE-ALA-NME", num_samples=256)``.

    Args:
        system: A name, a one-letter sequence, residue codes, a PDB path, or a mapping for a system source.
        model: A proposal, or the field of a flow.
        energy: What weights the samples.
        prior: Where the flow starts.
        integrator: How the flow is integrated.
        likelihood: How log q is obtained.
        sampler: How draws become weighted samples.
        temperature_K: Kelvin; that of the energy's preset if left out.
        num_samples: Samples to attempt.
        seed: Fixes every random number.
        checkpoint: A trained model; the one that ships for the system if left out.
        from_scratch: Simulate and train first.
        reference: A folder that :func:`simulate` made of the same distribution; the report compares with it.
        trust_forcefield: Allow force-field files from outside OpenMM; they can hold code, which is executed.
        config: Settings under those given here.
        options: Further settings by dotted path.
        out: Folder of the run.
        resume: Complete the run that was begun there.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
        threads: CPU cores to use.
        executor: Where the work is done; processes of this machine if left out.
        progress: True, or where to report to.

    Returns:
        The ensemble; its ``folder`` holds ``report.html``.

    Raises:
        TbgError: If anything given cannot be used, in one line that says what to do.
    """
    given = _checkpoint(checkpoint)
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components=dict(
            zip(_PARTS, (system, model, energy, prior, integrator, likelihood, sampler, executor), strict=True),
        ),
        values={"temperature_K": temperature_K, "sampling.num_samples": num_samples, "seed": seed},
        out=_path(out),
        resume=resume,
        needs=["system", "model", "energy", "sampler", *(("objective", "dynamics") if from_scratch else ())],
        trust_forcefield=trust_forcefield,
        checkpoint=given,
    )
    if resume and not from_scratch:
        # The folder is enough to go on, however the run was begun.
        from_scratch = bool(recorded(folder, "from_scratch"))
    from tbg_core.pipeline.run import run as run_pipeline

    run_pipeline(
        resolved,
        folder,
        checkpoint=given,
        from_scratch=from_scratch,
        reference=_path(reference),
        resume=resume,
        device=device,
        workers=threads,
        progress=_progress(progress),
    )
    return _load(folder)


def sample(
    checkpoint: Folder,
    *,
    system: SystemReference | None = None,
    model: Reference | None = None,
    energy: Reference | None = None,
    prior: Reference | None = None,
    integrator: Reference | None = None,
    likelihood: Reference | None = None,
    sampler: Reference | None = None,
    temperature_K: float | None = None,
    num_samples: int | None = None,
    seed: int | None = None,
    reference: Folder | None = None,
    trust_forcefield: bool = False,
    config: Source = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int = 1,
    executor: Reference | None = None,
    progress: bool | Progress = False,
) -> Ensemble:
    """Weighted samples of a trained model: ``sample("runs/t/checkpoint", system="ACE-NME", num_samples=1000)``.

    The other arguments, and what is raised, are those of :func:`run`.
    """
    trained = check_inputs([Path(checkpoint)], "--checkpoint")[0].resolve()
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components=dict(
            zip(_PARTS, (system, model, energy, prior, integrator, likelihood, sampler, executor), strict=True),
        ),
        values={"temperature_K": temperature_K, "sampling.num_samples": num_samples, "seed": seed},
        out=_path(out),
        resume=resume,
        needs=["system", "model", "energy", "sampler"],
        trust_forcefield=trust_forcefield,
        checkpoint=trained,
    )
    from tbg_core.pipeline.sample import sample as sample_pipeline

    sample_pipeline(
        resolved,
        trained,
        folder,
        reference=_path(reference),
        resume=resume,
        device=device,
        workers=threads,
        progress=_progress(progress),
    )
    return _load(folder)


def simulate(
    *,
    system: SystemReference | None = None,
    energy: Reference | None = None,
    dynamics: Reference | None = None,
    temperature_K: float | None = None,
    walkers: int | None = None,
    frames: int | None = None,
    seed: int | None = None,
    trust_forcefield: bool = False,
    config: Source = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    threads: int = 1,
    executor: Reference | None = None,
    progress: bool | Progress = False,
) -> Path:
    """Training or reference data: ``simulate(system="ACE-NME", walkers=4, frames=2000)``; returns the folder.

    ``walkers`` are independent simulations, ``frames`` is what each of them stores, ``dynamics`` the engine. The
    other arguments, and what is raised, are those of :func:`run`.
    """
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components={"system": system, "energy": energy, "dynamics": dynamics, "executor": executor},
        values={
            "temperature_K": temperature_K,
            "simulation.walkers": walkers,
            "simulation.frames": frames,
            "seed": seed,
        },
        out=_path(out),
        resume=resume,
        needs=["system", "energy", "dynamics"],
        trust_forcefield=trust_forcefield,
        folder="data",
        named_by=("system", "energy"),
    )
    from tbg_core.pipeline.simulate import simulate as simulate_pipeline

    return simulate_pipeline(resolved, folder, resume=resume, workers=threads, progress=_progress(progress))


def train(
    data: Folder | Iterable[Folder],
    *,
    model: Reference | None = None,
    prior: Reference | None = None,
    objective: Reference | None = None,
    steps: int | None = None,
    seed: int | None = None,
    checkpoint: Folder | None = None,
    config: Source = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int = 1,
    progress: bool | Progress = False,
) -> Path:
    """A model of simulated data: ``train("data/nma", model="egnn", steps=4000)``; returns the checkpoint folder.

    ``data`` are folders that :func:`simulate` or :func:`make_dataset` made, or names of datasets whose frames ship,
    ``objective`` is the loss, ``steps`` counts optimiser steps; training starts from the weights of ``checkpoint``
    where one is given. The other arguments, and what is raised, are those of :func:`run`.
    """
    from tbg_core.datasets.verbs import data_folder

    folders = [data_folder(d) for d in ([data] if isinstance(data, (str, Path)) else data)]
    start = _checkpoint(checkpoint)
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components={"model": model, "prior": prior, "objective": objective},
        values={"training.steps": steps, "seed": seed},
        out=_path(out),
        resume=resume,
        needs=["model", "objective"],
        checkpoint=start,
        data=folders,
        folder="trained",
        named_by=("model",),
    )
    from tbg_core.pipeline.train import train as train_pipeline

    return train_pipeline(
        resolved,
        folders,
        folder,
        resume=resume,
        device=device,
        threads=threads,
        checkpoint=start,
        progress=_progress(progress),
    )


def reweight(
    run: Folder,
    *,
    energy: Reference | None = None,
    temperature_K: float | None = None,
    trust_forcefield: bool = False,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    progress: bool | Progress = False,
) -> Ensemble:
    """The draws of a run for another energy or temperature: ``reweight("runs/gf", temperature_K=330)``.

    Positions and log q stay as they are; only energies are computed. ``out`` is ``RUN-reweighted`` if left out. The
    other arguments, and what is raised, are those of :func:`run`.
    """
    source = check_run(Path(run))
    changes = overrides_for(
        source,
        options,
        {"energy": energy},
        {"temperature_K": temperature_K},
        trust_forcefield=trust_forcefield,
    )
    folder = _path(out) or source.with_name(f"{source.name}-reweighted")
    check_folder(folder, resume=resume)
    from tbg_core.pipeline.reweight import reweight as reweight_pipeline

    reweight_pipeline(source, changes, folder, resume=resume, progress=_progress(progress))
    return _load(folder)


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

        return build_report(folders[0], reference=_path(reference), observables=shown, units=chosen)
    from tbg_core.report.comparison.build import build_comparison

    return build_comparison(folders, _path(page), _path(reference), observables=shown, units=chosen)


def make_dataset(
    dataset: str,
    *,
    split: str = "train",
    systems: Iterable[str] | None = None,
    frames: int | None = None,
    seed: int | None = None,
    options: Overrides = None,
    out: Folder | None = None,
    resume: bool = False,
    threads: int = 1,
    executor: Reference | None = None,
    progress: bool | Progress = False,
) -> Path:
    """Frames of many systems: ``make_dataset("dipeptides", split="train", out="data/dipeptides")``; returns the folder.

    Args:
        dataset: Name of an installed dataset.
        split: Which part of it.
        systems: Only these of the split.
        frames: Frames per walker; resumed with more, a finished dataset is prolonged.
        seed: Fixes every random number.
        options: Settings over the dataset's recipe, by dotted path, e.g. ``{"simulation.walkers": 8}``.
        out: Folder of the dataset.
        resume: Complete or prolong what is there.
        threads: Systems simulated at a time.
        executor: Where they are simulated; on processes of this machine if left out.
        progress: True, or where to report to.

    Raises:
        TbgError: If anything given cannot be used, or a simulation failed (the others are then complete).
    """
    from tbg_core.datasets import verbs

    return verbs.make(
        dataset,
        split,
        systems=None if systems is None else list(systems),
        options=options,
        executor=executor,
        values={"simulation.frames": frames, "seed": seed},
        out=_path(out),
        resume=resume,
        workers=threads,
        progress=_progress(progress),
    )


def list_datasets() -> list[dict[str, Any]]:
    """Every split of every installed dataset, as plain data."""
    from tbg_core.datasets import verbs

    return verbs.known_datasets()


def show_dataset(dataset: str | Path) -> dict[str, Any]:
    """What a dataset (a folder or a name) says of itself: settings, and the convergence of every system."""
    from tbg_core.datasets import verbs

    return verbs.show(dataset)


def pack_dataset(
    folder: Folder, *, out: Folder, frames: int = 1600, skip: int = 20, progress: bool | Progress = False
) -> Path:
    """The published form of a dataset: ``frames`` frames of each system as 16-bit positions; returns ``out``.

    The first ``skip`` frames of each walker are left out.
    """
    from tbg_core.datasets.packing import pack

    return pack(Path(folder), Path(out), frames=frames, skip=skip, progress=_progress(progress))


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
    ensemble = run if isinstance(run, Ensemble) else _load(Path(run))
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


def _load(folder: Path) -> Ensemble:
    from tbg_core.ensemble import Ensemble

    return Ensemble.load(folder)


def _path(folder: Folder | None) -> Path | None:
    return None if folder is None else Path(folder)


def _checkpoint(folder: Folder | None) -> Path | None:
    # Stored as it is resolved here: a run can be resumed from any directory.
    return None if folder is None else check_inputs([Path(folder)], "--checkpoint")[0].resolve()


def _progress(progress: bool | Progress) -> Progress:  # noqa: FBT001 - passed on
    if not isinstance(progress, bool):
        return progress
    from tbg_core.cli.progress import make_progress

    return make_progress(quiet=not progress)
