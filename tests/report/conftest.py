"""Run folders with closed-form content: a double well in R^1 and a small peptide in a harmonic potential."""

from __future__ import annotations

import importlib.util
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tbg_core.ensemble import Ensemble
from tbg_core.ensemble.recorded_system import RecordedSystem, system_from_dict
from tbg_core.molecule import Molecule
from tbg_core.report.build import build_report
from tbg_core.storage.atomic import read_json, write_json, write_text
from tbg_core.storage.shards import ShardStore

# Heavy atoms of ACE-GLY-NME, all-trans zigzag in a plane, then puckered so that phi and psi are defined.
_NAMES = ("CH3", "C", "O", "N", "CA", "C", "O", "N", "CH3")
_RESIDUES = (0, 0, 0, 1, 1, 1, 1, 2, 2)
_BONDS = ((0, 1), (1, 2), (1, 3), (3, 4), (4, 5), (5, 6), (5, 7), (7, 8))
_POSITIONS = 0.1 * np.array(
    [
        [0.0, 0.0, 0.0],
        [1.2, 0.9, 0.0],
        [1.2, 2.1, 0.0],
        [2.4, 0.2, 0.0],
        [3.7, 0.9, 0.1],
        [4.8, -0.1, 0.4],
        [4.9, -1.1, -0.3],
        [5.6, 0.2, 1.4],
        [6.8, -0.6, 1.7],
    ]
)
PEPTIDE = Molecule(
    name="ACE-GLY-NME",
    elements=("C", "C", "O", "N", "C", "C", "O", "N", "C"),
    atom_names=_NAMES,
    residue_index=_RESIDUES,
    residue_names=("ACE", "GLY", "NME"),
    bonds=_BONDS,
    masses=(12.011, 12.011, 15.999, 14.007, 12.011, 12.011, 15.999, 14.007, 12.011),
    formal_charges=(0,) * 9,
    handedness=(),
)
TOY = RecordedSystem("double-well", "d0b1e", (1,), 1)


def well(x):
    return 4.0 * (x * x - 1.0) ** 2 + 0.5 * x


def write_run(folder, ensemble, **provenance):
    """What the pipeline leaves in a run folder, as far as the report reads it."""
    provenance = {"created": "2026-01-01T00:00:00+00:00", "command": "tbg run --model flow", **provenance}
    write_text(folder / "config.yaml", "system: toy\nseed: 0\n")
    Ensemble(**{**vars_of(ensemble), "provenance": provenance}).save(folder)
    content = ensemble.metrics(model="flow", energy="closed-form", energy_evaluations=800, seconds={"sample": 2.5})
    write_json(folder / "metrics.json", content)
    return folder


def vars_of(ensemble):
    return {name: getattr(ensemble, name) for name in Ensemble.__dataclass_fields__}


