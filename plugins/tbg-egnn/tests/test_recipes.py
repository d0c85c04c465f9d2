"""The recipes against the papers, and trainings by them on two molecules of different size."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from tbg_core import api
from tbg_core.config.load import make_config
from tbg_core.config.recipes import find_recipe
from tbg_core.config.request import resolve_request
from tbg_core.datasets import load_data
from tbg_core.errors import ConfigError
from tbg_core.loading import load_system
from tbg_core.objectives.config import FlowMatchingConfig
from tbg_core.objectives.flow_matching import FlowMatching
from tbg_core.observables import parse_observable
from tbg_core.pipeline.components import adapt_model, build_proposal
from tbg_core.pipeline.train import _weighted
from tbg_core.randomness import SampleKeys
from tbg_core.storage.checkpoint import Checkpoint
from tbg_core.training.data import Frames, TrainingData
from tbg_core.training.schedule import scheduled_rate

RECIPES = ("tbg-2024", "ecnf++")
SHRUNK = {"model.field.layers": 2, "model.field.width": 8, "training.batch_size": 6, "training.checkpoint_every": 2}


def resolved(recipe, *overrides, **components):
    return resolve_request(
        config={"system": "GF"}, overrides=list(overrides), components=components, values={}, recipe=recipe
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A simulation each of two dipeptides of 20 and 21 atoms, which share batches."""
    folders = []
    for name in ("AG", "SG"):
        out = tmp_path_factory.mktemp("data") / name
        intervals = ("frame_interval_ps", "exchange_interval_ps", "equilibration_ps", "heating_ps", "scramble_ps")
        options = {f"dynamics.{interval}": 0.05 for interval in intervals} | {"simulation.block_frames": 12}
        folders.append(api.simulate(system=name, walkers=2, frames=12, options=options, out=out))
    return folders


def test_tbg_2024_is_the_paper():
    config = resolved("tbg-2024")
    field, training, objective = config.model["field"], config.training, config.objective
    assert (field["name"], field["layers"], field["width"], field["encoding"]) == ("egnn", 9, 128, "full")
    assert field["time_frequencies"] == 0
    assert config.model["length_scale_nm"] == pytest.approx(1 / 30)
    assert config.prior == {"name": "mean-free-gaussian", "std": 1.0}
    assert (objective["name"], objective["sigma"]) == ("flow-matching", 0.01)
    assert (objective["coupling"], objective["time_law"]) == ("independent", "uniform")
    assert training.batch_size == 3 * 200
    assert (training.weight_decay, training.ema_decay, training.gradient_clip) == (0.0, 0.0, None)
    assert (config.integrator["name"], config.integrator["rtol"], config.integrator["atol"]) == ("dopri5", 1e-4, 1e-4)
    epoch = training.steps / 12
    assert epoch == pytest.approx(50_000 / 3, rel=1e-3)
    rates = [scheduled_rate(round(e * epoch), training) for e in (0, 3.99, 4.01, 7.99, 8.01, 11.99)]
    assert rates == pytest.approx([5e-4, 5e-4, 5e-5, 5e-5, 5e-6, 5e-6])


@pytest.mark.parametrize(
    ("encoding", "parameters"), [("element", 1_044_239), ("backbone", 1_046_295), ("full", 1_062_486)]
)
def test_its_networks_have_the_published_numbers_of_parameters(encoding, parameters):
    config = resolved("tbg-2024", f"model.field.encoding={encoding}")
    proposal = build_proposal(adapt_model(config, [load_system("AG")]), config)
    assert sum(p.numel() for p in proposal.parameters()) == parameters


