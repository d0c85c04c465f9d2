"""``tbg estimate`` and ``tbg observables``: estimates with units, intervals and the verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import tbg_core
from tbg_core.cli.main import main
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.ensemble import Ensemble
from tbg_core.errors import ConfigError
from tbg_core.observables import Observable
from tbg_core.units import Units

toys = pytest.importorskip("tbg_toys.system")


def ensemble(n=4000, *, temperature_K=300.0):
    """Exact samples of Mueller-Brown from its own dynamics, given the weights of a flat proposal around them."""
    from tbg_toys.config import MuellerBrownConfig
    from tbg_toys.mueller_brown import MuellerBrown

    system = toys.ToySystem("mueller-brown")
    target = MuellerBrown(MuellerBrownConfig()).bind(system, ThermodynamicState(temperature_K))
    import torch

    rng = np.random.default_rng(0)
    low, high = np.array([-1.6, -0.4]), np.array([1.3, 2.1])
    x = rng.uniform(low, high, size=(n, 2)).astype(np.float32)
    u = target.reduced_energy(torch.from_numpy(x).double()).numpy()
    made = Ensemble(
        system=system,
        temperature_K=temperature_K,
        positions=x,
        log_q=np.full(n, -np.log((high - low).prod())),
        reduced_energy=u,
        valid=np.ones(n, dtype=bool),
        log_q_err=np.zeros(n),
        status=np.zeros(n, dtype=np.int64),
    )
    return made, target


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "mb"
    made, _ = ensemble()
    made.save(folder)
    return folder


def estimate(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["estimate", *map(str, arguments)])
    captured = capsys.readouterr()
    return end.value.code, captured.out, captured.err


def test_the_free_energy_between_basins_is_the_exact_one(run, capsys):
    _, target = ensemble(1)
    exact = target.reference_values["basin_free_energy_difference"]
    code, out, _ = estimate(
        capsys, run, "-O", "reaction-coordinate", "--from", "1.45,9", "--to=-9,1.45", "--unit", "kJ/mol", "--json"
    )
    assert code == 0
    found = json.loads(out)
    (difference,) = found["differences"]
    assert difference["unit"] == "kJ/mol"
    assert found["ess"] > 300
    kT = 2.494339
    # 4 standard errors: once in 16,000 seeds.
    assert abs(difference["value"] - exact * kT) < 4 * difference["error"]
    assert difference["interval"][0] < difference["value"] < difference["interval"][1]
    energy, reference = found["mean_energy"], target.reference_values["mean_energy"]
    assert abs(energy["value"] - reference * kT) < 4 * energy["error"]


def test_what_is_printed(run, capsys):
    code, out, _ = estimate(capsys, run, "--unit", "kcal/mol")
    assert code == 0
    assert "verdict RELIABLE" in out
    for text in ("log Z", "mean energy", "kcal/mol", "x:0", "x:1", "90 % interval", "spread"):
        assert text in out


def test_profiles_are_drawn(run, capsys, tmp_path):
    file = tmp_path / "p.svg"
    code, out, _ = estimate(capsys, run, "-O", "x:0", "--plot", file, "--bins", 10, "--unit", "kJ/mol")
    assert code == 0
    assert f"plot    {file}" in out
    assert "F along x:0 (no unit), kJ/mol" in out
    assert file.read_text().startswith("<?xml")
    code, _, err = estimate(capsys, run, "-O", "x:0", "--plot", tmp_path / "p.doc")
    assert code == 2
    assert "End its name in png, svg, pdf" in err


def test_a_function_of_the_user(run, capsys, tmp_path):
    file = tmp_path / "cv.py"
    file.write_text("def across(x):\n    return x[:, 1] - x[:, 0]\n")
    _, out, _ = estimate(capsys, run, "-O", f"{file}:across", "-O", "reaction-coordinate", "--json")
    mine, ours = json.loads(out)["averages"]
    assert mine["observable"] == "across"
    assert mine["value"] == pytest.approx(ours["value"], rel=1e-6)  # theirs is in single precision


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-O", "phi"], "'phi' is not an observable of mueller-brown. It has x:0, x:1, reaction-coordinate"),
        (["-O", "x:0", "--from", "1,2"], "needs two regions"),
        (["-O", "x:0", "--from", "1", "--to", "2,3"], "--from '1' is no region"),
        (["--from", "1,2", "--to", "2,3"], "along one observable, not 2. Name it with one --observable"),
        (["--unit", "mile"], "unknown unit 'mile'"),
        (["-O", "gone.py:f"], "gone.py: no such file"),
        (["--bins", "0"], "--bins"),
    ],
)
def test_bad_input_is_one_line(run, capsys, arguments, message):
    code, _, err = estimate(capsys, run, *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_folder_without_a_run(capsys, tmp_path):
    code, _, err = estimate(capsys, tmp_path)
    assert code == 2
    assert "holds no ensemble" in err


def test_an_unreliable_ensemble_gives_no_interval(tmp_path):
    made, _ = ensemble(40)
    found = tbg_core.estimate(made, ["x:0"], regions=((-2.0, 0.0), (0.0, 2.0)))
    assert not made.reliability.reliable
    estimates = [found.mean_energy, found.averages[0].estimate, found.differences[0].estimate]
    assert all(e.interval is None and "effective sample size" in e.reason for e in estimates)
    assert found.to_dict()["reliable"] is False


def angles(values):
    """An ensemble of one angle on the circle, equally weighted, with the angle as its observable."""
    n = len(values)
    system = toys.ToySystem("gaussian", 1)
    zeros = np.zeros(n)
    made = Ensemble(
        system, 300.0, np.asarray(values, np.float32)[:, None], zeros, zeros, zeros == 0, zeros, zeros.astype(np.int64)
    )
    angle = Observable("angle", "rad", 2 * np.pi, lambda x: x[:, 0].astype(np.float64), event_ndim=1)
    return made, angle


def test_angles_are_averaged_on_the_circle_and_shown_in_degrees():
    rng = np.random.default_rng(1)
    around = (np.pi + rng.normal(scale=0.1, size=500) + np.pi) % (2 * np.pi) - np.pi
    made, angle = angles(around)
    (average,) = tbg_core.estimate(made, [angle]).averages
    assert average.estimate.unit == "degree"
    assert abs(abs(average.estimate.value) - 180.0) < 4 * average.estimate.error < 2.0
    assert average.spread == pytest.approx(np.degrees(0.1), rel=0.15)
    assert average.note == ""
    (same,) = tbg_core.estimate(made, [angle], units=["rad"]).averages
    assert np.radians(average.estimate.value) == pytest.approx(same.estimate.value)


def test_an_angle_spread_over_the_circle_is_remarked_upon():
    made, angle = angles(np.linspace(-np.pi, np.pi, 300, endpoint=False))
    (average,) = tbg_core.estimate(made, [angle]).averages
    assert "its mean says little" in average.note


def test_regions_may_run_through_the_end_of_the_period():
    made, angle = angles(np.linspace(-np.pi, np.pi, 3600, endpoint=False))
    found = tbg_core.estimate(made, [angle], regions=((150.0, -150.0), (-90.0, 90.0)))
    # 60 degrees of the circle against 180.
    assert found.differences[0].estimate.value == pytest.approx(-np.log(3.0), abs=0.02)


def test_model_errors_are_beside_the_interval():
    made, angle = angles(np.random.default_rng(2).normal(size=400))
    coupling = replace(angle, name="j", unit="Hz", period=None, model_error=0.4, source="someone")
    record = tbg_core.estimate(made, [coupling]).to_dict()["averages"][0]
    assert (record["model_error"], record["source"], record["unit"]) == (0.4, "someone", "Hz")
    assert record["error"] < 0.1


def test_estimators_take_texts(run):
    made = Ensemble.load(run)
    by_text = made.free_energy("x:0", (-2.0, 0.0), (0.0, 2.0), unit="kJ/mol")
    assert by_text == made.free_energy(made.observable("x:0"), (-2.0, 0.0), (0.0, 2.0), unit="kJ/mol")
    assert made.expectation("x:1").value == made.expectation(made.observable("x:1")).value
    profile, other = made.profile("x:0", unit="kJ/mol"), made.profile("x:0")
    assert profile.energy_unit == "kJ/mol"
    finite = np.isfinite(other.free_energy)
    ratio = profile.free_energy[finite] / np.where(other.free_energy[finite] == 0, np.nan, other.free_energy[finite])
    assert np.nanmax(np.abs(ratio - 2.494339)) < 1e-5
    with pytest.raises(ConfigError, match="cannot be turned into"):
        made.expectation("x:0", unit="degree")
    assert tbg_core.estimate(made).units == Units()


def test_what_can_be_asked_is_listed(capsys, run):
    def listed(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["observables", "list", *arguments, "--json"])
        assert end.value.code == 0
        return json.loads(capsys.readouterr().out)

    toy = listed(str(run))
    assert [x["name"] for x in toy["observables"]] == ["x:0", "x:1", "reaction-coordinate"]
    assert toy == listed("--system", "mueller-brown")
    pytest.importorskip("tbg_openmm")
    peptide = {x["name"]: x for x in listed("--system", "ACE-ALA-NME")["observables"]}
    assert peptide["j-hn-ha"]["unit"] == "Hz"
    assert peptide["j-hn-ha"]["model_error"] == 0.36
    assert peptide["phi"]["period"] == pytest.approx(2 * np.pi)
    with pytest.raises(SystemExit) as end:
        main(["observables", "list"])
    assert end.value.code == 2
