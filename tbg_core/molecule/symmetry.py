"""Relabellings of a molecule inside atom classes: which there are, and what they do to handedness labels."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.matching import Neighbours, isomorphisms, refine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tbg_core.molecule.molecule import Handedness, Molecule

_MOST_AUTOMORPHISMS = 20_000


class Skeleton:
    """A bond graph with its leaves (atoms with one bond, mostly hydrogens) collapsed on their atoms.

    Attributes:
        atoms: The atoms that are left, ascending [K].
        neighbours: Their bonds, as positions in ``atoms`` [K].
        signatures: Colour of each atom and of its leaves [K]; isomorphisms keep these.
        leaves: For each atom its leaves by colour, colours ascending, atoms ascending [K].
    """

    def __init__(self, neighbours: Neighbours, colours: Sequence[int]) -> None:
        parent = {i: row[0] for i, row in enumerate(neighbours) if len(row) == 1 and len(neighbours[row[0]]) > 1}
        self.atoms = tuple(i for i in range(len(neighbours)) if i not in parent)
        position = {atom: k for k, atom in enumerate(self.atoms)}
        groups: list[dict[int, list[int]]] = [{} for _ in self.atoms]
        for leaf, atom in parent.items():
            groups[position[atom]].setdefault(colours[leaf], []).append(leaf)
        self.leaves = tuple(tuple((c, tuple(group[c])) for c in sorted(group)) for group in groups)
        self.neighbours = tuple(tuple(position[j] for j in neighbours[i] if j in position) for i in self.atoms)
        self.signatures = tuple(
            (colours[i], tuple((c, len(members)) for c, members in row))
            for i, row in zip(self.atoms, self.leaves, strict=True)
        )

    def lift(self, image: Sequence[int], other: Skeleton, n_atoms: int) -> NDArray[np.int64]:
        """Extends a map of skeleton atoms to all atoms; the leaves of an atom are matched in ascending order.

        Args:
            image: Position in ``other.atoms`` of the image of each atom [K].
            other: The skeleton mapped to.
            n_atoms: Number of atoms N.

        Returns:
            The image of each atom [N].
        """
        full = np.empty(n_atoms, dtype=np.int64)
        for k, j in enumerate(image):
            full[self.atoms[k]] = other.atoms[j]
            for (_, mine), (_, theirs) in zip(self.leaves[k], other.leaves[j], strict=True):
                full[list(mine)] = theirs
        return full


@dataclass(frozen=True)
class Block:
    """Skeleton atoms that automorphisms move among themselves, independently of all others.

    Attributes:
        labels: Positions in ``molecule.handedness`` of the rigid labels that the block's moves can change.
        repairs: For each pattern of right (True) and wrong labels that a relabelling can right, the source
            atom of each atom [N] in such a relabelling.
        stabiliser: Number of the block's automorphisms that keep all labels.
    """

    labels: tuple[int, ...]
    repairs: dict[tuple[bool, ...], NDArray[np.int64]]
    stabiliser: int


class Relabellings:
    """The class-preserving automorphisms of a molecule's bond graph, in factors.

    An automorphism permutes leaves of one class on one atom, and moves skeleton atoms within blocks.
    A label whose centre carries two leaves of one class is *free*: exchanging the two reverses it
    and nothing else. The other labels are *rigid*; what an automorphism does to them does
    not depend on how it permutes leaves.

    Args:
        molecule: The molecule.
        colours: Class of each atom [N]; atoms of one class are of one element.

    Attributes:
        skeleton: The molecule's skeleton.
        free: Positions in ``molecule.handedness`` -> the two leaves whose exchange reverses the label.
        rigid: Positions of the rigid labels that no automorphism changes.
        blocks: The independent blocks.
        log_size: log of the number of automorphisms that keep all labels, |S|.
        reversible: True if some automorphism reverses all labels at once.

    Raises:
        UnsupportedSystemError: If a tetrahedral atom has no label, or a block has too many automorphisms.
    """

    def __init__(self, molecule: Molecule, colours: Sequence[int]) -> None:
        self._molecule = molecule
        labels = molecule.handedness
        tetrahedral = {i for i, row in enumerate(molecule.neighbours) if len(row) == 4}
        unlabelled = tetrahedral - {label.centre for label in labels}
        if unlabelled:
            raise UnsupportedSystemError(
                f"Atom {min(unlabelled) + 1} of {molecule.name} has four neighbours but no handedness label.",
                fix="Build the molecule with handedness_labels from a reference conformation.",
            )
        self.skeleton = Skeleton(molecule.neighbours, colours)
        group_of = dict(zip(self.skeleton.atoms, self.skeleton.leaves, strict=True))
        self.free: dict[int, tuple[int, int]] = {}
        for m, label in enumerate(labels):
            pair = next((leaves[-2:] for _, leaves in group_of[label.centre] if len(leaves) > 1), None)
            if pair is not None:
                self.free[m] = (pair[0], pair[1])
        self.blocks = tuple(self._block(members) for members in self._block_members())
        in_blocks = {m for block in self.blocks for m in block.labels}
        self.rigid = tuple(m for m in range(len(labels)) if m not in self.free and m not in in_blocks)
        self.log_size = (
            sum(math.lgamma(len(leaves) + 1) for row in self.skeleton.leaves for _, leaves in row)
            - len(self.free) * math.log(2.0)
            + sum(math.log(block.stabiliser) for block in self.blocks)
        )
        self.reversible = not self.rigid and all((False,) * len(b.labels) in b.repairs for b in self.blocks)

    def repair(self, right: Sequence[bool]) -> NDArray[np.int64] | None:
        """A relabelling that makes all labels right; it depends on which are wrong alone.

        Args:
            right: Whether each label is right [M], of a conformation whose bonds are right.

        Returns:
            Source atom of each atom [N], so that ``x[source]`` has all labels right; None if there is none.
        """
        if not all(right[m] for m in self.rigid):
            return None
        source = np.arange(self._molecule.n_atoms)
        for block in self.blocks:
            step = block.repairs.get(tuple(bool(right[m]) for m in block.labels))
            if step is None:
                return None
            source = source[step]
        return source

    def right_free(self, right: Sequence[bool]) -> NDArray[np.int64]:
        """The relabelling (source atom of each atom [N]) that rights every wrong free label."""
        source = np.arange(self._molecule.n_atoms)
        for m, (i, j) in self.free.items():
            if not right[m]:
                source[[i, j]] = source[[j, i]]
        return source

    def match(self, neighbours: Neighbours, colours: Sequence[int]) -> NDArray[np.int64] | None:
        """Finds the molecule's bond graph in another one, inside classes.

        Args:
            neighbours: Bonded atoms of each atom [N] of the other graph.
            colours: Classes [N].

        Returns:
            Source atom of each atom [N], so that ``x[source]`` has the molecule's bonds; a function of the
            graph alone. None if the graphs are not isomorphic.
        """
        other = Skeleton(neighbours, colours)
        if Counter(other.signatures) != Counter(self.skeleton.signatures):
            return None
        mine, theirs = _refine_together(self.skeleton, other)
        if Counter(mine) != Counter(theirs):
            return None
        image = next(isomorphisms(self.skeleton.neighbours, mine, other.neighbours, theirs), None)
        return None if image is None else self.skeleton.lift(image, other, len(neighbours))

    def _block_members(self) -> list[tuple[int, ...]]:
        """Positions in the skeleton of the atoms of each block, ascending."""
        skeleton = self.skeleton
        cells = refine(skeleton.neighbours, skeleton.signatures)
        size = Counter(cells)
        moved = [k for k, cell in enumerate(cells) if size[cell] > 1]
        root = {k: k for k in moved}

        def find(k: int) -> int:
            while root[k] != k:
                k = root[k]
            return k

        def join(group: Sequence[int]) -> None:
            for k in group[1:]:
                root[find(k)] = find(group[0])

        # Atoms of one cell may be exchanged, bonded ones move together, and the neighbours of a rigid
        # centre decide its label together.
        for cell in set(cells):
            join([k for k in moved if cells[k] == cell])
        for k in moved:
            join([k, *(j for j in skeleton.neighbours[k] if j in root)])
        position = {atom: k for k, atom in enumerate(skeleton.atoms)}
        for m, label in enumerate(self._molecule.handedness):
            if m not in self.free:
                near = [position[i] for i in (label.centre, *label.neighbours) if i in position]
                join([k for k in near if k in root])
        members: dict[int, list[int]] = {}
        for k in moved:
            members.setdefault(find(k), []).append(k)
        return [tuple(rows) for rows in members.values()]

    def _block(self, members: tuple[int, ...]) -> Block:
        skeleton, labels = self.skeleton, self._molecule.handedness
        inside = {k: n for n, k in enumerate(members)}
        # The rest of the molecule stays where it is, so bonds to it are part of the colour.
        colours = [
            (skeleton.signatures[k], tuple(j for j in skeleton.neighbours[k] if j not in inside)) for k in members
        ]
        graph = [tuple(inside[j] for j in skeleton.neighbours[k] if j in inside) for k in members]
        found = list(islice(isomorphisms(graph, colours, graph, colours), _MOST_AUTOMORPHISMS + 1))
        if len(found) > _MOST_AUTOMORPHISMS:
            raise UnsupportedSystemError(
                f"{self._molecule.name} has more than {_MOST_AUTOMORPHISMS} equivalent labellings.",
                fix="Use a model that can tell more of its atoms apart.",
            )
        found.sort()  # the identity first
        atoms = {skeleton.atoms[k] for k in members}
        near = tuple(
            m
            for m, label in enumerate(labels)
            if m not in self.free and not atoms.isdisjoint((label.centre, *label.neighbours))
        )
        by_centre = {label.centre: label for label in labels}
        repairs: dict[tuple[bool, ...], NDArray[np.int64]] = {}
        stabiliser = 0
        for local in found:
            image = list(range(len(skeleton.atoms)))
            for n, j in enumerate(local):
                image[members[n]] = members[j]
            full = skeleton.lift(image, skeleton, self._molecule.n_atoms)
            kept = tuple(_keeps(full, labels[m], by_centre) for m in near)
            stabiliser += all(kept)
            repairs.setdefault(kept, np.argsort(full))
        return Block(near, repairs, stabiliser)


def _keeps(image: NDArray[np.int64], label: Handedness, by_centre: dict[int, Handedness]) -> bool:
    """Whether a right label stays right under the automorphism ``image``; if not, a wrong one gets right."""
    other = by_centre[int(image[label.centre])]
    order = [other.neighbours.index(int(image[j])) for j in label.neighbours]
    inversions = sum(order[a] > order[b] for a in range(4) for b in range(a + 1, 4))
    return other.sign == (label.sign if inversions % 2 == 0 else -label.sign)


def _refine_together(first: Skeleton, second: Skeleton) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Refined colours of two skeletons that can be compared with each other."""
    n = len(first.atoms)
    union = (*first.neighbours, *(tuple(j + n for j in row) for row in second.neighbours))
    colours = refine(union, (*first.signatures, *second.signatures))
    return colours[:n], colours[n:]
