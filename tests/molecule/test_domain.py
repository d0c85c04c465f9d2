"""Folding, checked by writing out the whole group."""

from __future__ import annotations

import itertools
import math
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tbg_core.ensemble.validity import Validity
from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.domain import CanonicalDomain
from tbg_core.molecule.symmetry import Relabellings


def by_element(molecule):
    return [sorted(set(molecule.elements)).index(e) for e in molecule.elements]


def distinct(molecule):
    return list(range(molecule.n_atoms))


def leaves_alike(molecule):
    """Equal classes for equal atoms on one atom (methyl and CH2 hydrogens), all others distinct."""
    classes = {}
    return [
        classes.setdefault((molecule.elements[i], row[0]) if len(row) == 1 else i, len(classes))
        for i, row in enumerate(molecule.neighbours)
    ]


def halogens_distinct(molecule):
    """All hydrogens alike, all carbons alike, every other atom distinct."""
    return [{"H": -1, "C": -2}.get(e, i) for i, e in enumerate(molecule.elements)]


SCHEMES = {f.__name__: f for f in (by_element, distinct, leaves_alike, halogens_distinct)}


def relabellings(classes):
    """All permutations inside classes [|G|, N]."""
    members = {}
    for i, c in enumerate(classes):
        members.setdefault(c, []).append(i)
    groups = list(members.values())
    table = []
    for choice in itertools.product(*(itertools.permutations(group) for group in groups)):
        source = np.empty(len(classes), dtype=int)
        for group, order in zip(groups, choice, strict=True):
            source[group] = order
        table.append(source)
    return np.array(table)


def random_relabelling(rng, classes):
    source = np.arange(len(classes))
    for c in set(classes):
        members = np.flatnonzero(np.array(classes) == c)
        source[members] = rng.permutation(members)
    return source


def noisy(molecule, rng, n, scale=0.003):
    return molecule.reference + rng.normal(scale=scale, size=(n, molecule.n_atoms, 3))


