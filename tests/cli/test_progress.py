"""Progress: lines with rates where there is no terminal, bars where there is one."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from tbg_core.cli.failures import report_failure, report_interrupt, show_warning
from tbg_core.cli.progress import PlainProgress, TerminalProgress, make_progress
from tbg_core.errors import ReliabilityWarning
from tbg_core.pipeline.progress import NullProgress


def test_plain_lines_hold_count_rate_and_remaining_time(capsys):
    progress = PlainProgress(interval=0.0)
    with progress.stage("sample", total=64, unit="samples") as bar:
        bar.advance(32, note="resumed")
        time.sleep(0.1)
        bar.advance(16, note="15 of 16 valid")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "sample: 64 samples"
    assert lines[1] == "sample: 32/64 samples, resumed"
    assert lines[2].startswith("sample: 48/64 samples, ")
    assert "samples/s, 0:00 left, 15 of 16 valid" in lines[2]
    assert "done in 0:00" in lines[-1]
    rate = float(lines[2].split(", ")[1].split()[0])
    assert 50 < rate <= 160  # 16 in 0.1 s: the 32 that a resumed run found are not counted


def test_plain_lines_are_not_printed_too_often(capsys):
    with PlainProgress(interval=60.0).stage("train", total=1000, unit="steps") as bar:
        for _ in range(1000):
            bar.advance()
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_slow_units_are_given_in_seconds_each(capsys):
    with PlainProgress(interval=0.0).stage("simulate", unit="blocks") as bar:
        time.sleep(1.1)
        bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "simulate: started"
    assert lines[1].startswith("simulate: 1 blocks, 1.")
    assert "s/block" in lines[1]


def test_a_stage_that_fails_does_not_claim_to_be_done(capsys):
    with pytest.raises(ValueError, match="boom"), PlainProgress().stage("train", total=3, unit="steps"):
        raise ValueError("boom")
    assert "done" not in capsys.readouterr().err


def test_bars_show_the_stage_the_count_and_the_note():
    stream = io.StringIO()
    progress = TerminalProgress(Console(file=stream, force_terminal=True, width=140, highlight=False))
    with progress.stage("sample", total=8, unit="samples") as bar:
        bar.advance(8, note="8 of 8 [valid]")
        progress.say("half [way]")
    text = stream.getvalue()
    for part in ("sample", "8/8", "8 of 8 [valid]", "half [way]"):
        assert part in text


def test_quiet_says_nothing(capsys):
    progress = make_progress(quiet=True)
    assert isinstance(progress, NullProgress)
    with progress.stage("sample", total=8, unit="samples") as bar:
        bar.advance(8, note="x")
    progress.say("x")
    assert capsys.readouterr() == ("", "")


def test_running_out_of_memory_says_what_to_lower(capsys):
    assert report_failure(MemoryError(), ["run"]) == 1
    assert report_failure(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), ["run"]) == 1
    assert report_failure(ValueError("strange\nthing"), ["run"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("sampling.block_size" in line for line in lines[:2])
    assert lines[2].startswith("error: unexpected ValueError: strange thing")


def test_our_warnings_are_one_line_and_those_for_developers_are_dropped(capsys):
    show_warning(ReliabilityWarning("low\nESS"), ReliabilityWarning, "file.py", 3)
    show_warning(DeprecationWarning("old"), DeprecationWarning, "file.py", 3)
    assert capsys.readouterr().err == "warning: low ESS\n"


@pytest.mark.parametrize(
    ("arguments", "resumable"),
    [
        (["train", "--data", "d"], True),
        (["reweight", "runs/a"], True),
        (["datasets", "make", "dipeptides"], True),
        (["datasets", "show", "data"], False),
        (["doctor"], False),
    ],
)
def test_who_interrupts_a_long_job_is_told_how_to_go_on(arguments, resumable, capsys):
    assert report_interrupt(arguments) == 130
    said = capsys.readouterr().err.strip()
    assert said.endswith(f"go on with: tbg {' '.join(arguments)} --resume" if resumable else "interrupted.")
