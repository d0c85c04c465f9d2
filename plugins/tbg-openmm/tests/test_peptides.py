"""Molecules built from sequences: chemistry, conventions and reproducibility."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import openmm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tbg_core.datasets.convergence import cis_bonds
from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.residues import AMINO_ACIDS, ONE_LETTER
from tbg_core.observables.geometry import dihedral
from tbg_core.observables.torsions import torsions
from tbg_core.testing.system import SystemConformance
from tbg_openmm.backend import OpenMMBackend
from tbg_openmm.completeness import check_bonds, check_complete
from tbg_openmm.config import OpenMMConfig, PeptideConfig
from tbg_openmm.forcefield import create_system, load_forcefield
from tbg_openmm.peptide import PeptideSource
from tbg_openmm.presets import PRESETS
from tbg_openmm.topology import from_topology, handedness_labels, order_hydrogens, to_topology


class TestPeptideSource(SystemConformance):
    accepted = ("ACE-NME", "ACE-GLY-NME", "alanine-dipeptide")
    refused = ("AXG", "gf", "G")

    def source(self):
        return PeptideSource

    def config(self):
        return PeptideConfig


def check_molecule(molecule):
    """What must hold of every molecule that is built."""
    x = molecule.reference
    topology = to_topology(molecule)
    assert x.shape == (molecule.n_atoms, 3)
    assert np.abs(x.mean(axis=0)).max() < 1e-12
    assert list(molecule.residue_index) == sorted(molecule.residue_index)
    places = list(zip(molecule.residue_index, molecule.atom_names, strict=True))
    assert len(set(places)) == molecule.n_atoms
    assert handedness_labels(molecule.elements, molecule.bonds, x) == molecule.handedness
    assert len(molecule.handedness) == sum(len(bonded) == 4 for bonded in molecule.neighbours)
    check_complete(topology)
    check_bonds(topology, x)
    for label in molecule.handedness:
        hydrogens = [i for i in label.neighbours if molecule.elements[i] == "H"]
        assert tuple(hydrogens) == label.neighbours[4 - len(hydrogens) :]
        if len(hydrogens) > 1:
            assert label.sign == 1
    for residue, name in enumerate(molecule.residue_names):
        centre = molecule.atom(residue, "CA")
        if centre is not None and name != "GLY":
            # CORN rule: L-amino acids read CO, R, N clockwise seen from the hydrogen.
            assert np.linalg.det([x[molecule.atom(residue, n)] - x[centre] for n in ("C", "CB", "N")]) > 0
    for name in PRESETS:
        preset = PRESETS[name]
        system = create_system(molecule, load_forcefield(preset.forcefield), preset.nonbonded_method, preset.cutoff_nm)
        (nonbonded,) = (f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
        charges = [nonbonded.getParticleParameters(i)[0]._value for i in range(molecule.n_atoms)]
        for residue in range(len(molecule.residue_names)):
            inside = [i for i in range(molecule.n_atoms) if molecule.residue_index[i] == residue]
            formal = sum(molecule.formal_charges[i] for i in inside)
            assert sum(charges[i] for i in inside) == pytest.approx(formal, abs=1e-3)


@pytest.mark.parametrize("text", ["ACE-NME", "GF", "PRE", "ACE-ASH-NH2", "ACE-GLH-LYN-HIP-HID-NME"])
def test_built_molecules_are_whole_and_charged_as_their_force_fields_say(build, text):
    check_molecule(build(text))


@pytest.mark.slow
@pytest.mark.parametrize("code", AMINO_ACIDS)
def test_every_amino_acid_builds_at_either_end_and_between_caps(build, code):
    letter = ONE_LETTER[code]
    for text in (f"{letter}G", f"G{letter}", f"{letter}{letter}", f"ACE-{code}-NME", f"A{letter}{letter}A"):
        check_molecule(build(text))


def test_a_peptide_bond_starts_cis_where_asked(build):
    trans, cis = build("APA"), PeptideSource(PeptideConfig(sequence="APA", cis=(2,))).build()
    assert trans.key == cis.key
    omega = [np.cos(dihedral(cis.reference[None], *atoms))[0] for atoms in torsions(cis, "omega").values()]
    assert [round(value) for value in omega] == [1, -1]
    assert not cis_bonds(trans, trans.reference[None])[0]
    check_molecule(cis)


def test_a_cis_bond_that_is_not_there_is_refused():
    with pytest.raises(UnsupportedSystemError, match="no residue 4"):
        PeptideSource(PeptideConfig(sequence="APA", cis=(4,))).build()


def test_names_and_codes(build, alanine_dipeptide):
    assert build("alanine-dipeptide").key == alanine_dipeptide.key
    assert alanine_dipeptide.describe() == "ACE-ALA-NME: ACE-ALA-NME, 22 atoms, neutral"
    assert build("ACE-HIS-NME").residue_names == ("ACE", "HIE", "NME")
    assert len({build(f"ACE-{code}-NME").key for code in ("HID", "HIE", "HIP")}) == 3


def test_charges_of_a_zwitterion_sit_on_its_ends(gf):
    charged = {
        (gf.residue_names[gf.residue_index[i]], gf.atom_names[i]): charge
        for i, charge in enumerate(gf.formal_charges)
        if charge
    }
    assert charged == {("GLY", "N"): 1, ("PHE", "OXT"): -1}
    assert gf.total_charge == 0


def test_the_reference_is_a_minimum_of_the_preset(gf, alanine_dipeptide):
    import torch

    from tbg_core.contracts.energy import ThermodynamicState

    backend = OpenMMBackend(OpenMMConfig(platform="Reference"))
    for molecule in (gf, alanine_dipeptide):
        with backend.bind(molecule, ThermodynamicState(300.0)) as target:
            _, gradient = target.energy_and_grad(torch.from_numpy(molecule.reference)[None])
        assert gradient.abs().max() < 10  # kT/nm


def test_identity_does_not_depend_on_the_process(build):
    texts = ("ACE-ALA-NME", "LK")
    program = (
        "import random, sys; random.seed(9)\n"
        "from tbg_openmm.config import PeptideConfig; from tbg_openmm.peptide import PeptideSource\n"
        "for text in sys.argv[1:]:\n"
        "    molecule = PeptideSource(PeptideConfig(sequence=text)).build()\n"
        "    print(molecule.key, molecule.reference.tobytes().hex())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", program, *texts]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    here = [build(text) for text in texts]
    assert output.split() == [part for m in here for part in (m.key, m.reference.tobytes().hex())]


def test_building_leaves_the_global_generator_alone(build):
    import random

    random.seed(5)
    expected = random.random()
    random.seed(5)
    build("ACE-NME")
    assert random.random() == expected


@settings(deadline=None)  # the first call builds a molecule
@given(st.integers(0, 2**32 - 1))
def test_hydrogen_labels_do_not_depend_on_which_hydrogen_came_first(seed):
    molecule = _alanine_dipeptide()
    random = np.random.default_rng(seed)
    x = molecule.reference.copy()
    for label in molecule.handedness:
        hydrogens = [i for i in label.neighbours if molecule.elements[i] == "H"]
        x[hydrogens] = x[random.permutation(hydrogens)]
    ordered = order_hydrogens(molecule.elements, molecule.bonds, x)
    assert handedness_labels(molecule.elements, molecule.bonds, ordered) == molecule.handedness
    assert sorted(map(tuple, ordered)) == sorted(map(tuple, molecule.reference))


def test_a_molecule_survives_the_way_to_a_topology_and_back(gf):
    again = from_topology(to_topology(gf), gf.reference, gf.name)
    assert again == gf
    assert again.key == gf.key


_CACHE = {}


def _alanine_dipeptide():
    if not _CACHE:
        _CACHE["molecule"] = PeptideSource(PeptideConfig(sequence="ACE-ALA-NME")).build()
    return _CACHE["molecule"]
