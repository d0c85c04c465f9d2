"""The energy in torch: batch last, differentiable, on CPU and CUDA; the native kernel's fallback and its check."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor

    from tbg_openmm.engine.parameters import ForceFieldParameters, GeneralizedBorn, Pairs


class TorchEnergy:
    """Energies of conformations [3, N, B], nm.

    Args:
        parameters: The force field.
        dtype: float32 or float64.
        device: Where to compute.
    """

    def __init__(self, parameters: ForceFieldParameters, dtype: torch.dtype, device: torch.device) -> None:
        self.dtype, self.device = dtype, device
        self._n = parameters.n_atoms
        self._parameters = parameters
        self._i, self._j = self._indices(np.triu_indices(self._n, 1))
        bonds, angles, torsions, cmaps = parameters.bonds, parameters.angles, parameters.torsions, parameters.cmaps
        self._bonds = (*self._indices(bonds.atoms.T), *self._numbers(bonds.length, bonds.stiffness))
        self._angles = (*self._indices(angles.atoms.T), *self._numbers(angles.angle, angles.stiffness))
        self._torsions = self._indices(torsions.atoms.T)
        self._cosines, self._sines = self._numbers(torsions.cosines.T, torsions.sines.T)
        self._phis, self._psis = self._indices(cmaps.atoms.T[:4]), self._indices(cmaps.atoms.T[4:])
        if len(cmaps.atoms):
            sizes = np.array([len(c) for c in cmaps.coefficients])
            starts = np.concatenate([[0], np.cumsum(sizes**2)[:-1]])
            self._cells = self._numbers(np.concatenate([c.reshape(-1, 16) for c in cmaps.coefficients]))[0]
            self._map_size, self._map_start = self._indices((sizes[cmaps.map], starts[cmaps.map]))
        if parameters.pairs is not None:
            pairs = parameters.pairs
            self._coulomb, self._c12, self._c6 = self._numbers(pairs.coulomb, pairs.c12, pairs.c6)
            self._cut = torch.as_tensor(pairs.cut, device=device)[:, None]
        if parameters.born is not None:
            self._prepare_born(parameters.born)

    def _indices(self, arrays: np.ndarray | tuple[np.ndarray, ...]) -> list[Tensor]:
        return [torch.as_tensor(np.asarray(a, dtype=np.int64), device=self.device) for a in arrays]

    def _numbers(self, *arrays: np.ndarray) -> list[Tensor]:
        """One column per term, to broadcast over the batch."""
        return [torch.as_tensor(a, dtype=self.dtype, device=self.device).unsqueeze(-1) for a in arrays]

    def _prepare_born(self, born: GeneralizedBorn) -> None:
        # Directed pairs: the integral of the first atom from the second.
        self._to, self._from = torch.cat([self._i, self._j]), torch.cat([self._j, self._i])
        names = ("charges", "radii", "offset_radii", "scaled_radii", "alpha", "beta", "gamma")
        self._born = dict(zip(names, self._numbers(*(getattr(born, name) for name in names)), strict=True))
        if born.neck is not None:
            at = (self._to.cpu().numpy(), self._from.cpu().numpy())
            neck = born.neck
            self._neck = self._numbers(neck.depth[at], neck.position[at], neck.reach[at])

    def energy(self, x: Tensor) -> Tensor:
        """Energies [B], kJ/mol, float64, of ``x`` [3, N, B]."""
        return torch.stack([term.sum(0, dtype=torch.float64) for term in self.terms(x)]).sum(0)

    def terms(self, x: Tensor) -> list[Tensor]:
        """Every term of the energy, in groups [n, B], kJ/mol."""
        terms = [self._bond(x), self._angle(x), self._torsion(x)]
        if len(self._parameters.cmaps.atoms):
            terms.append(self._cmap(x))
        if self._parameters.pairs is not None or self._parameters.born is not None:
            r2 = (x[:, self._i] - x[:, self._j]).square().sum(0)
            if self._parameters.pairs is not None:
                terms.append(self._nonbonded(r2, self._parameters.pairs))
            if self._parameters.born is not None:
                terms += self._solvent(r2, self._parameters.born)
        return terms

    def _bond(self, x: Tensor) -> Tensor:
        i, j, length, stiffness = self._bonds
        return 0.5 * stiffness * ((x[:, i] - x[:, j]).square().sum(0).sqrt() - length).square()

    def _angle(self, x: Tensor) -> Tensor:
        i, j, k, angle, stiffness = self._angles
        a, b = x[:, i] - x[:, j], x[:, k] - x[:, j]
        sine = torch.linalg.cross(a, b, dim=0).square().sum(0).clamp_min(1e-18).sqrt()
        return 0.5 * stiffness * (torch.atan2(sine, (a * b).sum(0)) - angle).square()

    @staticmethod
    def _dihedral(x: Tensor, atoms: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Cosine and sine of dihedrals."""
        i, j, k, m = atoms
        a, b, c = x[:, j] - x[:, i], x[:, k] - x[:, j], x[:, m] - x[:, k]
        u, w = torch.linalg.cross(a, b, dim=0), torch.linalg.cross(b, c, dim=0)
        scale = (u.square().sum(0) * w.square().sum(0)).clamp_min(1e-30).rsqrt()
        return (u * w).sum(0) * scale, (a * w).sum(0) * b.square().sum(0).sqrt() * scale

    def _torsion(self, x: Tensor) -> Tensor:
        cosine, sine = self._dihedral(x, self._torsions)
        energy = self._cosines[0].expand_as(cosine)
        c, s = torch.ones_like(cosine), torch.zeros_like(sine)
        for a, b in zip(self._cosines[1:], self._sines[1:], strict=True):
            c, s = c * cosine - s * sine, s * cosine + c * sine
            energy = energy + a * c + b * s
        return energy

    def _cmap(self, x: Tensor) -> Tensor:
        cells, fractions = [], []
        for atoms in (self._phis, self._psis):
            cosine, sine = self._dihedral(x, atoms)
            position = torch.atan2(sine, cosine) * (self._map_size[:, None].to(self.dtype) / (2 * np.pi))
            cell = position.detach().floor()
            fractions.append(position - cell)
            cells.append(cell.nan_to_num().long() % self._map_size[:, None])
        index = self._map_start[:, None] + cells[0] * self._map_size[:, None] + cells[1]
        coefficients = self._cells[index, :, 0].reshape(*index.shape, 4, 4)
        powers = [torch.stack([f**k for k in range(4)], dim=-1) for f in fractions]
        energies: Tensor = (powers[0][..., :, None] * coefficients * powers[1][..., None, :]).sum((-1, -2))
        return energies

    def _nonbonded(self, r2: Tensor, pairs: Pairs) -> Tensor:
        inverse = r2.rsqrt()
        sixth = inverse**6
        energy = sixth * (self._c12 * sixth - self._c6) + self._coulomb * inverse
        if not np.isfinite(pairs.cutoff):
            return energy
        energy = energy + torch.where(self._cut, self._coulomb * (pairs.k_rf * r2 - pairs.c_rf), 0.0)
        return torch.where(self._cut & (r2 > pairs.cutoff**2), 0.0, energy)

    def _solvent(self, r2: Tensor, born: GeneralizedBorn) -> list[Tensor]:
        b = self._born
        radius = self._born_radius(r2, born)
        product = radius[self._i] * radius[self._j]
        f = (r2 + product * torch.exp(-r2 / (4 * product))).sqrt()
        charges = b["charges"]
        pair = born.prefactor * charges[self._i] * charges[self._j] * (1 / f - born.shift)
        if np.isfinite(born.cutoff):
            pair = torch.where(r2 > born.cutoff**2, 0.0, pair)
        own = 0.5 * born.prefactor * charges.square() / radius
        surface = born.surface * (b["radii"] + 0.14).square() * (b["radii"] / radius) ** 6
        return [pair, own, surface]

    def _born_radius(self, r2: Tensor, born: GeneralizedBorn) -> Tensor:
        b = self._born
        r = r2.sqrt()
        r = torch.cat([r, r])
        o, s = b["offset_radii"][self._to], b["scaled_radii"][self._from]
        upper, lower = r + s, torch.maximum(o, (r - s).abs())
        integral = 0.5 * (
            1 / lower
            - 1 / upper
            + 0.25 * (r - s * s / r) * (1 / upper**2 - 1 / lower**2)
            + 0.5 * torch.log(lower / upper) / r
        )
        if born.engulfing:
            integral = integral + torch.where(s - r > o, 1 / o - 1 / lower, 0.0)
        integral = torch.where(upper > o, integral, 0.0)
        if born.neck is not None:
            depth, position, reach = self._neck
            d2 = (r - position).square()
            integral = integral + torch.where(r < reach, depth / (1 + 100 * d2 + 3e5 * d2**3), 0.0)
        if np.isfinite(born.cutoff):
            integral = torch.where(r > born.cutoff, 0.0, integral)
        total = torch.zeros(self._n, r.shape[-1], dtype=self.dtype, device=self.device)
        total = total.index_add(0, self._to, integral)
        offset = b["offset_radii"]
        if not born.tanh:
            return 1 / (1 / offset - total)
        psi = total * offset
        polynomial = psi * (b["alpha"] + psi * (-b["beta"] + psi * b["gamma"]))
        return 1 / (1 / offset - torch.tanh(polynomial) / b["radii"])
