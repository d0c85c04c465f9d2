"""Units, charge and spin, failures, and numbers that do not depend on who computes them."""

from __future__ import annotations

import math
import multiprocessing
import warnings

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tblite.interface import Calculator

from tbg_ase.backend import AseBackend
from tbg_ase.chemistry import is_zwitterion
from tbg_ase.config import AseConfig
from tbg_core.contracts.system import Euclidean
from tbg_core.errors import EnergyError, ReliabilityWarning

KJ_PER_MOL_PER_HARTREE = 2625.4996394799  # CODATA 2018
NM_PER_BOHR = 0.0529177210903
KT = 8.31446261815324e-3 * 300.0


def bind(system, state, **options):
    return AseBackend(AseConfig(**options)).bind(system, state)


def tblite(system, x, method, charge=0.0, uhf=0, solvent=None):
    """Energy (kJ/mol) and gradient (kJ/mol/nm) by tblite itself, in atomic units inside."""
    numbers = [{"H": 1, "O": 8}[element] for element in system.elements]
    calculator = Calculator(method, np.array(numbers), x.numpy() / NM_PER_BOHR, charge, uhf)
    calculator.set("verbosity", 0)
    if solvent:
        calculator.add("alpb-solvation", solvent)
    result = calculator.singlepoint()
    return result["energy"] * KJ_PER_MOL_PER_HARTREE, result["gradient"] * KJ_PER_MOL_PER_HARTREE / NM_PER_BOHR


@pytest.mark.parametrize(
    ("options", "method", "solvent"),
    [
        ({}, "GFN2-xTB", None),
        ({"calculator": "gfn1-xtb"}, "GFN1-xTB", None),
        ({"solvent": "water"}, "GFN2-xTB", "water"),
    ],
)
def test_energies_are_those_of_tblite_in_our_units(water, near, state, options, method, solvent):
    x = near(water, 2)
    with bind(water, state, **options) as target:
        u, gradient = target.energy_and_grad(x)
    for i in range(2):
        energy, slope = tblite(water, x[i], method, solvent=solvent)
        assert float(u[i]) == pytest.approx(energy / KT, rel=1e-7)
        np.testing.assert_allclose(gradient[i].numpy(), slope / KT, rtol=1e-5, atol=1e-2)


def test_a_pair_of_argons_by_hand(make_molecule, state):
    pair = make_molecule(["Ar", "Ar"], [[0.0, 0.0, 0.0], [0.34 * 2 ** (1 / 6), 0.0, 0.0]])
    with bind(pair, state, calculator="lennard-jones", sigma_nm=0.34, epsilon_kJ_mol=1.7) as target:
        u, gradient = target.energy_and_grad(torch.from_numpy(pair.reference)[None])
        far = target.reduced_energy(torch.tensor([[[0.0, 0, 0], [3.4, 0, 0]]], dtype=torch.float64))
    assert float(u) == pytest.approx(-1.7 / KT, rel=1e-9)
    assert gradient.abs().max() < 1e-6
    assert float(far) == pytest.approx(-4 * 1.7e-6 / KT, rel=1e-4)  # there is no cutoff


def test_numbers_do_not_depend_on_order_or_workers(water, near, state):
    """To the last bit: no energy begins from the density of another conformation."""
    x = near(water, 7)
    with bind(water, state) as target:
        u, gradient = target.energy_and_grad(x)
        assert torch.equal(target.reduced_energy(x.flip(0)).flip(0), u)
        assert torch.equal(target.reduced_energy(x[3:4]), u[3:4])
    before = set(multiprocessing.active_children())
    for workers in (1, 3):
        with bind(water, state, workers=workers) as target:
            shared_u, shared_gradient = target.energy_and_grad(x)
            assert torch.equal(shared_u, u)
            assert torch.equal(shared_gradient, gradient)
        assert set(multiprocessing.active_children()) <= before


def test_energies_keep_their_digits(water, state):
    """A displacement of 1e-6 nm changes u of -5000 kT by thousandths of kT, which float32 cannot hold."""
    x = torch.from_numpy(water.reference)[None].repeat(2, 1, 1)
    x[0, 1, 0] += 0.004
    x[1, 1, 0] += 0.004 + 1e-6
    with bind(water, state, accuracy=0.01) as target:
        u, gradient = target.energy_and_grad(x)
    assert float(u[0]) < -5000
    assert float(u[1] - u[0]) == pytest.approx(float(gradient[0, 1, 0]) * 1e-6, rel=0.05)


def test_rows_that_fail_stay_alone(water, near, state):
    x = near(water, 6)
    x[0, 1] = math.inf
    x[1, 0, 0] = 1e7
    x[2, 1] = x[2, 0]
    x[3] = 0.0
    with bind(water, state) as target:
        u, gradient = target.energy_and_grad(x)
        assert torch.equal(target.reduced_energy(x[4:]), u[4:])
    assert torch.isnan(u[:4]).all()
    assert torch.isfinite(u[4:]).all()
    assert torch.isfinite(gradient).all()


