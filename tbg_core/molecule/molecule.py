"""The molecule: topology and chemistry, without coordinates."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tbg_core.contracts.system import MeanFree


@dataclass(frozen=True)
class Handedness:
    """The sense in which four neighbours stand around a tetrahedral atom.

    ``sign`` is that of the triple product (r_a - r_c) . ((r_b - r_c) x (r_d - r_c)) for the first three
    ``neighbours`` a, b, d of ``centre`` c (all four are listed). It is computed as that of the signed
    volume of the four (:func:`~tbg_core.molecule.handedness.signed_volumes`), the same in a tetrahedron.

    Attributes:
        centre: Atom index.
        neighbours: The four bonded atoms, indices in the order that defines ``sign``.
        sign: +1 or -1.
    """

    centre: int
    neighbours: tuple[int, int, int, int]
    sign: int


@dataclass(frozen=True)
class Molecule:
    """One molecule, in the atom order of its input.

    Everything but ``name`` and ``reference`` enters its identity :attr:`key`. All handedness labels
    (stereocentres, prochiral and methyl hydrogens) are those of the reference conformation.

    Attributes:
        name: For people.
        elements: Element symbols [N].
        atom_names: PDB atom names [N], unique within a residue.
        residue_index: Residue of each atom [N], from 0, not decreasing.
        residue_names: Three-letter residue names [R].
        bonds: Pairs (i, j), i < j, sorted.
        masses: amu [N].
        formal_charges: e [N], summing to the total charge.
        handedness: A label for each atom with four neighbours, sorted by centre.
        reference: A conformation [N, 3], nm: where simulations start. Not part of the identity.
    """

    name: str = field(compare=False)
    elements: tuple[str, ...]
    atom_names: tuple[str, ...]
    residue_index: tuple[int, ...]
    residue_names: tuple[str, ...]
    bonds: tuple[tuple[int, int], ...]
    masses: tuple[float, ...]
    formal_charges: tuple[int, ...]
    handedness: tuple[Handedness, ...]
    reference: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def n_atoms(self) -> int:
        """Number of atoms N."""
        return len(self.elements)

    @property
    def space(self) -> MeanFree:
        """Mean-free coordinates."""
        from tbg_core.contracts.system import MeanFree  # needs torch, which the rest of this module does not

        return MeanFree(self.n_atoms)

    @property
    def total_charge(self) -> int:
        """Sum of the formal charges, e."""
        return sum(self.formal_charges)

    @cached_property
    def key(self) -> str:
        """Content hash: sha256 of the canonical JSON of the topology, first 16 hexadecimal digits."""
        content = [
            self.elements,
            self.atom_names,
            self.residue_index,
            self.residue_names,
            self.bonds,
            self.formal_charges,
            [(h.centre, h.neighbours, h.sign) for h in self.handedness],
        ]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()[:16]

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """Bonded atoms of each atom, ascending."""
        table: list[list[int]] = [[] for _ in self.elements]
        for i, j in self.bonds:
            table[i].append(j)
            table[j].append(i)
        return tuple(tuple(sorted(row)) for row in table)

    def atom(self, residue: int, name: str) -> int | None:
        """Index of the atom ``name`` in residue ``residue``, or None."""
        for i, (r, n) in enumerate(zip(self.residue_index, self.atom_names, strict=True)):
            if r == residue and n == name:
                return i
        return None

    def describe(self) -> str:
        """One line that says what was understood, for echoing to the user."""
        charge = f"charge {self.total_charge:+d}" if self.total_charge else "neutral"
        return f"{self.name}: {'-'.join(self.residue_names)}, {self.n_atoms} atoms, {charge}"