def toy_ensemble(n, seed=0, width=1.2, mean=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(mean, width, size=n).astype(np.float32).astype(np.float64)
    log_q = -0.5 * ((x - mean) / width) ** 2 - np.log(width * np.sqrt(2 * np.pi))
    status = np.where(np.arange(n) % 10 == 0, 1, 0).astype(np.int64)
    return Ensemble(TOY, 300.0, x[:, None].astype(np.float32), log_q, well(x), status == 0, np.full(n, 1e-4), status)


def peptide_ensemble(n, seed=0, sigma=0.008, wide=0.009):
    """u = |x - x0|^2 / 2 sigma^2 on the mean-free space, sampled from a wider Gaussian."""
    rng = np.random.default_rng(seed)
    centre = _POSITIONS - _POSITIONS.mean(0)
    noise = rng.normal(size=(n, 9, 3))
    noise -= noise.mean(1, keepdims=True)
    x = (centre + wide * noise).astype(np.float32)
    squared = ((x.astype(np.float64) - centre) ** 2).sum((1, 2))
    log_q = -0.5 * squared / wide**2 - 24.0 * np.log(wide * np.sqrt(2 * np.pi))
    zeros = np.zeros(n, dtype=np.int64)
    return Ensemble(PEPTIDE, 300.0, x, log_q, 0.5 * squared / sigma**2, zeros == 0, np.zeros(n), zeros)


def write_reference(folder, ensemble):
    """Equilibrium frames, drawn by weight, as a simulation would store them."""
    drawn = ensemble.resample(7, 600)
    order = np.random.default_rng(0).permutation(600)
    store = ShardStore(folder / "frames")
    for walker in range(2):
        rows = order[walker::2]
        store.write(
            walker,
            {
                "positions": drawn.positions[rows],
                "reduced_energy": drawn.reduced_energy[rows],
                "walker": np.full(300, walker),
                "state.x": np.zeros(3),
            },
        )
    return folder


def simulation_of_alanine():
    """The simulation that ships with a checkpoint: 22 atoms, one stereocentre."""
    package = Path(importlib.util.find_spec("tbg_egnn").origin).parent
    return package / "checkpoints" / "alanine-dipeptide" / "reference"


def alanine_ensemble(n, seed=0):
    """Frames of the simulation with noise, as if a model had drawn them; every tenth is dropped."""
    folder = simulation_of_alanine()
    frames = ShardStore(folder / "frames").concatenate(["positions", "reduced_energy"])
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(frames["positions"]), n)
    x = frames["positions"][rows] + rng.normal(scale=0.004, size=(n, 22, 3))
    u = frames["reduced_energy"][rows] + rng.gamma(10.0, 1.5, n)
    status = np.zeros(n, dtype=np.int64)
    status[::10], status[5::20] = 2, 3
    x[5::20] *= -1.0  # the other hand
    mirrored = np.arange(n) % 2 == 1
    mirrored[status > 0] = False
    return Ensemble(
        system=system_from_dict(read_json(folder / "system.json")),
        temperature_K=300.0,
        positions=x.astype(np.float32),
        log_q=-u + rng.normal(scale=0.6, size=n),
        reduced_energy=u,
        valid=status == 0,
        log_q_err=np.full(n, 1e-3),
        status=status,
        mirrored=mirrored,
    )


class Page(HTMLParser):
    """Checks nesting, and collects identifiers, attributes, headings, scripts and text."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})

    def __init__(self, html):
        super().__init__()
        self.open, self.ids, self.attributes, self.headings, self.text = [], [], [], [], ""
        self.tags, self.elements, self.scripts, self.cells = set(), [], [], ""
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.elements.append((tag, dict(attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in {"td", "th"}:
            self.cells += " "

    def handle_data(self, data):
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if "script" in self.open:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif "style" not in self.open:
            self.text += data
            self.cells += data

    @property
    def running(self):
        """Texts of the scripts that a browser runs."""
        return [text for attrs, text in self.scripts if "type" not in attrs]


@pytest.fixture
def parse():
    return lambda path: Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def read(parse):
    """Builds the report of a run and parses it."""

    def build(folder, **options):
        path = build_report(folder, **options)
        assert path == folder / "report.html"
        return parse(path)

    return build


@pytest.fixture(scope="session")
def alanine_run(tmp_path_factory):
    """A run with everything that a report can show, its report built; not to be changed."""
    folder = tmp_path_factory.mktemp("alanine") / "alanine"
    write_run(folder, alanine_ensemble(400), reference=str(simulation_of_alanine()))
    build_report(folder, observables=["rg"])
    return folder


@pytest.fixture
def toy_run(tmp_path):
    return write_run(tmp_path / "toy", toy_ensemble(1500))


@pytest.fixture
def poor_run(tmp_path):
    return write_run(tmp_path / "poor", toy_ensemble(80, mean=-3.0, width=0.4))


@pytest.fixture
def peptide_run(tmp_path):
    folder = write_run(tmp_path / "peptide", peptide_ensemble(800))
    write_reference(folder / "reference", peptide_ensemble(4000, seed=9, wide=0.0085))
    return folder


@pytest.fixture
def make_run(tmp_path):
    def make(ensemble, name="made", **provenance):
        return write_run(tmp_path / name, ensemble, **provenance)

    return make


@pytest.fixture
def make_alanine():
    return alanine_ensemble


@pytest.fixture
def make_toy_ensemble():
    return toy_ensemble


@pytest.fixture
def make_reference(tmp_path):
    return lambda ensemble: write_reference(tmp_path / "simulation-of-it", ensemble)