def test_an_scf_that_does_not_converge_is_nan(water, near, state):
    x = near(water, 2)
    with bind(water, state, max_iterations=2) as target:
        assert torch.isnan(target.reduced_energy(x)).all()


def test_charge_comes_from_the_molecule(make_molecule, state):
    hydroxide = make_molecule("OH", [[0.0, 0, 0], [0.097, 0, 0]], [(0, 1)], charges=[-1, 0], name="hydroxide")
    x = torch.from_numpy(hydroxide.reference)[None]
    with bind(hydroxide, state) as target:
        assert target.describe()["charge"] == -1
        assert float(target.reduced_energy(x)) == pytest.approx(tblite(hydroxide, x[0], "GFN2-xTB", -1.0)[0] / KT)


def test_spin_is_asked_for_where_it_is_not_known(make_molecule, state):
    radical = make_molecule("OH", [[0.0, 0, 0], [0.097, 0, 0]], [(0, 1)], name="hydroxyl")
    with pytest.raises(EnergyError, match="9 electrons, an odd number"):
        bind(radical, state)
    with pytest.raises(EnergyError, match="cannot have the multiplicity 3"):
        bind(radical, state, multiplicity=3)
    x = torch.from_numpy(radical.reference)[None]
    with bind(radical, state, multiplicity=2) as target:
        assert float(target.reduced_energy(x)) == pytest.approx(tblite(radical, x[0], "GFN2-xTB", uhf=1)[0] / KT)


def test_an_unknown_charge_is_refused(make_molecule, state):
    unknown = make_molecule("OHH", [[0.0, 0, 0], [0.097, 0, 0], [0, 0.097, 0]], charges=[], name="something")
    with pytest.raises(EnergyError, match="charge of something is not known"):
        bind(unknown, state)


def test_zwitterions_in_vacuum_are_warned_of(make_molecule, state):
    """Glycine as a zwitterion; nitromethane, whose charges are of neighbours, is none."""
    nitro = make_molecule("CNOO", np.eye(4, 3), [(0, 1), (1, 2), (1, 3)], charges=[0, 1, -1, 0])
    assert not is_zwitterion(nitro)
    positions = [[0, 0, 0], [0.147, 0, 0], [0.2, 0.14, 0], [0.13, 0.24, 0], [0.325, 0.15, 0]]
    positions += [[-0.034, 0.096, 0], [-0.034, -0.048, 0.083], [-0.034, -0.048, -0.083]]
    positions += [[0.183, -0.051, 0.089], [0.183, -0.051, -0.089]]
    bonds = [(0, 1), (0, 5), (0, 6), (0, 7), (1, 2), (1, 8), (1, 9), (2, 3), (2, 4)]
    charges = [1, 0, 0, -1, 0, 0, 0, 0, 0, 0]
    glycine = make_molecule("NCCOOHHHHH", positions, bonds, charges=charges, name="glycine")
    with pytest.warns(ReliabilityWarning, match="glycine is a zwitterion"):
        bind(glycine, state).close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bind(glycine, state, solvent="water").close()


def test_the_description_says_how_to_repeat_it(water, state):
    with bind(water, state, solvent="water", workers=0) as target:
        described = target.describe()
    assert described.pop("ase_version")
    assert described.pop("tblite_version").count(".") == 2
    assert described == {
        "temperature_K": 300.0,
        "calculator": "gfn2-xtb",
        "solvent": "water",
        "solvation": "ALPB",
        "charge": 0,
        "multiplicity": 1,
        "accuracy": 1.0,
        "electronic_temperature_K": 300.0,
        "max_iterations": 250,
    }


@pytest.mark.parametrize(
    ("fixture", "options", "words"),
    [
        ("copper", {"calculator": "tip3p"}, "tip3p is for waters"),
        ("water", {"calculator": "lennard-jones", "sigma_nm": 1, "epsilon_kJ_mol": 1}, "one kind of atom"),
        ("argon", {"calculator": "emt"}, "no parameters for Ar"),
        ("water", {"solvent": "wine"}, "cannot be set up for water"),
    ],
)
def test_what_does_not_fit_is_refused(request, state, fixture, options, words):
    with pytest.raises(EnergyError, match=words):
        bind(request.getfixturevalue(fixture), state, **options)


def test_elements_beyond_radon_and_other_systems_are_refused(make_molecule, state):
    class Toy:
        name, key, space = "double-well", "0", Euclidean(2)

    with pytest.raises(EnergyError, match="double-well is a Toy"):
        bind(Toy(), state)
    with pytest.raises(EnergyError, match="gfn2-xtb has no parameters for U"):
        bind(make_molecule(["U"], [[0.0, 0, 0]]), state)


@pytest.mark.parametrize(
    "options",
    [
        {"calculator": "vasp"},
        {"calculator": "ase.calculators.vasp:Vasp"},
        {"calculator": "os.system"},
        {"command": "touch /tmp/executed"},
        {"solvent": "water; touch x"},
        {"calculator": "emt", "solvent": "water"},
        {"calculator": "lennard-jones"},
        {"sigma_nm": 0.3},
    ],
)
def test_a_config_can_only_name_what_is_listed(options):
    with pytest.raises(ValidationError):
        AseConfig(**options)
