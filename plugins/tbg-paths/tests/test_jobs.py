"""The command: results, interruptions, refusals."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tbg_core.contracts.proposal import Proposal
from tbg_core.errors import ConfigError, TbgError
from tbg_core.pipeline.progress import NullProgress
from tbg_core.storage.checkpoint import save_checkpoint
from tbg_core.storage.shards import ShardStore
from tbg_core.testing import ProposalConformance
from tbg_core.testing.parts import plane
from tbg_paths.chains import Adaptation, make_moves
from tbg_paths.commands import app
from tbg_paths.config import PathSettings, elementary
from tbg_paths.run import stored_paths
from tbg_paths.state import PathSpace
from tbg_paths.verb import find_paths

SMALL = {
    "frames": 20,
    "timestep": 0.03,
    "chains": 4,
    "steps": 40,
    "burn_in": 20,
    "block": 20,
    "store_every": 4,
    "draws": 64,
    "committor_points": 20,
    "committor_shots": 4,
    "start": "x:0=-1+-0.5",
    "end": "x:0=1+-0.5",
}
PARTS = {"system": "double-well", "model": None, "energy": {"name": "double-well", "barrier": 5.0}, "likelihood": None}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A flow that was never trained, with weights at random."""
    from tbg_core.registry import get_registry

    registry = get_registry()
    model = registry.complete(
        "proposal",
        registry.resolve_model(
            {"name": "mlp", "width": 8, "depth": 1}, {}, {"prior": {"name": "gaussian", "std": 1.2}}
        ),
    )
    model = {key: value for key, value in model.items() if key not in {"integrator", "likelihood"}}
    proposal = registry.build("proposal", {**model, "integrator": "rk4", "likelihood": "quadrature"})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in proposal.parameters():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    folder = tmp_path_factory.mktemp("trained") / "checkpoint"
    save_checkpoint(folder, proposal, model, systems=[])
    return folder


def job(checkpoint, out, *, resume=False, **given):
    return find_paths(
        components={**PARTS, "integrator": {"name": "rk4", "steps": 6}},
        values={"temperature_K": 300.0, "seed": 3},
        given={**SMALL, **given},
        checkpoint=checkpoint,
        config=None,
        options={"likelihood.nodes": 15},
        out=out,
        resume=resume,
        progress=NullProgress(),
    )


@pytest.fixture(scope="module")
def finished(checkpoint, tmp_path_factory):
    return job(checkpoint, tmp_path_factory.mktemp("paths") / "out")


def test_a_job_from_first_paths_to_the_report(finished):
    out, metrics = finished
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert set(metrics["moves"]) == {"latent", "shooting"}
    for name, entry in metrics["moves"].items():
        paths = stored_paths(out, name)
        assert paths.shape == (4, 10, 20, 2)
        assert (np.abs(paths[:, :, 0, 0] + 1) <= 0.5001).all()
        assert (np.abs(paths[:, :, -1, 0] - 1) <= 0.5001).all()
        assert entry["moves_per_chain"] == 40
        assert 0 < entry["acceptance"] < 1
        assert entry["energy_evaluations"] > 0
    assert metrics["moves"]["shooting"]["frames_mapped"] == 0 < metrics["moves"]["latent"]["frames_mapped"]
    assert metrics["committor"]["frames"] == 20
    page = (out / "report.html").read_text()
    for words in ("Moves side by side", "Transition states", "TOO FEW PATHS", "exact"):
        assert words in page


def test_steps_are_frozen_after_the_burn_in(finished):
    out, _ = finished
    store = ShardStore(out / "chains" / "latent")
    steps = [store.read(i, ["steps.log", "steps.speed", "burn_in"]) for i in store.indices]
    assert [bool(s["burn_in"][0]) for s in steps] == [True, False, False]
    assert (steps[0]["steps.log"] == steps[2]["steps.log"]).all()
    assert (steps[0]["steps.speed"] == steps[2]["steps.speed"]).all()
    settings = PathSettings.model_validate({**SMALL, "dynamics": "overdamped", "friction": 1.0, "cvs": ("x:0", "x:1")})
    first = Adaptation.begin(make_moves(elementary("latent"), settings))
    assert (steps[0]["steps.log"] != first.log_step).any()
    assert (steps[0]["steps.speed"] > 0).all()
    assert (steps[0]["steps.speed"] < 1).all()


def test_a_job_killed_anywhere_ends_the_same(finished, checkpoint, tmp_path):
    out, metrics = finished
    for keep in (0, 2):
        copy = tmp_path / f"killed-{keep}"
        shutil.copytree(out, copy)
        for name in ("latent", "shooting"):
            store = ShardStore(copy / "chains" / name)
            for index in store.indices[keep if name == "latent" else 0 :]:
                store.path(index).unlink()
        shutil.rmtree(copy / "committor")
        (copy / "report.html").unlink()
        _, again = job(checkpoint, copy, resume=True)
        for entry in (*metrics["moves"].values(), *again["moves"].values()):
            entry.pop("cpu_seconds", None)
        assert again == metrics
        assert (stored_paths(copy, "latent") == stored_paths(out, "latent")).all()


