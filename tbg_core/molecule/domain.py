"""The canonical domain of a molecule, and folding samples of a symmetric density into it.

**Domain.** D is the set of conformations whose bond graph (by distance cut-offs) is the molecule's with
its atoms labelled as in the input, and whose every handedness label (stereocentres, prochiral and methyl
groups) is the molecule's. Targets are integrated over D.

**Gain.** Let q be a density invariant under a finite group G of isometries: relabellings inside atom classes,
|G| = prod_c n_c!, times {1, mirror} where the mirror is used. Let S = {g in G : g D = D}. For y in D the bond
graph and the labels of g y follow from those of y and from g, so g y lies in D exactly if g is in S, and
the translates g D are disjoint or equal: there are |G|/|S| of them, one for each coset g S. ``fold``
finds out from the bond graph and the signs of x, and from nothing else, which translate r D holds x, and
applies the inverse of a representative r chosen once and for all for it (the identity for D itself). Every
y in D then has exactly one preimage r y in each translate, with q(r y) = q(y). Folded samples have density

    q_D(y) = sum_r q(r y) = (|G| / |S|) q(y),        log_orbit = log|G| - log|S|.

The gain is a constant. Samples outside all translates stay invalid; their share is the mass that q_D lacks.

**Counting S.** S is made of leaf permutations (k leaves of one class on an atom: all k! of a planar atom;
half of them where the atom has a handedness label, e.g. the 3 rotations of a methyl of 6, and 1 of 2 for
CH2) and of the moves of the skeleton that have a lift which keeps all labels
(:mod:`tbg_core.molecule.symmetry`).

**Mirror.** It is used only for a q that reflections keep and a molecule with true stereocentres, and there
not if a relabelling in G reverses all labels at once (a meso compound): the mirror image is then in
a translate g D already and adds nothing. Otherwise no relabelling takes D to its mirror image, |S|
is as before and the gain doubles. A molecule without stereocentres is never mirrored; its mirror
images differ by labels of prochiral and methyl groups, which G repairs, or else the sample is invalid.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tbg_core.ensemble.validity import Validity
from tbg_core.molecule.graph import adjacency_matrix, bond_cutoffs, bond_graphs, stereocentres
from tbg_core.molecule.handedness import handedness_signs
from tbg_core.molecule.symmetry import Relabellings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from tbg_core.molecule.molecule import Molecule

_CHUNK = 4096


@dataclass(frozen=True)
class Folded:
    """Samples folded into the canonical domain.

    Where ``status`` is OK, ``x[b] = s * raw[b, source[b]]`` with s = -1 if ``mirrored[b]``; elsewhere x is
    the raw sample.

    Attributes:
        x: Positions [B, N, 3], nm, in the type given.
        status: :class:`~tbg_core.ensemble.validity.Validity` of each sample [B], int64.
        source: Raw atom that each atom comes from [B, N], int64.
        mirrored: Whether the mirror was used [B].
    """

    x: NDArray[np.floating]
    status: NDArray[np.int64]
    source: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Samples in the domain [B]."""
        return np.asarray(self.status == Validity.OK)


