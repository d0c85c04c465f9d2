"""``tbg cite``: the papers behind a folder, a component, or everything."""

from __future__ import annotations

import json

import yaml


def test_the_papers_of_a_run(tbg, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    config = {
        "system": {"name": "toy", "toy": "mueller-brown"},
        "model": {"name": "flow", "field": {"name": "mlp"}},
        "prior": {"name": "gaussian"},
        "integrator": {"name": "dopri5"},
        "likelihood": {"name": "hutchinson"},
        "energy": {"name": "mueller-brown"},
        "sampler": {"name": "importance"},
        "dynamics": {"name": "openmm"},
        "from_scratch": False,
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    rows = json.loads(tbg("cite", run, "--json").stdout)
    used = {use for row in rows for use in row["for"]}
    assert {"proposal flow", "energy mueller-brown", "likelihood hutchinson", "integrator dopri5"} <= used
    assert "dynamics openmm" not in used  # nothing was simulated there
    text = tbg("cite", run).stdout
    assert "Mueller and Brown, Theor. Chim. Acta 53, 75 (1979)\n    for energy mueller-brown" in text
    assert "No paper is named by" in text
    assert "author = {Mueller and Brown}" in tbg("cite", run, "--bibtex").stdout
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "from_scratch": True}))
    assert "dynamics openmm" in tbg("cite", run).stdout


def test_what_cannot_be_cited_is_said_in_one_line(tbg, tmp_path):
    for arguments, message in (
        ((tmp_path,), "holds no config.yaml"),
        (("--component", "egn"), "Did you mean 'egnn'"),
        ((tmp_path, "--component", "egnn"), "Give one of the two"),
    ):
        done = tbg("cite", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
