"""``tbg bench energy``."""

from __future__ import annotations

import json

import pytest

from tbg_core.cli.main import main


def bench(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["bench", "energy", *arguments])
    return end.value.code, capsys.readouterr()


def test_engine_and_platforms_are_timed_in_one_run(capsys, tmp_path):
    out = tmp_path / "energy.json"
    chosen = ["--molecules", "ACE-NME,ACE-ALA-NME", "--batches", "1,8", "--backends", "native"]
    code, text = bench(capsys, *chosen, "--rounds", "2", "--seconds", "0.001", "--out", str(out))
    assert code == 0
    assert "engine native double" in text.out
    assert "OpenMM Reference" in text.out
    measured = json.loads(out.read_text())
    small, large = measured["molecules"]
    assert (small["atoms"], large["atoms"]) == (12, 22)
    methods = {(s["method"], s["batch"], s["forces"]) for s in small["speeds"]}
    assert {("engine native single", 8, True), ("engine native single", 1, False)} <= methods
    assert all(len(s["rates"]) == 2 and min(s["rates"]) > 0 for s in small["speeds"])
    best = small["best"]["energy and forces"]
    assert best["ratio_lowest"] <= best["ratio"] <= best["ratio_highest"]
    assert best["OpenMM"]["rate"] == max(s["rate"] for s in small["speeds"] if s["forces"] and "OpenMM" in s["method"])
    assert small["error"]["engine native double"][0] < 1e-9
    assert small["error"]["engine native single"][0] < 2e-3
    assert measured["compile_s"] > 0
    assert set(measured["growth"]) == {"engine", "OpenMM"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batches", "1,x"], "--batches 1,x are not sizes of batches"),
        (["--batches", "0"], "--batches 0 are not sizes of batches"),
        (["--backends", "cuda"], "--backends cuda is not among native, torch"),
        (["--precisions", ""], "is not among single, double"),
        (["--molecules", "AX"], "X"),
    ],
)
def test_what_makes_no_sense_is_one_line(capsys, arguments, words):
    code, text = bench(capsys, *arguments)
    assert code == 2
    assert words in text.err
    assert "Traceback" not in text.err


def test_the_help_teaches(capsys):
    code, text = bench(capsys, "--help")
    assert code == 0
    assert "tbg bench energy --quick" in text.out
