"""Rounding, units and labels."""

from __future__ import annotations

import math

import pytest

from tbg_core.ensemble import Estimate
from tbg_core.report.labels import symbol
from tbg_core.report.numbers import count, duration, interval, percent, rounded


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-45.4123, 0.51, "−45.41"),
        (-45.4123, 5.1, "−45.4"),
        (-45.4123, 51.0, "−45"),
        (0.240996, 0.00028, "0.24100"),
        (3.0, 0.0, "3"),
        (math.nan, 1.0, "–"),
        (math.inf, math.nan, "∞"),
    ],
)
def test_rounded(value, error, text):
    assert rounded(value, error) == text


def test_interval():
    estimate = Estimate(1.0, 0.1, (0.8, 1.25), reliable=True)
    assert interval(estimate) == "0.80 to 1.25"
    assert interval(Estimate(1.0, 0.1, None, reliable=False)) == "–"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 s"), (0.0172, "17 ms"), (3.21, "3.2 s"), (250, "4 min 10 s"), (1944, "32 min"), (7500, "2 h 5 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_percent_and_count():
    assert [percent(x) for x in (0.0, 0.002, 0.0312, 0.41)] == [
        t.replace(" ", "\u00a0") for t in ("0 %", "0.2 %", "3.1 %", "41 %")
    ]
    assert [count(x) for x in (5.44, 99.96, 1234.5)] == ["5.4", "100.0", "1,234"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("phi", "φ"),
        ("psi:2", "ψ 2"),
        ("chi1:3", "χ1 3"),
        ("rg", "radius of gyration"),
        ("x:0", "x₀"),
        ("x:12", "x₁₂"),
        ("torsion:0,1,2,3", "torsion:0,1,2,3"),
    ],
)
def test_symbols(name, text):
    assert symbol(name) == text