class CanonicalDomain:
    """The canonical domain of a molecule for densities with given symmetries.

    Args:
        molecule: The molecule; it fixes the domain.
        atom_classes: Class of each atom [N]: the raw density is invariant under relabelling inside a class.
            Atoms of different elements are never exchanged, whatever their classes.
        reflection: True if the raw density is invariant under mirror images.

    Attributes:
        log_orbit: log of the constant gain of density: log q on the domain = raw log q + log_orbit.
        mirrors: Whether the mirror is used.
        stereocentres: The molecule's true stereocentres.
    """

    def __init__(self, molecule: Molecule, atom_classes: Sequence[int], reflection: bool) -> None:  # noqa: FBT001
        if len(atom_classes) != molecule.n_atoms:
            raise ValueError(f"{molecule.name} has {molecule.n_atoms} atoms, not {len(atom_classes)}.")
        self.molecule = molecule
        number: dict[tuple[int, str], int] = {}
        self._colours = tuple(
            number.setdefault((int(c), element), len(number))
            for c, element in zip(atom_classes, molecule.elements, strict=True)
        )
        self._cutoffs = bond_cutoffs(molecule.elements, molecule.bonds)
        self._graph = adjacency_matrix(molecule.neighbours)
        self._relabellings = Relabellings(molecule, self._colours)
        self.stereocentres = stereocentres(molecule.elements, molecule.neighbours)
        self.mirrors = bool(reflection and self.stereocentres and not self._relabellings.reversible)
        self.log_orbit = self._log_orbit()

    def _log_orbit(self) -> float:
        log_group = sum(math.lgamma(n + 1) for n in Counter(self._colours).values())
        # Rounding to the integer it is the log of, so that a trivial group gives 0 exactly.
        difference = log_group - self._relabellings.log_size
        ratio = math.exp(difference) if difference < 30.0 else math.inf
        relabelling = math.log(round(ratio)) if math.isfinite(ratio) else difference
        return relabelling + (math.log(2.0) if self.mirrors else 0.0)

    def contains(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Whether each conformation [B, N, 3], nm, lies in the domain [B]."""
        x = np.asarray(x)
        bonds = (bond_graphs(x, self._cutoffs) == self._graph).all(axis=(1, 2))
        return np.asarray(bonds & handedness_signs(x, self.molecule.handedness).all(axis=1))

    def fold(self, x: ArrayLike) -> Folded:
        """Maps samples of the raw density into the domain.

        Args:
            x: Positions [B, N, 3], nm, anywhere in space.

        Returns:
            The folded samples. ``status`` is WRONG_BONDS where no relabelling gives the bond graph, and
            WRONG_HANDEDNESS where none of those that do gives the labels, with the mirror or without.
        """
        x = np.asarray(x)
        if x.ndim != 3 or x.shape[1:] != (self.molecule.n_atoms, 3):
            raise ValueError(f"Positions must be [B, {self.molecule.n_atoms}, 3], not {x.shape}.")
        n = self.molecule.n_atoms
        source = np.tile(np.arange(n), (len(x), 1))
        status = np.full(len(x), Validity.OK, dtype=np.int64)
        mirrored = np.zeros(len(x), dtype=np.bool_)
        for start in range(0, len(x), _CHUNK):
            rows = slice(start, start + _CHUNK)
            self._fold_bonds(x[rows], source[rows], status[rows])
            self._fold_labels(x[rows], source[rows], status[rows], mirrored[rows])
        source[status != Validity.OK] = np.arange(n)
        folded = np.take_along_axis(x, source[:, :, None], axis=1)
        folded[mirrored] *= -1
        return Folded(folded, status, source, mirrored)

    def _fold_bonds(self, x: NDArray[np.floating], source: NDArray[np.int64], status: NDArray[np.int64]) -> None:
        """Sets ``source`` so that the bond graph is right; in place."""
        graphs = bond_graphs(x, self._cutoffs)
        wrong = (graphs != self._graph).any(axis=(1, 2))
        same_count = graphs.sum(axis=(1, 2)) == self._graph.sum()
        status[wrong] = Validity.WRONG_BONDS
        if len(set(self._colours)) == len(self._colours):
            return  # nothing can be relabelled
        for b in np.flatnonzero(wrong & same_count):
            neighbours: list[list[int]] = [[] for _ in range(len(source[b]))]
            for i, j in np.argwhere(graphs[b]).tolist():
                neighbours[i].append(j)
            found = self._relabellings.match(neighbours, self._colours)
            if found is not None:
                source[b], status[b] = found, Validity.OK

    def _fold_labels(
        self,
        x: NDArray[np.floating],
        source: NDArray[np.int64],
        status: NDArray[np.int64],
        mirrored: NDArray[np.bool_],
    ) -> None:
        """Sets ``source`` and ``mirrored`` so that, with bonds right, the labels are right too; in place."""
        labels = self.molecule.handedness
        right = handedness_signs(np.take_along_axis(x, source[:, :, None], axis=1), labels)
        todo = np.flatnonzero((status == Validity.OK) & ~right.all(axis=1))
        repairs: dict[bytes, tuple[NDArray[np.int64] | None, bool]] = {}
        for b in todo:
            pattern = right[b].tobytes()
            if pattern not in repairs:
                repairs[pattern] = self._repair(right[b])
            step, mirrored[b] = repairs[pattern]
            if step is None:
                status[b] = Validity.WRONG_HANDEDNESS
            else:
                source[b] = source[b][step]
        # Free labels are righted last: moving their atoms may have changed them.
        moved = np.take_along_axis(x[todo], source[todo][:, :, None], axis=1)
        right = handedness_signs(moved, labels) ^ mirrored[todo, None]
        for row, b in enumerate(todo):
            if status[b] == Validity.OK and not right[row].all():
                source[b] = source[b][self._relabellings.right_free(right[row])]

    def _repair(self, right: NDArray[np.bool_]) -> tuple[NDArray[np.int64] | None, bool]:
        """The relabelling of the skeleton that rights the rigid labels, and whether to mirror first."""
        step = self._relabellings.repair(right.tolist())
        if step is None and self.mirrors:
            step = self._relabellings.repair((~right).tolist())
            return step, step is not None
        return step, False