def test_ecnf_is_the_improved_one():
    config = resolved("ecnf++")
    field, training, objective = config.model["field"], config.training, config.objective
    assert (field["name"], field["layers"], field["width"]) == ("egnn", 9, 256)
    proposal = build_proposal(adapt_model(config, [load_system("AG")]), config)
    assert sum(p.numel() for p in proposal.parameters()) == pytest.approx(4e6, rel=0.1)
    assert (objective["sigma"], objective["coupling"], objective["time_law"]) == (0.0, "independent", "uniform")
    assert (training.weight_decay, training.ema_decay, training.gradient_clip) == (1e-4, 0.999, 1.0)
    assert (training.batch_size, training.steps) == (512, 500_000)
    assert (config.integrator["name"], config.integrator["rtol"]) == ("dopri5", 1e-4)
    rates = [scheduled_rate(step, training) for step in (0, 24_999, 499_999)]
    assert rates == pytest.approx([5e-4 / 500, 5e-4, 5e-4 / 500])
    every = [scheduled_rate(step, training) for step in range(0, 500_000, 5_000)]
    assert all(a < b for a, b in pairwise(every[:6]))
    assert all(a > b for a, b in pairwise(every[6:]))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_config_of_one_is_complete_and_stable(recipe):
    config = resolved(recipe)
    again = resolve_request(config=config.model_dump(mode="json"), overrides=None, components={}, values={})
    assert again == config
    assert resolved(recipe, model="egnn") == config
    assert resolved(recipe, "model.layers=5", "model.width=64").model["field"]["width"] == 64
    assert resolved(recipe, model="e3nn").model["field"]["name"] == "e3nn"  # settings of the training stay
    assert "egnn" in str(find_recipe(recipe).settings)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_by_each(recipe, data, tmp_path):
    options = {**SHRUNK, "training.log_every": 1}
    whole = api.train(data, recipe=recipe, steps=6, options=options, out=tmp_path / "whole")
    opened = Checkpoint.open(whole)
    assert [s["name"] for s in opened.manifest["systems"]] == ["AG", "SG"]
    assert (opened.model["field"]["layers"], opened.model["field"]["width"]) == (2, 8)
    assert opened.model["prior"] == {"name": "mean-free-gaussian", "std": 1.0}
    stored = yaml.safe_load((tmp_path / "whole" / "config.yaml").read_text())
    assert stored["recipe"] == recipe
    expected = make_config(
        {"training": {**find_recipe(recipe).settings["training"], "steps": 6, "batch_size": 6, "checkpoint_every": 2}}
    ).training.model_copy(update={"log_every": 1})
    assert stored["training"] == expected.model_dump(mode="json")
    losses = [float(line.split(",")[1]) for line in (tmp_path / "whole" / "loss.csv").read_text().splitlines()[1:]]
    assert len(losses) == 6
    assert np.isfinite(losses).all()
    # What was stored is enough to go on and to do the same again.
    assert api.train(data, out=tmp_path / "whole", resume=True) == whole
    again = api.train(data, config=tmp_path / "whole" / "config.yaml", out=tmp_path / "again")
    weights = [(folder / "model.safetensors").read_bytes() for folder in (whole, again)]
    assert weights[0] == weights[1]
    scale = float(load_file(whole / "model.safetensors")["length_scale"])
    assert 0.1 < scale < 0.4 if recipe == "ecnf++" else scale == pytest.approx(1 / 30)


