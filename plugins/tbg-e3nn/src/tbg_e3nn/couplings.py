"""What couples to what: spherical harmonics and products of irreps, from e3nn's algebra.

e3nn labels an irrep by its degree l and its parity p. A displacement is 1o, its harmonics are lp with p = (-1)^l, and
the products of such *natural* irreps are natural only where l1 + l2 + l3 is even; the others are pseudotensors, as is
the cross product, 1o x 1o -> 1e. Calling every irrep even, which under rotations is the same, admits all products.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from e3nn import o3
from torch import Tensor


@dataclass(frozen=True)
class Coupling:
    """One product l1 x l2 -> l3, with features l1 of a sender and harmonics l2 of an edge."""

    l1: int
    l2: int
    l3: int

    @property
    def tensor(self) -> Tensor:
        """e3nn's Wigner 3j [2 l1 + 1, 2 l2 + 1, 2 l3 + 1], scaled so that unit inputs give outputs of unit size."""
        return o3.wigner_3j(self.l1, self.l2, self.l3, dtype=torch.float64) * (2 * self.l3 + 1) ** 0.5


def irrep(degree: int, *, mix_parities: bool) -> o3.Irrep:
    """The irrep of degree l, with its natural parity (-1)^l or, where parities mix, called even."""
    return o3.Irrep(degree, 1 if mix_parities else (-1) ** degree)


def couplings(lmax: int, *, mix_parities: bool) -> list[Coupling]:
    """All products of features and harmonics of degree 1 to lmax whose result is a feature of degree 1 to lmax."""
    degrees = range(1, lmax + 1)
    label = {degree: irrep(degree, mix_parities=mix_parities) for degree in degrees}
    found = []
    for l1 in degrees:
        for l2 in degrees:
            products = set(label[l1] * label[l2])
            found += [Coupling(l1, l2, l3) for l3 in degrees if label[l3] in products]
    return found


class Harmonics(torch.nn.Module):
    """Solid harmonics of degree 1 to lmax as polynomials of a vector, e3nn's up to their norm.

    Polynomials are smooth where the vector vanishes, as it does between an atom and itself. They are built by recursion
    from e3nn's Wigner symbols, for torch cannot compile e3nn's own functions together with the network around them.

    Args:
        lmax: Largest degree.
    """

    def __init__(self, lmax: int) -> None:
        super().__init__()
        # No buffers: they would be rounded when a network is cast to float32, and stay so when it is cast back.
        self.steps: list[Tensor] = []
        lower = pole = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
        for degree in range(2, lmax + 1):
            step = o3.wigner_3j(degree - 1, 1, degree, dtype=torch.float64)
            # |Y| = 1 on unit vectors, and Y > 0 at e3nn's pole: any unit vector shows the factor.
            size = torch.einsum("a,b,abc->c", lower, pole, step)
            step = step * size[size.abs().argmax()].sign() / size.norm()
            lower = torch.einsum("a,b,abc->c", lower, pole, step)
            self.steps.append(step)

    def forward(self, u: Tensor) -> list[Tensor]:
        """Harmonics [..., 2l + 1] of vectors u [..., 3], l = 1..lmax."""
        found = [u]
        for step in self.steps:
            found.append(torch.einsum("...a,...b,abc->...c", found[-1], u, step.to(u)))
        return found
