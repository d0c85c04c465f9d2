"""Coordinates: there and back, the volume element against automatic differentiation, supports."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tbg_autoregressive.coordinates import gather, internals, place, torsion_of
from tbg_autoregressive.order import Torsion
from tbg_autoregressive.plan import Topology, make_plan, stack
from tbg_core.molecule import Molecule

NAMES = [
    "RD",
    "NC",
    "QE",
    "GH",
    "IL",
    "KM",
    "FV",
    "PP",
    "SA",
    "TW",
    "YG",
    "ACE-HID-HIP-NME",
    "ACE-ASH-GLH-LYN-NME",
    "ACE-NME",
]


def bare_plan(m: Molecule, rows: int):
    plan = make_plan(Topology.of(m))
    return stack([plan]).rows(torch.zeros(rows, dtype=torch.int64))


def rebuilt(m: Molecule, y: torch.Tensor, z: torch.Tensor, phi: torch.Tensor) -> torch.Tensor:
    """Positions from internal coordinates, the root as it was."""
    out = list(y[:, :3].unbind(1))
    for n, p in enumerate(Topology.of(m).order.placements):
        if n < 3:
            continue
        b, c, d = (out[q] for q in p.parents)
        r = z[:, n, 0].exp()
        if p.two_parents:
            base = (b - c).norm(dim=-1)
            cosine = (r**2 + base**2 - (2 * z[:, n, 1]).exp()) / (2 * r * base)
        else:
            cosine = torch.cos(2 * torch.atan(z[:, n, 1].exp()))
        torsion = phi[:, n] if p.torsion is Torsion.FREE else torsion_of(z[:, n, 2], p.torsion, p.sign)
        out.append(place(b, c, d, r, cosine, torsion))
    return torch.stack(out, dim=1)


@pytest.mark.parametrize("name", NAMES)
def test_there_and_back(molecule, shaken, name: str) -> None:
    m = molecule(name)
    x = torch.from_numpy(shaken(m, 20, 0.006))
    plan = bare_plan(m, len(x))
    y = gather(x, plan.order)
    found = internals(y, plan)
    assert found.inside.all()  # handedness signs of every tetrahedral atom are those of the reference
    assert (rebuilt(m, y, found.z, found.phi) - y).abs().max() < 1e-12
    # From single precision, as data are stored, to the promised 1e-6 nm.
    single = gather(x.float(), plan.order)
    from_single = internals(single, plan)
    assert (rebuilt(m, single, from_single.z, from_single.phi) - single).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["TW", "PP", "ACE-NME"])
def test_volume_element_is_that_of_the_jacobian(molecule, shaken, name: str) -> None:
    """log|det dx/dq| of all atoms after the root, by automatic differentiation, rings and their closures included."""
    m = molecule(name)
    x = torch.from_numpy(shaken(m, 1, 0.006))
    plan = bare_plan(m, 1)
    y = gather(x, plan.order)
    free = (plan.torsion[0] == Torsion.FREE)[3:]

    def coordinates(tail: torch.Tensor) -> torch.Tensor:
        found = internals(torch.cat([y[:, :3], tail.view(1, -1, 3)], dim=1), plan)
        phi = torch.where(free, found.phi[0, 3:], found.z[0, 3:, 2])
        return torch.stack([found.z[0, 3:, 0], found.z[0, 3:, 1], phi], dim=-1).flatten()

    jacobian = torch.autograd.functional.jacobian(coordinates, y[0, 3:].flatten())
    numeric = -torch.linalg.slogdet(jacobian)[1]
    # r^3 of the second atom, r^3 sin^2 theta of the third.
    u, v = y[0, 1] - y[0, 0], y[0, 2] - y[0, 1]
    sine = torch.linalg.cross(u, v).norm() / (u.norm() * v.norm())
    parents = [plan.parents[0, n].tolist() for n in (1, 2)]
    assert parents[0][0] == 0
    assert parents[1][:2] == [1, 0]
    root = 3 * u.norm().log() + 3 * v.norm().log() + 2 * sine.log()
    assert math.isclose(float(internals(y, plan).log_volume[0] - root), float(numeric), abs_tol=1e-8)


def test_root_has_the_volume_of_positions_and_orientations() -> None:
    """log q of three atoms against the Jacobian of (r1, r2, theta, Euler angles) -> mean-free positions."""
    m = water()
    plan = bare_plan(m, 1)
    r1, r2, theta = 0.097, 0.103, 1.7

    def positions(q: torch.Tensor) -> torch.Tensor:
        a, b, t, alpha, beta, gamma = q
        flat = torch.stack([torch.zeros(3, dtype=q.dtype), torch.stack([a, 0 * a, 0 * a])])
        last = flat[1] + torch.stack([-b * torch.cos(t), b * torch.sin(t), 0 * b])
        y = torch.cat([flat, last[None]])
        one, zero = torch.ones_like(a), torch.zeros_like(a)

        def about_z(w: torch.Tensor) -> torch.Tensor:
            c, s = torch.cos(w), torch.sin(w)
            return torch.stack([torch.stack([c, -s, zero]), torch.stack([s, c, zero]), torch.stack([zero, zero, one])])

        c, s = torch.cos(beta), torch.sin(beta)
        about_x = torch.stack([torch.stack([one, zero, zero]), torch.stack([zero, c, -s]), torch.stack([zero, s, c])])
        y = y @ (about_z(alpha) @ about_x @ about_z(gamma)).T
        return (y - y.mean(0)).flatten()

    q = torch.tensor([r1, r2, theta, 0.3, 1.1, 2.0], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(positions, q)
    log_det = 0.5 * torch.linalg.slogdet(jacobian.T @ jacobian)[1]  # volume on the mean-free space
    log_euler = math.log(math.sin(1.1))  # of 8 pi^2 in all
    y = positions(q).view(1, 3, 3)
    ours = internals(y, plan).log_volume[0] - plan.log_constant[0] - math.log(8 * math.pi**2)
    log_maps = math.log(r1) + math.log(r2) + math.log(math.sin(theta))  # dq/dz
    assert math.isclose(float(ours - log_maps), float(log_det - log_euler), abs_tol=1e-9)


def water() -> Molecule:
    return Molecule(
        "water", ("H", "O", "H"), ("H1", "O", "H2"), (0, 0, 0), ("HOH",), ((0, 1), (1, 2)),
        (1.0, 16.0, 1.0), (0, 0, 0), (),
        np.array([[0.096, 0.0, 0.0], [0.0, 0.0, 0.0], [-0.03, 0.093, 0.0]]),
    )  # fmt: skip


def test_the_mirror_image_is_off_the_support(molecule, shaken, make_model) -> None:
    m = molecule("PP")
    model = make_model(m)
    x = torch.from_numpy(shaken(m, 8))
    with torch.no_grad():
        assert torch.isfinite(model.log_prob(x, m).log_q).all()
        assert (model.log_prob(-x, m).log_q == -torch.inf).all()
