"""The plugin's declarations and refusals."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from tbg_core.contracts import KINDS
from tbg_core.contracts.energy import ThermodynamicState
from tbg_core.errors import EnergyError
from tbg_toys.config import (
    DoubleWellConfig,
    ExactSamplerConfig,
    GaussianMixtureConfig,
    LinearConfig,
    MuellerBrownConfig,
)
from tbg_toys.double_well import DoubleWell
from tbg_toys.exact_sampler import ExactSampler
from tbg_toys.gaussian_mixture import GaussianMixture
from tbg_toys.mueller_brown import MuellerBrown
from tbg_toys.plugin import tbg_components
from tbg_toys.system import ToySystem


def load(path):
    module, name = path.split(":")
    return getattr(importlib.import_module(module), name)


def test_declared_components_exist_and_can_be_built():
    specs = tbg_components()
    assert len({(spec.kind, spec.name) for spec in specs}) == len(specs) == 8
    for spec in specs:
        spec.validate()
        component = load(spec.target)(load(spec.config)())
        assert isinstance(component, load(KINDS[spec.kind]))


def test_listing_imports_nothing_heavy():
    code = (
        "import sys, tbg_toys.plugin, tbg_toys.config; tbg_toys.plugin.tbg_components();"
        "assert not {'torch', 'scipy', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("backend", "toy"),
    [
        (DoubleWell(DoubleWellConfig()), "mueller-brown"),
        (MuellerBrown(MuellerBrownConfig()), "double-well"),
        (GaussianMixture(GaussianMixtureConfig()), "asymmetric-double-well"),
    ],
)
def test_energy_of_another_toy_is_refused_by_name(backend, toy):
    with pytest.raises(EnergyError, match=toy):
        backend.bind(ToySystem(toy), ThermodynamicState())


def test_mixture_of_another_dimension_is_refused():
    config = GaussianMixtureConfig(means=((0.0,),), sigmas=(1.0,), weights=(1.0,))
    with pytest.raises(EnergyError, match="dimension 1"):
        GaussianMixture(config).bind(ToySystem("gaussian"), ThermodynamicState())


def test_exact_sampler_refuses_what_is_no_toy():
    target = SimpleNamespace(system=SimpleNamespace(name="ACE-ALA-NME"))
    with pytest.raises(EnergyError, match="ACE-ALA-NME"):
        ExactSampler(ExactSamplerConfig()).bind(target)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (DoubleWellConfig, {"barrier": 0}),
        (DoubleWellConfig, {"hight": 3}),
        (GaussianMixtureConfig, {"sigmas": (1.0,)}),
        (GaussianMixtureConfig, {"means": ((0.0,),), "sigmas": (1.0, 2.0), "weights": (1.0,)}),
        (GaussianMixtureConfig, {"means": ((0.0,),), "sigmas": (-1.0,), "weights": (1.0,)}),
        (GaussianMixtureConfig, {"means": ((0.0,), (1.0, 2.0)), "sigmas": (1.0, 1.0), "weights": (1.0, 1.0)}),
        (LinearConfig, {"matrix": ((1.0, 2.0),)}),
    ],
)
def test_bad_options_are_refused(config, options):
    with pytest.raises(ValidationError):
        config(**options)


def test_targets_tell_their_parameters_apart():
    state = ThermodynamicState(300.0)
    tilted = DoubleWell(DoubleWellConfig()).bind(ToySystem("asymmetric-double-well"), state)
    assert tilted.describe() == {"temperature_K": 300.0, "barrier": 10.0, "a": 1.0, "tilt": 5.0, "stiffness": 20.0}
    surface = MuellerBrown(MuellerBrownConfig(scale=0.2)).bind(ToySystem("mueller-brown"), state)
    assert surface.describe() == {"temperature_K": 300.0, "scale": 0.2}
    mixture = GaussianMixture(GaussianMixtureConfig(offset=1.5)).bind(ToySystem("gaussian"), state).describe()
    assert mixture["offset"] == 1.5
    assert (mixture["means"], mixture["sigmas"], mixture["weights"]) == ([[0.0, 0.0]], [1.0], [1.0])
