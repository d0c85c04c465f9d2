"""Options of the executor."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator
from typing_extensions import Self

from tbg_core.config.base import ComponentConfig

# These go into a job script: one word each, so that no line of it is ours to lose.
Word = Annotated[str, StringConstraints(pattern=r"^[\w.:@,+/-]+$")]
Directive = Annotated[str, StringConstraints(pattern=r"^-{1,2}[\w-]+([= ][\w.:@,+/=-]+)?$")]


class DaskConfig(ComponentConfig):
    """Where the workers come from."""

    address: str | None = Field(
        None, description="Scheduler that is running, e.g. tcp://host:8786; left out: workers are started here."
    )
    cluster: Literal["local", "slurm", "pbs", "sge", "lsf", "oar", "moab", "htcondor"] = Field(
        "local", description="What workers are started on: this machine, or jobs of a batch system."
    )
    workers: int | None = Field(None, ge=1, description="Worker processes, of one thread each; left out: --threads.")
    memory: Word = Field("4GB", description="Memory of a worker; one that needs more is started again.")
    walltime: Word | None = Field(None, description="Longest time of a job (HH:MM:SS), as the batch system writes it.")
    queue: Word | None = Field(None, description="Queue or partition of the jobs.")
    account: Word | None = Field(None, description="Account or project that the jobs are charged to.")
    directives: tuple[Directive, ...] = Field(
        (), description="Further directives of the job script, e.g. --constraint=epyc."
    )
    deaths: int = Field(
        3, ge=0, description="Workers that may die of one piece of work before it is given up; each is replaced."
    )
    wait_s: float = Field(300.0, gt=0, description="Time to wait for the first worker (s).")

    @model_validator(mode="after")
    def _check_use(self) -> Self:
        for name in ("walltime", "queue", "account", "directives"):
            if getattr(self, name) and (self.address or self.cluster == "local"):
                raise ValueError(f"{name} is for the jobs of a batch system; set cluster, and no address")
        return self
