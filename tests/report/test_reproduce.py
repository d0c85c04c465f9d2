"""What the page says of doing it again is true."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

from tbg_core import api
from tbg_core.report.build import build_report

TINY = {
    "training.steps": 20,
    "simulation.walkers": 1,
    "simulation.frames": 40,
    "sampling.num_samples": 16,
    "sampling.audit_samples": 0,
}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    out = tmp_path_factory.mktemp("reproduce") / "first"
    return api.run(system="double-well", energy="double-well", from_scratch=True, options=TINY, out=out)


def test_a_run_from_scratch_comes_out_the_same_from_its_own_config(scratch, tmp_path, parse):
    page = parse(scratch.folder / "report.html")
    assert "tbg run --from-scratch --config first/config.yaml --out again" in page.text
    again = api.run(config=scratch.folder / "config.yaml", from_scratch=True, out=tmp_path / "again")
    np.testing.assert_array_equal(again.positions, scratch.positions)
    np.testing.assert_array_equal(again.log_q, scratch.log_q)


def test_sampling_again_needs_the_checkpoint(scratch, tmp_path, parse):
    checkpoint = scratch.folder / "training" / "checkpoint"
    options = {k: v for k, v in TINY.items() if k.startswith("sampling")}
    first = api.sample(checkpoint, system="double-well", energy="double-well", options=options, out=tmp_path / "s")
    page = parse(build_report(first.folder))
    command = next(line for line in page.text.splitlines() if line.startswith("tbg sample --checkpoint"))
    words = shlex.split(command)
    assert words[words.index("--checkpoint") + 1] == str(checkpoint)
    again = api.sample(checkpoint, config=first.folder / "config.yaml", out=tmp_path / "again")
    np.testing.assert_array_equal(again.log_q, first.log_q)
