"""``tbg bench sampling``."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tbg_core.cli.main import main
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.report.reference import Reference
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.config import OpenMMConfig
from tbg_openmm.sampling_benchmark import Quantity, efficiency, quantities_of, run
from tbg_openmm.sampling_methods import PLAIN, _constrained, constrained_dynamics, engine_dynamics, methods


@pytest.fixture(scope="module")
def target(alanine_dipeptide):
    return OpenMMBackend(OpenMMConfig()).bind(alanine_dipeptide, ThermodynamicState(300.0))


def bench(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["bench", "sampling", *map(str, arguments)])
    return end.value.code, capsys.readouterr()


def test_efficiency_is_the_number_of_independent_samples():
    """Means of n independent samples have the efficiency n; 400 repeats know it to 7 %, tested at four errors."""
    rng, n = np.random.default_rng(0), 50
    values = rng.normal(2.0, 3.0, size=(400, n)).mean(axis=1)
    found = efficiency(values, Quantity(mean=2.0, error=0.0, variance=9.0))
    assert abs(found.effective / n - 1) < 0.28
    assert abs(found.offset) < 4
    # An offset beyond the errors counts as error: variance 9 / 50, and one unit squared.
    biased = efficiency(values + 1.0, Quantity(mean=2.0, error=0.0, variance=9.0))
    assert abs(biased.effective - 9.0 / (9.0 / n + 1.0)) < 1.0
    assert biased.offset > 30
    # One that the error of the reference explains does not.
    vague = efficiency(values + 1.0, Quantity(mean=2.0, error=2.0, variance=9.0))
    assert vague.effective == pytest.approx(found.effective)


def test_a_method_is_given_the_time_and_no_more(target):
    made = run(lambda t, seed: engine_dynamics(t, seed, PLAIN), target, 0, 0.3)
    assert made["seconds"] >= 0.3
    assert made["samples"] % 32 == 0
    assert made["evaluations"] >= 16 * 5500 + made["samples"] * 500
    assert np.isfinite(made["means"]["u"])


def test_constraints_hold_the_bonds_of_hydrogens_and_nothing_else(target):
    system = _constrained(target)
    assert system.getNumConstraints() == sum(e == "H" for e in target.molecule.elements)
    part = next(constrained_dynamics(target, 1))
    lengths = []
    for k in range(system.getNumConstraints()):
        i, j, length = system.getConstraintParameters(k)
        lengths.append(np.linalg.norm(part.x[:, i] - part.x[:, j], axis=1) - length._value)
    assert np.abs(lengths).max() < 1e-4
    assert np.isnan(part.u).all()
    assert np.ptp(part.x - part.x.mean(axis=1, keepdims=True), axis=0).max() > 0.01


def test_a_benchmark_goes_on_where_it_stopped(capsys, tmp_path):
    chosen = ["--system", "ACE-NME", "--seconds", 0.1, "--repeats", 2, "--reference-frames", 100]
    chosen += ["--out", tmp_path / "b"]
    chosen += ["--methods", "openmm-md,engine-md"]
    code, text = bench(capsys, *chosen)
    assert code == 0
    assert "engine-md" in text.out
    files = sorted((tmp_path / "b" / "repeats").iterdir())
    assert [f.name for f in files] == [f"{m}-{k}.json" for m in ("engine-md", "openmm-md") for k in (0, 1)]
    before = {f: f.stat().st_mtime_ns for f in files}
    files[0].unlink()
    code, text = bench(capsys, *chosen, "--json")
    assert code == 0
    measured = json.loads(text.out)
    assert set(measured["methods"]) == {"openmm-md", "engine-md"}
    assert "u" in measured["methods"]["engine-md"]["quantities"]
    assert "u" not in measured["methods"]["openmm-md"]["quantities"]
    assert all(f.stat().st_mtime_ns == before[f] for f in files[1:])
    assert files[0].is_file()


def test_an_unknown_method_is_named(capsys, tmp_path):
    code, text = bench(capsys, "--methods", "magic", "--system", "ACE-NME", "--out", tmp_path / "b")
    assert code == 2
    assert "no method 'magic'" in text.err
    assert "openmm-md" in text.err


def test_generators_that_cover_a_peptide_are_methods():
    found = set(methods("GF"))
    assert {"openmm-md", "engine-md", "engine-tempering"} <= found
    assert {"autoregressive/importance", "autoregressive/smc"} <= found
    assert any(name.startswith("egnn") for name in found)
    assert not any(name.startswith("e3nn") for name in found), "it has no checkpoint of GF"


def test_basins_and_energy_are_compared(target):
    parts = [next(engine_dynamics(target, seed, PLAIN)) for seed in (0, 1)]
    x, u = np.concatenate([p.x for p in parts]), np.concatenate([p.u for p in parts])
    walker = np.repeat(np.arange(32), 2)
    known = quantities_of(target.molecule, Reference(x, u, walker))
    assert known["u"].mean == pytest.approx(u.mean())
    assert known["u"].variance == pytest.approx(u.var())
    for name, quantity in known.items():
        if name != "u":
            assert 0 <= quantity.mean <= 1
            assert quantity.variance == pytest.approx(quantity.mean * (1 - quantity.mean))
