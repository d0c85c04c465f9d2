"""``tbg bench likelihood``."""

from __future__ import annotations

import json

import pytest
import torch

from tbg_core.cli.main import main
from tbg_core.errors import NumericalError
from tbg_core.flows.cost import FORWARD, STRUCTURED, Plan, measure, steps
from tbg_core.registry import get_registry
from tbg_egnn.likelihood_benchmark import TIGHT, Model, build_flow

SMALL = ["--molecules", "ACE-NME", "--layers", "2", "--width", "8"]
VARIANTS = [
    "reverse passes",
    "forward blocks",
    "structured",
    "quadrature 63",
    "quadrature 31",
    "quadrature 21",
    "quadrature 15",
]


def bench(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main(["bench", "likelihood", *arguments])
    return end.value.code, capsys.readouterr()


@pytest.fixture(scope="module")
def whole():
    """All variants along whole paths of a small network, and the steps that were told."""
    proposal, system, _ = build_flow("ACE-NME", Model(layers=2, width=8))
    told = []
    plan = Plan(samples=2, rounds=1, stages=0)
    found = measure(proposal, system, get_registry().build("integrator", TIGHT), plan, told.append)
    return found, told, plan


def test_all_variants_have_the_log_q_of_the_reference(whole):
    found, _, _ = whole
    rows = found["variants"]
    assert [row["variant"] for row in rows] == VARIANTS
    for row in rows:
        assert row["log_q_error"]["failed"] == 0
        assert row["log_q_error"]["samples"] == 2
        bound = 0.1 if row["variant"] == "quadrature 15" else 0.01
        assert 0 < row["log_q_error"]["max"] < bound
        assert row["log_q_error"]["rms"] <= row["log_q_error"]["max"]
    # One rule and one path: the divergences differ by rounding, which may move a step of the path.
    assert abs(rows[0]["divergences"] - rows[2]["divergences"]) < 20
    assert [row["divergences"] for row in rows[3:]] == [63, 31, 21, 15]


def test_steps_are_counted_before_they_are_done(whole):
    found, told, plan = whole
    assert len(told) == steps(plan)
    assert told == ["samples", *VARIANTS, "reference"]
    assert found["samples"] == 2


def test_generic_divergences_are_those_of_the_structure_where_stages_are_timed(capsys, tmp_path):
    out = tmp_path / "likelihood.json"
    code, text = bench(capsys, *SMALL, "-n", "4", "--rounds", "2", "--stages", "2", "--out", str(out))
    assert code == 0
    assert all(name in text.out for name in VARIANTS)
    assert "fresh egnn, not trained (" in text.out
    (result,) = json.loads(out.read_text())["molecules"]
    assert (result["molecule"], result["atoms"], result["samples"]) == ("ACE-NME", 12, 4)
    rows = {row["variant"]: row for row in result["variants"]}
    structured = rows[STRUCTURED]
    for name in VARIANTS[:2]:
        row = rows[name]
        assert row["timed_stages"] == 2
        assert row["log_q_error"] is None
        assert 0 < row["divergence_difference"] < 1e-3
        assert row["divergences"] == structured["divergences"]
    assert structured["log_q_error"]["samples"] == 4
    baseline = rows["reverse passes"]
    assert baseline["times_cheaper"] == {"median": 1, "lowest": 1, "highest": 1}
    for name, before in (("quadrature 15", STRUCTURED), (FORWARD, "reverse passes")):
        row = rows[name]
        seconds = row["seconds"]["rounds"]
        assert len(seconds) == 2
        assert min(seconds) > 0
        quotients = [a / b for a, b in zip(rows[before]["seconds"]["rounds"], seconds, strict=True)]
        assert row["times_cheaper_than_before"]["lowest"] == min(quotients)
    met = result["bar"]["met_by"]
    for name, row in rows.items():
        error = row["log_q_error"]
        fits = error is not None and error["p99"] <= 0.02 and row["times_cheaper"]["median"] >= 10
        assert (name in met) == fits


def test_fresh_weights_are_seeded_and_do_not_stand_still():
    first, system, _ = build_flow("ACE-NME", Model(layers=2, width=8))
    again, _, _ = build_flow("ACE-NME", Model(layers=2, width=8))
    other, _, _ = build_flow("ACE-NME", Model(layers=2, width=8, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    z = first.prior.sample(_keys(system), system).float()
    with torch.no_grad():
        moved = first.from_latent(z, system)
    assert (moved.x / first.length_scale - z).abs().max() > 0.1


def test_a_shipped_model_is_taken_where_no_size_is_asked():
    assert build_flow("ACE-ALA-NME", Model())[2] == "trained (alanine-dipeptide)"
    assert build_flow("ACE-ALA-NME", Model(width=8))[2].startswith("fresh egnn, not trained")


def test_the_divergence_of_the_hollow_field_is_that_of_the_generic_rules():
    proposal, system, weights = build_flow("ACE-NME", Model(field="hollow"))
    assert weights.startswith("fresh hollow, not trained")
    found = measure(proposal, system, proposal.integrator, Plan(samples=1, rounds=1, stages=2), lambda _: None)
    rows = {row["variant"]: row for row in found["variants"]}
    assert rows[FORWARD]["divergence_difference"] < 1e-4
    assert rows["reverse passes"]["divergence_difference"] < 1e-4


def test_a_model_that_is_no_field_is_refused(capsys):
    code, text = bench(capsys, "--model", "autoregressive", "--molecules", "ACE-NME")
    assert code == 2
    assert "autoregressive is no vector field" in text.err


def test_a_fresh_flow_of_what_is_no_molecule_is_refused(capsys):
    code, text = bench(capsys, "--model", "mlp", "--molecules", "double-well")
    assert code == 2
    assert "double-well is no molecule" in text.err
    assert "--molecules such as" in text.err


def test_variants_end_at_the_time_of_the_flow():
    proposal, system, _ = build_flow("ACE-NME", Model(layers=1, width=8))
    proposal.t_end = 0.25
    plan = Plan(samples=1, rounds=1, stages=1)
    found = measure(proposal, system, proposal.integrator, plan, lambda _: None)
    for row in found["variants"][2:]:  # the others are timed on a stage
        assert row["log_q_error"]["max"] < 0.05


def test_a_flow_without_samples_says_so():
    proposal, system, _ = build_flow("ACE-NME", Model(layers=2, width=8))
    with torch.no_grad():
        proposal.field.embedding.bias.fill_(torch.nan)
    with pytest.raises(NumericalError, match="only 0 of 1 samples"):
        measure(proposal, system, proposal.integrator, Plan(samples=1, rounds=1), lambda _: None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-n", "2", "--rounds", "3"], "2 samples cannot be shared among 3 rounds"),
        (["--molecules", "ACE-NME,AX"], "X"),
        (["--molecules", " ,"], "--molecules names no molecule"),
        (["--checkpoint", "nowhere"], "nowhere"),
    ],
)
def test_what_makes_no_sense_is_one_line(capsys, arguments, words):
    code, text = bench(capsys, *arguments)
    assert code == 2
    assert words in text.err
    assert "Traceback" not in text.err


def test_a_checkpoint_for_another_molecule_or_with_a_size_is_refused(capsys):
    shipped = next(str(path) for path in _shipped() if path.name == "alanine-dipeptide")
    code, text = bench(capsys, "--checkpoint", shipped, "--molecules", "ACE-NME")
    assert code == 2
    assert "cannot be used for ACE-NME" in text.err
    code, text = bench(capsys, "--checkpoint", shipped, "--layers", "3")
    assert code == 2
    assert "--checkpoint has its own size" in text.err


def test_the_help_teaches(capsys):
    code, text = bench(capsys, "--help")
    assert code == 0
    assert "tbg bench likelihood --quick" in text.out


def _keys(system):
    from tbg_core.randomness import SampleKeys

    return SampleKeys.range(0, system.key, 0, 2)


def _shipped():
    from importlib.resources import files

    return list(files("tbg_egnn").joinpath("checkpoints").iterdir())