SMALL = [
    "water",
    "methane",
    "peroxide",
    "ethane",
    "chlorofluoroethane",
    "acetate",
    "cyclopropane",
    "meso",
    "equal",
    "two-centres",
    pytest.param("fluoropropane", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("reflection", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_folding_of_the_whole_group(build, name, scheme, reflection):
    """The gain is |G|/|S|, and every point of the domain has exactly that many preimages in an orbit."""
    molecule = build(name)
    classes = SCHEMES[scheme](molecule)
    domain = CanonicalDomain(molecule, classes, reflection)
    y = noisy(molecule, np.random.default_rng(3), 1)[0]
    assert domain.contains(y[None])[0]

    group = relabellings(classes)
    orbit = y[group]
    assert len(group) == math.prod(math.factorial(n) for n in Counter(classes).values())
    if domain.mirrors:
        orbit = np.concatenate([orbit, -orbit])
    stabiliser = domain.contains(orbit).sum()
    assert math.exp(domain.log_orbit) == pytest.approx(len(orbit) / stabiliser, rel=1e-12)

    folded = domain.fold(orbit)
    assert (folded.status == Validity.OK).all()
    assert domain.contains(folded.x).all()
    images = Counter(np.round(x, 9).tobytes() for x in folded.x + 0.0)
    assert len(images) == stabiliser
    assert set(images.values()) == {len(orbit) // stabiliser}

    inside = domain.contains(orbit)
    assert np.array_equal(folded.x[inside], orbit[inside])  # points of the domain stay where they are


@pytest.mark.parametrize("name", ["ethane", "meso", "fluoropropane"])
def test_mirror_adds_nothing_where_relabelling_reverses_all_labels(build, name):
    molecule = build(name)
    domain = CanonicalDomain(molecule, by_element(molecule), reflection=True)
    assert not domain.mirrors
    assert domain.log_orbit == CanonicalDomain(molecule, by_element(molecule), reflection=False).log_orbit
    folded = domain.fold(-noisy(molecule, np.random.default_rng(0), 20))
    assert (folded.status == Validity.OK).all()
    assert not folded.mirrored.any()


def test_a_meso_compound_whose_halves_can_be_told_apart_needs_the_mirror(build):
    molecule = build("meso")
    domain = CanonicalDomain(molecule, distinct(molecule), reflection=True)
    assert domain.mirrors
    assert domain.log_orbit == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("name", "scheme", "reflection", "gain"),
    [
        ("alanine", "distinct", False, 1),
        ("alanine", "distinct", True, 2),
        # Three methyls with 6 / 3 each, and the mirror.
        ("alanine", "leaves_alike", True, 2**4),
        # 12 H, 6 C, 2 N, 2 O; the molecule's own symmetries are the rotations of its methyls.
        ("alanine", "by_element", True, 2 * math.factorial(12) * math.factorial(6) * 2 * 2 // 27),
        # Exchanging the methyls reverses the prochiral label, so only their rotations keep all labels.
        ("fluoropropane", "by_element", True, math.factorial(3) * math.factorial(7) // 9),
        ("acetate", "by_element", True, 2 * 2 * 6 // (3 * 2)),
        ("methane", "by_element", True, 24 // 12),
    ],
)
def test_gains_known_in_closed_form(build, name, scheme, reflection, gain):
    molecule = build(name)
    domain = CanonicalDomain(molecule, SCHEMES[scheme](molecule), reflection)
    assert domain.log_orbit == pytest.approx(math.log(gain), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_relabelled_and_mirrored_alanine_is_folded_back(alanine, scheme):
    rng = np.random.default_rng(5)
    classes = SCHEMES[scheme](alanine)
    domain = CanonicalDomain(alanine, classes, reflection=True)
    x = noisy(alanine, rng, 60)
    sign = rng.choice([-1.0, 1.0], size=60)
    raw = np.stack([s * frame[random_relabelling(rng, classes)] for s, frame in zip(sign, x, strict=True)])
    folded = domain.fold(raw)
    assert (folded.status == Validity.OK).all()
    assert np.array_equal(folded.mirrored, sign < 0)
    assert domain.contains(folded.x).all()
    again = np.take_along_axis(raw, folded.source[:, :, None], 1) * np.where(folded.mirrored, -1, 1)[:, None, None]
    assert np.array_equal(again, folded.x)
    # Up to rotations of methyls the frame is the one that was relabelled.
    fixed = [i for i in range(22) if i not in {1, 2, 3, 11, 12, 13, 19, 20, 21}]
    assert np.array_equal(folded.x[:, fixed], x[:, fixed])
    assert np.allclose(folded.x.sum(axis=1), x.sum(axis=1))


def test_mirror_images_are_invalid_without_the_mirror(alanine):
    domain = CanonicalDomain(alanine, leaves_alike(alanine), reflection=False)
    folded = domain.fold(-alanine.reference[None])
    assert folded.status.tolist() == [Validity.WRONG_HANDEDNESS]
    assert np.array_equal(folded.x, -alanine.reference[None])


def test_a_molecule_without_stereocentres_is_never_mirrored(build):
    molecule = build("ethane")
    domain = CanonicalDomain(molecule, distinct(molecule), reflection=True)
    assert domain.log_orbit == 0.0
    assert domain.fold(-molecule.reference[None]).status.tolist() == [Validity.WRONG_HANDEDNESS]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_wrong_centre_of_two_cannot_be_folded(build, scheme):
    molecule = build("two-centres")
    classes = SCHEMES[scheme](molecule)
    domain = CanonicalDomain(molecule, classes, reflection=True)
    x = molecule.reference.copy()
    h, f = molecule.atom(0, "H2"), molecule.atom(0, "F2")
    centre = x[1]
    for i, j in ((h, f), (f, h)):  # exchange the two directions, keep the lengths
        direction = molecule.reference[j] - centre
        x[i] = centre + direction / np.linalg.norm(direction) * np.linalg.norm(molecule.reference[i] - centre)
    folded = domain.fold(np.stack([x, -x, molecule.reference, -molecule.reference]))
    wrong = Validity.WRONG_HANDEDNESS
    assert folded.status.tolist() == [wrong, wrong, Validity.OK, Validity.OK]
    assert folded.mirrored.tolist() == [False, False, False, True]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_broken_and_extra_bonds_are_wrong(alanine, scheme):
    domain = CanonicalDomain(alanine, SCHEMES[scheme](alanine), reflection=True)
    stretched = alanine.reference.copy()
    stretched[16:] += 0.45 * (stretched[16] - stretched[14])  # the peptide bond is now 0.194 nm
    close = alanine.reference.copy()
    close[5] = close[0] + [0.05, 0.05, 0.1]
    lost = np.full_like(stretched, np.nan)
    folded = domain.fold(np.stack([stretched, close, lost]))
    assert folded.status.tolist() == [Validity.WRONG_BONDS] * 3


def test_a_hydrogen_on_the_wrong_atom_is_a_wrong_bond_graph(alanine):
    """The number of bonds is right and every atom's class too, but not the graph."""
    x = alanine.reference.copy()
    carbon, amide = 14, 7
    normal = np.cross(x[8] - x[carbon], x[16] - x[carbon])
    x[amide] = x[carbon] + 0.109 * normal / np.linalg.norm(normal)
    domain = CanonicalDomain(alanine, by_element(alanine), reflection=True)
    assert domain.fold(x[None]).status.tolist() == [Validity.WRONG_BONDS]


def test_classes_never_exchange_elements(build):
    molecule = build("two-centres")
    one = CanonicalDomain(molecule, [0] * molecule.n_atoms, reflection=True)
    assert one.log_orbit == CanonicalDomain(molecule, by_element(molecule), reflection=True).log_orbit


def test_folding_keeps_the_type_and_works_in_pieces(alanine):
    rng = np.random.default_rng(2)
    x = noisy(alanine, rng, 5000).astype(np.float32)
    domain = CanonicalDomain(alanine, leaves_alike(alanine), reflection=True)
    x[::2] *= -1
    folded = domain.fold(x)
    assert folded.x.dtype == np.float32
    assert folded.valid.all()
    assert np.array_equal(folded.mirrored, np.arange(5000) % 2 == 0)


def test_positions_of_another_molecule_are_refused(alanine):
    domain = CanonicalDomain(alanine, distinct(alanine), reflection=True)
    with pytest.raises(ValueError, match=r"\[B, 22, 3\]"):
        domain.fold(np.zeros((2, 21, 3)))
    with pytest.raises(ValueError, match="has 22 atoms, not 3"):
        CanonicalDomain(alanine, [0, 1, 2], reflection=True)


def test_a_tetrahedral_atom_needs_a_label(build):
    unlabelled = replace(build("ethane"), handedness=())
    with pytest.raises(UnsupportedSystemError, match="Atom 1 of ethane"):
        CanonicalDomain(unlabelled, distinct(unlabelled), reflection=False)


def test_relabelling_of_alanine_is_fast(alanine):
    rng = np.random.default_rng(7)
    backbone = {"N", "CA", "C", "O"}
    classes = [
        100 + i if name in backbone else "HCNO".index(element)
        for i, (element, name) in enumerate(zip(alanine.elements, alanine.atom_names, strict=True))
    ]
    domain = CanonicalDomain(alanine, classes, reflection=True)
    raw = np.stack([x[random_relabelling(rng, classes)] for x in noisy(alanine, rng, 300)])
    start = time.process_time()
    assert domain.fold(raw).valid.all()
    assert (time.process_time() - start) / 300 < 2e-3


def mixture_log_density(x, centres, sigma):
    """Log-density [n] of an equal mixture of mean-free Gaussians about centres [K, N, 3]."""
    dim = 3 * (x.shape[1] - 1)
    squared = np.array([((x - c) ** 2).sum(axis=(1, 2)) for c in centres])
    exponent = -squared / (2 * sigma**2)
    top = exponent.max(axis=0)
    return top + np.log(np.exp(exponent - top).mean(axis=0)) - 0.5 * dim * math.log(2 * math.pi * sigma**2)


def mixture_samples(rng, n, centres, sigma):
    noise = rng.normal(scale=sigma, size=(n, *centres.shape[1:]))
    return centres[rng.integers(len(centres), size=n)] + noise - noise.mean(axis=1, keepdims=True)


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("name", "reflection", "sigma"),
    [
        ("chlorofluoroethane", True, 0.004),
        ("chlorofluoroethane", True, 0.02),
        ("chlorofluoroethane", False, 0.02),
        ("peroxide", True, 0.02),
        ("ethane", True, 0.02),
        ("equal", True, 0.02),
        ("meso", True, 0.02),
    ],
)
def test_density_gained_by_folding_is_normalised(build, name, reflection, sigma):
    """The integral over the domain of the folded density is the share of samples that can be folded."""
    molecule = build(name)
    classes = by_element(molecule)
    domain = CanonicalDomain(molecule, classes, reflection)
    rng = np.random.default_rng(11)
    y = molecule.reference - molecule.reference.mean(axis=0)
    centres = y[relabellings(classes)]
    if reflection:
        centres = np.concatenate([centres, -centres])
    n = 4000
    valid = domain.fold(mixture_samples(rng, n, centres, sigma)).valid

    # A proposal that knows nothing of folding: Gaussians about the centres that lie in the domain.
    own = centres[domain.contains(centres)]
    x = mixture_samples(rng, n, own, 1.02 * sigma)
    log_ratio = mixture_log_density(x, centres, sigma) - mixture_log_density(x, own, 1.02 * sigma)
    integrand = np.where(domain.contains(x), np.exp(log_ratio + domain.log_orbit), 0.0)
    error = math.hypot(integrand.std(), valid.std()) / math.sqrt(n)
    assert error < 0.02
    # False alarms: 6e-5 per case at four standard errors.
    assert abs(integrand.mean() - valid.mean()) < 4 * error + 1e-9
    # Narrow Gaussians lie in the domain whole; of wide ones it cuts off a part.
    assert valid.mean() == 1.0 if sigma < 0.01 else 0.1 < valid.mean() < 0.99


def test_factors_of_the_symmetry_of_a_ring(build):
    """Cyclopropane: the six proper rotations keep all labels; hydrogens of one CH2 are free to swap."""
    molecule = build("cyclopropane")
    parts = Relabellings(molecule, by_element(molecule))
    assert parts.log_size == pytest.approx(math.log(6))
    assert len(parts.blocks) == 1
    assert len(parts.free) == 3
    assert parts.reversible