def test_a_job_is_prolonged_but_not_changed(finished, checkpoint, tmp_path):
    out, _ = finished
    copy = tmp_path / "longer"
    shutil.copytree(out, copy)
    job(checkpoint, copy, resume=True, steps=60)
    longer = stored_paths(copy, "shooting")
    assert longer.shape[1] == 15
    assert (longer[:, :10] == stored_paths(out, "shooting")).all()
    with pytest.raises(TbgError, match="other settings"):
        job(checkpoint, copy, resume=True, steps=60, timestep=0.02)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"start": "x:0=-30+-0.1"}, "none of 64 draws"),
        ({"moves": ("latant",)}, "no moves 'latant'"),
        ({"store_every": 50}, "no path would be stored"),
        ({"start": None}, "two states"),
        ({"cvs": "phi,psi"}, "not an observable"),
    ],
)
def test_what_cannot_be_sampled_is_refused(checkpoint, tmp_path, given, message):
    with pytest.raises(TbgError, match=message):
        job(checkpoint, tmp_path / "out", **given)


def test_the_help_teaches():
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "160", "TERM": "dumb"})
    assert shown.exit_code == 0
    for words in ("tbg paths --system double-well", "latent-gp", "--from", "phi=-70+-30"):
        assert words in shown.output


def test_moves_of_a_proposal_without_latent_space_are_refused(well):
    from tbg_core.priors.config import GaussianConfig
    from tbg_core.priors.gaussian import Gaussian
    from tbg_core.testing.parts import GaussianProposal

    space = well(dim=2)
    proposal = GaussianProposal(Gaussian(GaussianConfig()))
    assert not proposal.has_latent
    with pytest.raises(ConfigError, match="no latent space"):
        PathSpace(space.target, space.dynamics, space.start, space.end, proposal)


class TestBent(ProposalConformance):
    """The proposal of these tests, and with it the conformance tests of latent spaces."""

    @pytest.fixture(autouse=True)
    def _bent(self, bent):
        self.kind = bent

    def make(self) -> Proposal:
        return self.kind()

    def system(self):
        return plane(2)


def test_a_wrong_volume_is_found_out(bent):
    class OneWayOnly(bent):
        """What it forgets on the way to latent space, it does not forget on the way back."""

        def to_latent(self, x, system, condition=None):
            moved = super().to_latent(x, system)
            return self._moved(moved.x, moved.log_det + 0.3)

    class BothWays(bent):
        """Consistent, and the density of nothing."""

        def from_latent(self, z, system, condition=None):
            moved = super().from_latent(z, system)
            return self._moved(moved.x, moved.log_det + 0.3)

    def case(proposal):
        return type("Case", (ProposalConformance,), {"make": lambda _: proposal(), "system": lambda _: plane(2)})()

    for wrong, test in ((OneWayOnly, "test_latent_space"), (BothWays, "test_log_determinant_is_that_of_the_map")):
        getattr(case(bent), test)()
        with pytest.raises(AssertionError):
            getattr(case(wrong), test)()


def test_paths_that_are_too_short_are_reported():
    from tbg_paths.report import _notes

    def notes(time):
        moves = {"effective_paths": 100.0, "mean_transition_time": time, "mean_transition_time_err": 0.01}
        return _notes({"frames": 100, "timestep": 0.01, "moves": {"shooting": moves}})

    assert notes(0.6) == ()
    (note,) = notes(0.8)
    assert "--frames" in note.text


def test_a_molecule_is_shot_at_unless_asked_otherwise():
    pytest.importorskip("tbg_openmm")
    from tbg_core.loading import load_system
    from tbg_paths.verb import make_settings

    molecule, toy, states = load_system("ACE-ALA-NME"), load_system("double-well"), {"start": "A", "end": "B"}
    assert make_settings(molecule, states).moves == ("shooting",)
    assert make_settings(molecule, {**states, "moves": ("latent",)}).moves == ("latent",)
    assert make_settings(toy, states).moves == ("latent", "shooting")


def test_chains_that_have_not_mixed_are_never_enough():
    from tbg_paths.report import _head

    def label(*, mixed):
        moves = {"effective_paths": 90.0, "effective_paths_per_1000_energies": 1.0, "acceptance": 0.2, "mixed": mixed}
        about = {"system": "s", "from": "A", "to": "B", "model": "m", "energy": "e", "temperature_K": 300.0}
        return _head({**about, "dynamics": "langevin", "frames": 9, "timestep": 0.1, "moves": {"shooting": moves}})

    assert label(mixed=True).reliable
    assert not label(mixed=False).reliable
    assert label(mixed=False).label == "TOO FEW PATHS"
