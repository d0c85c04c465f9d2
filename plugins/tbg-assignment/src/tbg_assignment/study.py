"""Small problems, each trained from exact samples and judged by what is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_assignment.judgement import Judgement, Plan, judge
from tbg_assignment.runs import energy_of, find_system
from tbg_core.api import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tbg_core.config.request import Overrides
    from tbg_core.pipeline.progress import Progress


def study(
    texts: Sequence[str],
    out: Path,
    plan: Plan,
    *,
    options: Overrides,
    num_samples: int,
    progress: Progress,
    resume: bool = False,
) -> list[Judgement]:
    """Runs ``tbg run --model assignment --from-scratch`` on each system, in a folder of its own, and judges it.

    Args:
        texts: Systems.
        out: Folder of all.
        plan: Which labellings are judged.
        options: Further settings of the runs, by dotted path.
        num_samples: Samples of each run.
        progress: Where to report to.
        resume: Complete the runs begun there.
    """
    found = []
    systems = [find_system(text) for text in texts]
    for system in systems:
        folder = out / "".join(letter if letter.isalnum() else "-" for letter in system.name)
        run(
            system=system.name,
            model="assignment",
            energy=energy_of(system),
            from_scratch=True,
            num_samples=num_samples,
            seed=plan.seed,
            options=options,
            out=folder,
            resume=resume and folder.is_dir(),
            progress=progress,
        )
        found.append(judged(folder, plan, progress))
    return found


def judged(folder: Path, plan: Plan, progress: Progress) -> Judgement:
    """One run, with progress."""
    with progress.stage("likelihood", unit="labellings") as bar:
        return judge(folder, plan, bar.advance)
