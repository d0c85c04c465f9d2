"""Work on processes: every unit once, successors in order, and deaths that are noticed by whoever is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from tbg_core.errors import ConfigError, TbgError
from tbg_core.pipeline.workers import run_units, single_thread

# Worker processes import what they run by name, so it lies in a module of its own.
WORK = """
import os, signal, time
import torch
from tbg_core.errors import ConfigError
from tbg_core.pipeline.workers import run_units

def square(n):
    return n * n, torch.get_num_threads(), os.getpid()

def follow(n, result):
    return n + 10 if n < 30 else None

def refuse_at_30(n):
    if n >= 30:
        raise ConfigError(f"unit {n} is wrong.", fix="Give another.")
    return square(n)

def die(n):
    os.kill(os.getpid(), signal.SIGKILL)

def tell_and_wait(n):
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    list(run_units(tell_and_wait, [1, 2], 2))
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """The functions above, importable by name from here and from worker processes."""
    (tmp_path / "work_for_units.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    import work_for_units

    yield work_for_units
    del sys.modules["work_for_units"]


def test_one_worker_computes_here_on_one_thread_and_in_order(work):
    torch.set_num_threads(2)
    done = list(run_units(work.square, [1, 2], 1, work.follow))
    assert [unit for unit, _ in done] == [1, 11, 21, 31, 2, 12, 22, 32]
    assert all(result == (unit * unit, 1, os.getpid()) for unit, result in done)
    assert torch.get_num_threads() == 2


def test_the_thread_count_comes_back_after_an_error():
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError), single_thread():
        torch.get_num_threads() // 0
    assert torch.get_num_threads() == 2


def test_workers_do_every_unit_once_and_report_errors_as_they_were_raised(work):
    done = {}

    def collect():
        for unit, result in run_units(work.refuse_at_30, [1, 2], 2, work.follow):
            assert unit not in done
            done[unit] = result

    with pytest.raises(ConfigError) as caught:
        collect()
    assert caught.value.message in {"unit 31 is wrong.", "unit 32 is wrong."}
    assert caught.value.fix == "Give another."
    chains = [[unit for unit in done if unit % 10 == k] for k in (1, 2)]
    assert any(chain == [k, 10 + k, 20 + k] for k, chain in zip((1, 2), chains, strict=True))
    assert all(chain == sorted(chain) for chain in chains)
    assert all((square, threads) == (unit * unit, 1) for unit, (square, threads, _) in done.items())
    assert os.getpid() not in {pid for _, _, pid in done.values()}


def test_the_death_of_a_worker_says_how_to_go_on(work):
    with pytest.raises(TbgError, match="a worker process died") as caught:
        list(run_units(work.die, [1, 2, 3], 2))
    assert "--resume" in caught.value.fix


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_when_their_parent_is_killed(work, tmp_path):
    command = [sys.executable, str(tmp_path / "work_for_units.py")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as parent:
        try:
            workers = [int(parent.stdout.readline()) for _ in range(2)]
            assert all(_lives(pid) for pid in workers)
            parent.kill()
            parent.wait()
            ends = time.monotonic() + 30
            while any(_lives(pid) for pid in workers):
                assert time.monotonic() < ends, "the workers outlive their parent"
                time.sleep(0.02)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def _lives(pid):
    # A process that has ended but was not yet waited for still has its number; its state is Z.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
