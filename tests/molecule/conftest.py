"""Small molecules built by hand, from internal coordinates."""

from __future__ import annotations

import numpy as np
import pytest

from tbg_core.molecule import Molecule
from tbg_core.molecule.graph import neighbour_table
from tbg_core.molecule.handedness import handedness_labels

MASSES = {"H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998, "Cl": 35.45}


def place(rows):
    """Positions [n, 3] of rows (key, distance nm, angle degrees, dihedral degrees, reference keys)."""
    index = {row[0]: i for i, row in enumerate(rows)}
    x = np.zeros((len(rows), 3))
    for i, (_, r, theta_degrees, phi_degrees, references) in enumerate(rows):
        if i == 0:
            continue
        theta, phi = np.radians([theta_degrees, phi_degrees])
        a, b, c = (*(x[index[k]] for k in references), [0.3, 0.7, 0.1], [0.9, -0.4, 0.2])[:3]
        u = (a - b) / np.linalg.norm(a - b) if i > 1 else np.array([1.0, 0.0, 0.0])
        w = np.cross(np.asarray(b) - np.asarray(c), u)
        w /= np.linalg.norm(w)
        m = np.cross(w, u)
        x[i] = a + r * (-np.cos(theta) * u + np.sin(theta) * (np.cos(phi) * m + np.sin(phi) * w))
    return x


def make(name, rows, extra_bonds=(), residues=("LIG",), order=None, charges=None):
    """A molecule; keys are ``residue:name:element`` and every atom is bonded to its first reference."""
    x = place(rows)
    keys = [row[0] for row in rows]
    order = keys if order is None else order
    at = {key: i for i, key in enumerate(order)}
    x = x[[keys.index(key) for key in order]]
    x -= x.mean(axis=0)
    pairs = [(row[0], row[4][0]) for row in rows[1:]] + list(extra_bonds)
    bonds = tuple(sorted(tuple(sorted((at[a], at[b]))) for a, b in pairs))
    elements = tuple(key.split(":")[2] for key in order)
    return Molecule(
        name=name,
        elements=elements,
        atom_names=tuple(key.split(":")[1] for key in order),
        residue_index=tuple(int(key.split(":")[0]) - 1 for key in order),
        residue_names=residues,
        bonds=bonds,
        masses=tuple(MASSES[e] for e in elements),
        formal_charges=charges or (0,) * len(elements),
        handedness=handedness_labels(neighbour_table(len(elements), bonds), x, elements),
        reference=x,
    )


def rows_of(text):
    """Rows ``name element r theta phi a b c`` of one residue, all in residue 1."""
    element = {}
    rows = []
    for line in text.strip().splitlines():
        name, symbol, r, theta, phi, *references = line.split()
        element[name] = symbol
        rows.append(
            (
                f"1:{name}:{symbol}",
                float(r),
                float(theta),
                float(phi),
                tuple(f"1:{k}:{element[k]}" for k in references),
            )
        )
    return rows


def haloethane(name, *, second, mirrored=False):
    """C1(H, F, Cl)-C2(H, F, X): two centres whose handednesses can be equal or opposite."""
    sign = -1 if mirrored else 1
    text = f"""
    C1 C 0 0 0
    C2 C .153 0 0 C1
    F1 F .137 109.5 0 C1 C2
    H1 H .109 109.5 120 C1 C2 F1
    L1 Cl .177 109.5 240 C1 C2 F1
    F2 F .137 109.5 175 C2 C1 F1
    H2 H .109 109.5 {175 + sign * 120} C2 C1 F1
    """
    text += "L2 Cl .177" if second == "Cl" else "O2 O .141"
    text += f" 109.5 {175 - sign * 120} C2 C1 F1"
    return make(name, rows_of(text))


def water():
    return make("water", rows_of("O O 0 0 0\nH1 H .096 0 0 O\nH2 H .096 104.5 0 O H1"))


def methane():
    return make(
        "methane",
        rows_of(
            "C C 0 0 0\nH1 H .109 0 0 C\nH2 H .109 109.47 0 C H1\n"
            "H3 H .109 109.47 120 C H1 H2\nH4 H .109 109.47 240 C H1 H2"
        ),
    )


def peroxide():
    return make("peroxide", rows_of("O1 O 0 0 0\nO2 O .145 0 0 O1\nH1 H .097 100 0 O1 O2\nH2 H .097 100 112 O2 O1 H1"))


def ethane():
    return make(
        "ethane",
        rows_of(
            "C1 C 0 0 0\nC2 C .153 0 0 C1\nH1 H .109 109.5 0 C1 C2\nH2 H .109 109.5 120 C1 C2 H1\n"
            "H3 H .109 109.5 240 C1 C2 H1\nH4 H .109 109.5 60 C2 C1 H1\nH5 H .109 109.5 180 C2 C1 H1\n"
            "H6 H .109 109.5 300 C2 C1 H1"
        ),
    )


def chlorofluoroethane():
    return make(
        "chlorofluoroethane",
        rows_of(
            "C1 C 0 0 0\nC2 C .153 0 0 C1\nF F .137 109.5 0 C1 C2\nL Cl .177 109.5 120 C1 C2 F\n"
            "H1 H .109 109.5 240 C1 C2 F\nH2 H .109 109.5 60 C2 C1 F\nH3 H .109 109.5 180 C2 C1 F\n"
            "H4 H .109 109.5 300 C2 C1 F"
        ),
    )


def acetate():
    return make(
        "acetate",
        rows_of(
            "C1 C 0 0 0\nC2 C .152 0 0 C1\nO1 O .125 117 0 C2 C1\nO2 O .125 117 180 C2 C1 O1\n"
            "H1 H .109 109.5 10 C1 C2 O1\nH2 H .109 109.5 130 C1 C2 O1\nH3 H .109 109.5 250 C1 C2 O1"
        ),
        charges=(0, 0, 0, -1, 0, 0, 0),
    )


def fluoropropane():
    """2-fluoropropane: two equivalent methyls at a prochiral centre."""
    return make(
        "fluoropropane",
        rows_of(
            "C1 C 0 0 0\nC2 C .153 0 0 C1\nC3 C .153 112 0 C2 C1\nF F .138 108 120 C2 C1 C3\n"
            "H H .109 109 240 C2 C1 C3\nA1 H .109 109.5 60 C1 C2 C3\nA2 H .109 109.5 180 C1 C2 C3\n"
            "A3 H .109 109.5 300 C1 C2 C3\nB1 H .109 109.5 60 C3 C2 C1\nB2 H .109 109.5 180 C3 C2 C1\n"
            "B3 H .109 109.5 300 C3 C2 C1"
        ),
    )


def cyclopropane():
    """Three equivalent CH2 in a ring."""
    r, h = 0.0872, 0.091
    x, keys = [], []
    for k in range(3):
        direction = np.array([np.cos(2 * np.pi * k / 3), np.sin(2 * np.pi * k / 3), 0.0])
        keys += [f"1:C{k}:C", f"1:H{k}:H", f"1:G{k}:H"]
        x += [r * direction, (r + 0.06) * direction + [0, 0, h], (r + 0.06) * direction - [0, 0, h]]
    x = np.array(x)
    bonds = ((0, 1), (0, 2), (0, 3), (0, 6), (3, 4), (3, 5), (3, 6), (6, 7), (6, 8))
    elements = tuple(key.split(":")[2] for key in keys)
    return Molecule(
        "cyclopropane",
        elements,
        tuple(key.split(":")[1] for key in keys),
        (0,) * 9,
        ("LIG",),
        bonds,
        tuple(MASSES[e] for e in elements),
        (0,) * 9,
        handedness_labels(neighbour_table(9, bonds), x, elements),
        x,
    )


def alanine_dipeptide():
    """ACE-ALA-NME, L, 22 atoms, methyl carbon first."""
    key = {}
    rows = []
    for line in """
        1 CH3 C 0 0 0
        1 C C .152 0 0 CH3
        1 O O .123 121 0 C CH3
        2 N N .134 116 180 C CH3 O
        2 CA C .146 122 0 N C O
        2 C C .153 110 -75 CA N 1C
        2 O O .123 120 -35 2C CA N
        3 N N .134 116 145 2C CA N
        3 C C .146 122 180 3N 2C CA
        2 H H .101 119 180 N 1C O
        2 CB C .153 110 -122 CA N 2C
        2 HA H .109 109 119 CA N 2C
        2 HB1 H .109 109.5 60 CB CA N
        2 HB2 H .109 109.5 180 CB CA N
        2 HB3 H .109 109.5 300 CB CA N
        3 H H .101 119 0 3N 2C CA
        1 HH31 H .109 109.5 60 CH3 1C O
        1 HH32 H .109 109.5 180 CH3 1C O
        1 HH33 H .109 109.5 300 CH3 1C O
        3 H1 H .109 109.5 60 3C 3N 2C
        3 H2 H .109 109.5 180 3C 3N 2C
        3 H3 H .109 109.5 300 3C 3N 2C
    """.strip().splitlines():
        residue, name, symbol, r, theta, phi, *references = line.split()
        rows.append(
            (
                f"{residue}:{name}:{symbol}",
                float(r),
                float(theta),
                float(phi),
                tuple(key[k] for k in references),
            )
        )
        key[residue + name] = rows[-1][0]
        key.setdefault(name, rows[-1][0])
    names = {
        1: ["CH3", "HH31", "HH32", "HH33", "C", "O"],
        2: ["N", "H", "CA", "HA", "CB", "HB1", "HB2", "HB3", "C", "O"],
        3: ["N", "H", "C", "H1", "H2", "H3"],
    }
    order = [key[f"{residue}{name}"] for residue, members in names.items() for name in members]
    return make("ACE-ALA-NME", rows, residues=("ACE", "ALA", "NME"), order=order)


BUILDERS = {
    "water": water,
    "methane": methane,
    "peroxide": peroxide,
    "ethane": ethane,
    "chlorofluoroethane": chlorofluoroethane,
    "acetate": acetate,
    "fluoropropane": fluoropropane,
    "cyclopropane": cyclopropane,
    "meso": lambda: haloethane("meso", second="Cl", mirrored=True),
    "equal": lambda: haloethane("equal", second="Cl"),
    "two-centres": lambda: haloethane("two-centres", second="O"),
    "alanine": alanine_dipeptide,
}


@pytest.fixture(scope="session")
def build():
    """Molecules by name."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = BUILDERS[name]()
        return made[name]

    return get


@pytest.fixture(scope="session")
def alanine(build):
    return build("alanine")
