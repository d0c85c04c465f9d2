"""The verbs that give an ensemble: run, sample, reweight."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tbg_core.api.arguments import as_checkpoint, as_path, as_progress
from tbg_core.config.request import make_request, overrides_for, recorded
from tbg_core.storage.folders import check_folder, check_inputs, check_run

if TYPE_CHECKING:
    from tbg_core.api.arguments import Folder, SystemReference
    from tbg_core.config.request import Overrides, Source
    from tbg_core.ensemble import Ensemble
    from tbg_core.pipeline.progress import Progress
    from tbg_core.registry.references import Reference

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
    given = as_checkpoint(checkpoint)
    resolved, folder = make_request(
        config=config,
        overrides=options,
        components=dict(
            zip(_PARTS, (system, model, energy, prior, integrator, likelihood, sampler, executor), strict=True),
        ),
        values={"temperature_K": temperature_K, "sampling.num_samples": num_samples, "seed": seed},
        out=as_path(out),
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
        reference=as_path(reference),
        resume=resume,
        device=device,
        workers=threads,
        progress=as_progress(progress),
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
        out=as_path(out),
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
        reference=as_path(reference),
        resume=resume,
        device=device,
        workers=threads,
        progress=as_progress(progress),
    )
    return _load(folder)


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
    folder = as_path(out) or source.with_name(f"{source.name}-reweighted")
    check_folder(folder, resume=resume)
    from tbg_core.pipeline.reweight import reweight as reweight_pipeline

    reweight_pipeline(source, changes, folder, resume=resume, progress=as_progress(progress))
    return _load(folder)


def _load(folder: Path) -> Ensemble:
    from tbg_core.ensemble import Ensemble

    return Ensemble.load(folder)
