"""What installs tbg in other ways than `make setup` names everything that there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PLUGINS = {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}


def test_the_conda_environment_has_every_plugin_and_the_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (by_pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert by_pip[0] == "--constraint constraints.txt"
    named = {line.removeprefix("--editable plugins/") for line in by_pip if "plugins/" in line}
    assert named == PLUGINS


def test_the_image_copies_what_exists_and_ignores_the_rest():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.*)", dockerfile, re.MULTILINE) for word in line.split()[:-1]
    }
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    # The last stage runs without privileges.
    last = dockerfile[dockerfile.rindex("\nFROM") :]
    assert re.search(r"^USER (?!root|0)", last, re.MULTILINE)
