"""Any part against any other, exchanged in the config file alone: every run ends, and its numbers agree.

Priors, fields, integrators and energies of a molecule; and the field of a plugin that ``tbg plugins new`` made, which
is for points in R^d, on a toy. Nothing but the text of the config file differs between the runs.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import tbg_core
from tbg_core.ensemble import Ensemble, Validity

SETTINGS = Path(__file__).with_name("swaps.yaml")

PRIORS = ("harmonic", "mean-free-gaussian")
FIELDS: dict[str, dict[str, Any]] = {
    "egnn": {"name": "egnn", "layers": 3, "width": 32},
    "e3nn": {"name": "e3nn", "layers": 2, "scalars": 24, "channels": 4, "edge_width": 24},
}
INTEGRATORS: dict[str, dict[str, Any]] = {
    "euler": {"name": "euler", "steps": 40},
    "rk4": {"name": "rk4", "steps": 40},
    "dopri5": {"name": "dopri5", "rtol": 1e-5, "atol": 1e-5},
    "torchdiffeq": {"name": "torchdiffeq", "method": "dopri5", "rtol": 1e-5, "atol": 1e-5},
}
ENERGIES = ("openmm", "ase")
TOY: dict[str, Any] = {
    "system": "double-well",
    "energy": "double-well",
    "dynamics": "exact-sampler",
    "prior": "gaussian",
    "model": {"name": "my-field"},
}
ACCURATE = ("rk4", "dopri5", "torchdiffeq")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Laboratory:
    """Config files, and the folders of what was made from them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Path] = {}

    def config(self, **parts: Any) -> Path:
        """A config file: that beside this test with other parts; energies of ASE have dynamics of their own."""
        content = {**yaml.safe_load(SETTINGS.read_text()), **parts}
        if content["energy"] == "ase":
            content.pop("dynamics")
        path = self.folder / f"{len(list(self.folder.glob('*.yaml')))}.yaml"
        path.write_text(yaml.safe_dump(content))
        return path

    def once(self, name: str, make: Callable[[Path], Any]) -> Path:
        """The folder ``name``, made on first use."""
        if name not in self._made:
            make(self.folder / name)
            self._made[name] = self.folder / name
        return self._made[name]

    def checkpoint(self, name: str, steps: int, **parts: Any) -> Path:
        """A model called ``name``, trained for ``steps``."""
        training = {**yaml.safe_load(SETTINGS.read_text())["training"], "steps": steps}
        config = self.config(**parts, training=training)
        system = parts.get("system", "molecule")
        data = self.once(f"data-{system}", lambda out: tbg_core.simulate(config=config, out=out))
        return self.once(name, lambda out: tbg_core.train(data, config=config, out=out)) / "checkpoint"

    def run(self, checkpoint: Path, integrator: str, **parts: Any) -> Ensemble:
        """A finished run."""
        config = self.config(integrator=INTEGRATORS[integrator], **parts)
        name = "-".join((checkpoint.parent.name, integrator, str(parts.get("energy"))))
        return Ensemble.load(self.once(name, lambda out: tbg_core.sample(checkpoint, config=config, out=out)))


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory) -> Laboratory:
    return Laboratory(tmp_path_factory.mktemp("swaps"))


def check(ensemble: Ensemble, energy: str) -> None:
    """Finished, with densities of valid samples alone and finite weights, by the energy that was asked for."""
    metrics = json.loads((ensemble.folder / "metrics.json").read_text())
    assert (ensemble.folder / "report.html").is_file()
    assert metrics["energy"] == energy
    assert metrics["attempted"] == ensemble.attempted == 16
    assert metrics["valid"] == ensemble.valid.sum() > 0
    assert np.array_equal(np.isfinite(ensemble.log_q), ensemble.valid)
    assert not np.isin(ensemble.status, [Validity.INTEGRATION_FAILED, Validity.NONFINITE_DENSITY]).any()
    assert np.isfinite(ensemble.log_weights[ensemble.valid]).all()


