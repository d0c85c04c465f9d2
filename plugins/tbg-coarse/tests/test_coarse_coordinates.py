"""States are taken apart and put together again without loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_coarse.coordinates import split_coordinates
from tbg_core.errors import ConfigError
from tbg_core.loading import load_system
from tbg_core.observables import parse_observable
from tbg_core.testing.parts import plane
from tbg_core.testing.prior import space_basis


def conformations(molecule, count=5):
    noise = np.random.default_rng(0).standard_normal((count, molecule.n_atoms, 3))
    x = torch.from_numpy(molecule.reference + 0.004 * noise)
    return x - x.mean(1, keepdim=True)


@pytest.mark.parametrize(
    ("name", "cvs"),
    [("ACE-ALA-NME", "phi,psi"), ("ACE-PRO-NME", "psi"), ("GF", "psi,chi1"), ("ACE-TRP-NME", "omega")],
)
def test_molecules_are_rebuilt(name, cvs):
    molecule = load_system(name)
    coordinates = split_coordinates(molecule, cvs.split(","))
    x = conformations(molecule)
    parts = coordinates.split(x)
    assert parts.coarse.shape[1] + parts.rotors.shape[1] + parts.stiff.shape[1] == 3 * molecule.n_atoms - 6
    # One of the equivalent positions of each rotor is the one that it had: try until all distances agree.
    turns = torch.rand(400, coordinates.rotors, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for i, row in enumerate(x):
        one = [part[i : i + 1].expand(400, -1) for part in (parts.coarse, parts.rotors, parts.stiff)]
        built = coordinates.join(*one, turns)
        apart = (torch.cdist(built, built) - torch.cdist(row[None], row[None])).abs().amax((1, 2))
        assert apart.min() < 1e-6


def test_coarse_coordinates_are_the_observables():
    molecule = load_system("ACE-ALA-NME")
    x = conformations(molecule)
    s = split_coordinates(molecule, ("psi", "phi")).split(x).coarse
    for column, name in zip(s.T, ("psi", "phi"), strict=True):
        assert np.allclose(column.numpy(), parse_observable(name, molecule)(x.numpy()), atol=1e-9)


def test_equivalent_positions_of_a_methyl_group_are_one():
    molecule = load_system("ACE-ALA-NME")
    coordinates = split_coordinates(molecule, ("phi", "psi"))
    parts = coordinates.split(conformations(molecule, 1))
    turns = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.9, 0.4]], dtype=torch.float64)
    both = [part.expand(2, -1) for part in (parts.coarse, parts.rotors, parts.stiff)]
    again = coordinates.split(coordinates.join(*both, turns))
    assert torch.allclose(torch.cos(again.rotors), torch.cos(both[1]), atol=1e-9)
    assert torch.allclose(again.stiff, both[2], atol=1e-9)
    assert torch.allclose(again.log_volume, parts.log_volume, atol=1e-9)


def test_a_point_is_permuted():
    coordinates = split_coordinates(plane(4), ("x:2",))
    x = torch.randn(3, 4, dtype=torch.float64)
    parts = coordinates.split(x)
    assert torch.equal(parts.coarse[:, 0], x[:, 2])
    assert torch.equal(coordinates.join(parts.coarse, parts.rotors, parts.stiff, x[:, :0]), x)


@pytest.mark.parametrize(
    ("system", "cvs", "what"),
    [
        ("ACE-ALA-NME", "rg", "not one of the torsions"),
        ("ACE-ALA-NME", "phi,psi,omega", "one or two"),
        ("ACE-ALA-NME", "phi,phi", "one or two"),
        (None, "x:5", "cannot be coarse"),
        (None, "x:0,x:1", "cannot be coarse"),
    ],
)
def test_what_cannot_be_coarse_is_refused(system, cvs, what):
    with pytest.raises(ConfigError, match=what):
        split_coordinates(load_system(system) if system else plane(2), cvs.split(","))


@pytest.mark.parametrize(("name", "cvs"), [("ACE-ALA-NME", "phi,psi"), ("ACE-PRO-NME", "psi"), ("ACE-NME", "omega")])
def test_the_volume_element_is_the_determinant_of_the_map(name, cvs):
    """dx of the mean-free space, by automatic differentiation: internal coordinates and rotations make a basis."""
    molecule = load_system(name)
    coordinates = split_coordinates(molecule, cvs.split(","))
    parts = coordinates.split(conformations(molecule, 1))
    sizes = [part.shape[1] for part in (parts.coarse, parts.rotors, parts.stiff)]
    turn = torch.zeros(1, coordinates.rotors, dtype=torch.float64)

    def build(flat):
        return coordinates.join(*(p[None] for p in flat.split(sizes)), turn)[0]

    flat = torch.cat([parts.coarse, parts.rotors, parts.stiff], dim=1)[0]
    x = build(flat)
    axes = torch.eye(3, dtype=torch.float64)
    turned = torch.stack([torch.linalg.cross(axis.expand_as(x), x) for axis in axes], dim=-1)
    columns = torch.cat([torch.autograd.functional.jacobian(build, flat), turned], dim=-1)
    volume = torch.linalg.slogdet(space_basis(molecule.space).T @ columns.flatten(0, 1)).logabsdet
    # A folded angle turns as often as the rotor has equivalent positions, and one of them is drawn.
    folds = coordinates._fold.log().sum()
    assert float(volume + folds + math.log(8 * math.pi**2)) == pytest.approx(float(parts.log_volume), abs=1e-7)