def test_its_loss_is_divided_by_3n_of_each_molecule(data):
    """By hand: of a batch that mixes both sizes, the mean over rows of |v - (x1 - x0)|^2 / 3N."""
    config = resolved("tbg-2024", "model.field.layers=2", "model.field.width=8")
    frames = [f for folder in data for f in load_data(folder)]
    torch.manual_seed(0)  # noqa: TID251 - as the pipeline does
    proposal = build_proposal(adapt_model(config, [f.system for f in frames]), config)
    batches = TrainingData(frames)
    assert len(batches.buckets) == 1
    x, batch = batches.batch(0, 2, 8)
    counts = batch.mask.sum(dim=1)
    assert sorted(counts.unique().tolist()) == [20, 21]
    objective = FlowMatching(FlowMatchingConfig(**{k: v for k, v in config.objective.items() if k != "name"}))
    keys = SampleKeys.range(0, "train/0", 0, 8)
    loss = objective.loss(proposal, x, batch, keys)
    t, x_t, target = objective._regression(proposal, x, batch, keys)
    v = proposal.field(t, x_t, batch)
    rows = []
    for i, n in enumerate(counts.tolist()):
        # x1 is nm x 30; a row by itself, without the padding.
        x1 = 30 * (x[i, :n] - x[i, :n].mean(dim=0))
        x0 = x1 - target[i, :n]
        torch.testing.assert_close(x0.mean(dim=0), torch.zeros(3), rtol=0, atol=1e-5)
        noise = x_t[i, :n] - (1 - t[i]) * x0 - t[i] * x1
        assert 0.005 < float(noise.square().mean().sqrt()) < 0.015
        rows.append((v[i, :n] - (x1 - x0)).square().sum() / (3 * n))
    torch.testing.assert_close(loss, torch.stack(rows).mean(), rtol=1e-4, atol=1e-5)


def test_biasing_phi_raises_it_in_each_molecule_that_has_one():
    rng = np.random.default_rng(0)
    config = make_config({"training": {"oversample": {"observable": "phi", "centre": 1.0}}})
    frames, rare = [], {}
    for name, share in (("AA", 0.05), ("SG", 0.2), ("ACE-NME", None)):
        system = load_system(name)
        x = np.repeat(system.reference[None].astype(np.float32), 400, axis=0)
        if share is not None:
            turned = rng.random(400) < share
            rare[name] = turned
            phi = parse_observable("phi", system)
            x = _with_phi(x, phi, np.where(turned, 1.0, -1.6), system)
            np.testing.assert_allclose(phi(x), np.where(turned, 1.0, -1.6), atol=1e-4)
        frames.append(Frames(system, x, np.repeat(np.arange(4), 100)))
    weighted = _weighted(frames, config)
    assert [f.system.name for f in weighted] == ["AA", "SG", "ACE-NME"]
    for f in weighted[:2]:
        raised = rare[f.system.name]
        assert f.weights[raised].sum() == pytest.approx(0.5 + 0.5 * raised.mean(), abs=0.01)
    assert weighted[2].weights is None
    # Batches draw by them, molecule by molecule, and hold the molecules in equal shares.
    drawn = TrainingData([f.split(0.25)[0] for f in weighted[:2]])
    seen = {name: [] for name in rare}
    for step in range(40):
        x, batch = drawn.batch(0, step, 50)
        for row, i in zip(x, batch.index.tolist(), strict=True):
            system = batch.systems[i]
            values = parse_observable("phi", system)(row[None, : len(system.elements)].numpy())
            seen[system.name].append(float(values[0]) > 0)
    for name, positive in seen.items():
        expected = 0.5 + 0.5 * rare[name].mean()
        assert np.mean(positive) == pytest.approx(expected, abs=0.08), name
    with pytest.raises(ConfigError, match="ACE-NME has no phi"):
        _weighted(frames[2:], config)


def _with_phi(x, observable, target, molecule):
    """Conformations [n, N, 3] turned about N-CA until phi is ``target`` [n]: by all atoms on the side of CA."""
    n, ca = (molecule.atom(1, name) for name in ("N", "CA"))
    side, stack = {ca}, [ca]
    while stack:
        for other in molecule.neighbours[stack.pop()]:
            if other not in side and other != n:
                side.add(other)
                stack.append(other)
    moving = sorted(side)
    axis = x[:, ca] - x[:, n]
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    angle = (target - observable(x))[:, None, None]
    r = x[:, moving] - x[:, ca][:, None]
    k = axis[:, None]
    turned = r * np.cos(angle) + np.cross(k, r) * np.sin(angle) + k * (r @ axis[:, :, None]) * (1 - np.cos(angle))
    out = x.copy()
    out[:, moving] = turned + x[:, ca][:, None]
    return out