def check_agreement(ensembles: list[Ensemble]) -> None:
    """The same draws by accurate solvers: positions alike, log q within 0.05 nats."""
    first = ensembles[0]
    for other in ensembles[1:]:
        assert np.abs(other.positions - first.positions).max() < 1e-3
        assert np.array_equal(other.valid, first.valid)
        assert first.valid.sum() >= 8  # invalid draws have no density
        assert np.abs(other.log_q - first.log_q)[first.valid].max() < 0.05


def test_integrators_and_energies_by_config(laboratory):
    """One trained model: each integrator once, the energies in turn."""
    checkpoint = laboratory.checkpoint("small", steps=300)
    pairs = dict(zip(INTEGRATORS, itertools.cycle(ENERGIES), strict=False))
    made = {name: laboratory.run(checkpoint, name, energy=energy) for name, energy in pairs.items()}
    for name, energy in pairs.items():
        check(made[name], energy)
    check_agreement([made[name] for name in ACCURATE])
    # The same draws, about -1e4 kT by quantum chemistry.
    assert (made["rk4"].reduced_energy[made["rk4"].valid] < -1e4).all()
    assert (made["dopri5"].reduced_energy[made["dopri5"].valid] > -1e3).all()


def test_reweighting_to_another_energy_is_one_command(laboratory):
    checkpoint = laboratory.checkpoint("small", steps=300)
    before = laboratory.run(checkpoint, "dopri5", energy="openmm")
    out = laboratory.folder / "reweighted"
    command = ["reweight", before.folder, "--energy", "ase", "--out", out, "--quiet"]
    subprocess.run([sys.executable, "-m", "tbg_core.cli.main", *map(str, command)], check=True, capture_output=True)
    after = Ensemble.load(out)
    assert np.array_equal(after.positions, before.positions)
    assert np.array_equal(after.log_q, before.log_q, equal_nan=True)
    described = json.loads((out / "provenance.json").read_text())["target"]
    assert described["calculator"] == "gfn2-xtb"
    with tbg_core.load_target(system="ACE-NH2", energy="ase") as target:
        x = torch.from_numpy(before.positions[before.valid]).double()
        np.testing.assert_allclose(after.reduced_energy[before.valid], target.reduced_energy(x).numpy(), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("prior", PRIORS)
def test_the_whole_matrix(laboratory, prior, field):
    """Every integrator with every energy, for each prior and field."""
    pytest.importorskip(f"tbg_{field}")
    parts = {"prior": prior, "model": FIELDS[field]}
    checkpoint = laboratory.checkpoint(f"{prior}-{field}", steps=600, **parts)
    for energy in ENERGIES:
        made = {name: laboratory.run(checkpoint, name, energy=energy, **parts) for name in INTEGRATORS}
        for ensemble in made.values():
            check(ensemble, energy)
        check_agreement([made[name] for name in ACCURATE])


@pytest.fixture
def template(tmp_path):
    """A plugin made by ``tbg plugins new``, installed into a folder of its own and seen by this process."""
    from tbg_core.registry import reset_registry

    site = tmp_path / "site"
    made = ["tbg_core.cli.main", "plugins", "new", "my-field", "--kind", "field", "--out", str(tmp_path)]
    installed = ["pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    for command in (made, [*installed, str(tmp_path / "my-field")]):
        subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    sys.path.insert(0, str(site))
    reset_registry()
    yield
    sys.path.remove(str(site))
    for module in [m for m in sys.modules if m.split(".")[0] == "my_field"]:
        del sys.modules[module]
    reset_registry()


@pytest.mark.slow
def test_a_field_from_the_template(laboratory, template):
    """The field of somebody else's package, with each integrator."""
    checkpoint = laboratory.checkpoint("template", steps=300, **TOY)
    made = {name: laboratory.run(checkpoint, name, **TOY) for name in INTEGRATORS}
    for ensemble in made.values():
        check(ensemble, "double-well")
    check_agreement([made[name] for name in ACCURATE])
