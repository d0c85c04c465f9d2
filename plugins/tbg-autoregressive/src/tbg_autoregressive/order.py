"""In which order the atoms of a molecule are placed, and by which internal coordinates; from the graph alone.

The first three atoms of a path make the root. After it atoms come in *blocks*: groups that are rigid to a good
approximation, so that at most one coordinate of a block, its torsion, moves far. A block is all neighbours of one atom
that are not placed yet, or a planar ring system with the atoms bonded to it. Rings with tetrahedral atoms (proline) are
placed atom by atom; the atom that closes one has two parents, and its torsion about the line between them is the
pucker.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from tbg_autoregressive.rings import planar_ring_systems
from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.graph import is_connected, rings, topological_distances

if TYPE_CHECKING:
    from tbg_core.molecule import Molecule

BACKBONE = ("N", "CA", "C")
MAX_NEIGHBOURS = 4


class Torsion(IntEnum):
    """What the torsion angle phi of an atom is."""

    NONE = 0
    """An atom of the root: it has none."""
    FREE = 1
    """The block's torsion, anywhere on the circle."""
    SIGNED = 2
    """About a tetrahedral atom, from a neighbour placed before: between 0 and pi with the sign of the handedness."""
    OPPOSITE = 3
    """Near pi: about a planar atom from a neighbour placed before, or across the line between two parents."""
    INSIDE = 4
    """Near 0: along a planar ring."""


@dataclass(frozen=True)
class Placement:
    """How one atom is placed.

    Attributes:
        atom: Its index in the molecule.
        parents: Places (positions in the order) of b, c, d: r is the distance to b, theta the angle to c
            at b, phi the torsion to d about the bond from b to c. Fewer for the root.
        torsion: What phi is.
        sign: Sign of phi if it is SIGNED.
        two_parents: True if the atom is bonded to c too; the distance to c then stands in for theta.
    """

    atom: int
    parents: tuple[int, ...]
    torsion: Torsion = Torsion.NONE
    sign: int = 1
    two_parents: bool = False


@dataclass(frozen=True)
class Block:
    """Atoms placed together.

    Attributes:
        first: Place of its first atom.
        size: Number of atoms.
        free: Whether the first atom's torsion is FREE.
    """

    first: int
    size: int
    free: bool


@dataclass(frozen=True)
class Order:
    """Placements of all atoms, and the blocks that they are in (the root is block 0)."""

    placements: tuple[Placement, ...]
    blocks: tuple[Block, ...]

    @property
    def atoms(self) -> tuple[int, ...]:
        """The atom at each place."""
        return tuple(p.atom for p in self.placements)


def placement_order(molecule: Molecule) -> Order:
    """The order of a molecule.

    Raises:
        UnsupportedSystemError: If the molecule is in pieces, has fewer than three atoms, or an atom with more than
            four neighbours.
    """
    return _Builder(molecule).build()


class _Builder:
    def __init__(self, molecule: Molecule) -> None:
        self.molecule, self.neighbours = molecule, molecule.neighbours
        _check(molecule)
        self.heavy = [e != "H" for e in molecule.elements]
        self.backbone = [
            n in BACKBONE and molecule.residue_names[r] not in {"ACE", "NME", "NH2"}
            for n, r in zip(molecule.atom_names, molecule.residue_index, strict=True)
        ]
        self.systems = planar_ring_systems(self.neighbours)
        self.rings = [set(ring) for ring in rings(self.neighbours)]
        self.label = {h.centre: h for h in molecule.handedness}
        self.place: dict[int, int] = {}
        self.placements: list[Placement] = []
        self.blocks: list[Block] = []

    def build(self) -> Order:
        root = self._root()
        for n, atom in enumerate(root):
            self._add(Placement(atom, tuple(self.place[a] for a in reversed(root[:n]))))
        self.blocks.append(Block(0, 3, free=False))
        self.depth = topological_distances(self.neighbours)[root[1]]
        while len(self.place) < len(self.neighbours):
            self._grow(min((b for b in self.place if self._open(b)), key=self._priority))
        return Order(tuple(self.placements), tuple(self.blocks))

    def _root(self) -> tuple[int, int, int]:
        """N, CA, C of the first residue that has them, else a path of three atoms, heavy ones preferred."""
        for residue in range(len(self.molecule.residue_names)):
            n, ca, c = (self.molecule.atom(residue, name) for name in BACKBONE)
            if n is not None and ca is not None and c is not None and ca in self.neighbours[n]:
                return n, ca, c
        heavy = [sum(self.heavy[j] for j in row) for row in self.neighbours]
        rank = [
            (not h, -n, -len(r), i) for i, (h, n, r) in enumerate(zip(self.heavy, heavy, self.neighbours, strict=True))
        ]
        middle = min((i for i, row in enumerate(self.neighbours) if len(row) > 1), key=lambda i: rank[i])
        first, last = sorted(self.neighbours[middle], key=lambda i: rank[i])[:2]
        return first, middle, last

    def _open(self, b: int) -> list[int]:
        return [a for a in self.neighbours[b] if a not in self.place]

    def _priority(self, b: int) -> tuple[int, int, int]:
        """Backbone first, then side chains, hydrogens with a torsion of their own last; outward from the root."""
        unplaced = self._open(b)
        if any(self.backbone[a] for a in unplaced):
            rank = 0
        elif self.backbone[b] and any(self.heavy[a] for a in unplaced):
            rank = 1
        else:
            rank = 2 if any(self.heavy[a] for a in unplaced) or len(self.neighbours[b]) - len(unplaced) > 1 else 3
        return rank, int(self.depth[b]), self.place[b]

    def _grow(self, b: int) -> None:
        """Places the block that belongs to the placed atom b."""
        first, unplaced = len(self.placements), self._open(b)
        system = next((s for s in self.systems if b in s and any(a in s for a in unplaced)), None)
        if system is None:
            for a in sorted(unplaced, key=self._sibling_rank):
                self._add(self._placement(a, b))
        else:
            self._place_ring(system)
        free = self.placements[first].torsion is Torsion.FREE
        self.blocks.append(Block(first, len(self.placements) - first, free))

    def _sibling_rank(self, a: int) -> tuple[bool, bool, bool, int, int]:
        """The atom whose torsion the block has comes first: one that closes a ring, or leads on."""
        closes = sum(j in self.place for j in self.neighbours[a]) > 1
        return not closes, not self.backbone[a], not self.heavy[a], -len(self.neighbours[a]), a

    def _place_ring(self, system: frozenset[int]) -> None:
        """Places a planar ring system from those of its atoms that are placed, then all atoms bonded to it."""
        queue = sorted((a for a in system if a in self.place), key=self.place.__getitem__)
        for p in queue:  # grows while it is walked
            for a in sorted(j for j in self.neighbours[p] if j in system and j not in self.place):
                self._add(self._placement(a, p, within=system))
                queue.append(a)
        for p in queue:
            for a in self._open(p):
                self._add(self._placement(a, p))

    def _placement(self, a: int, b: int, within: frozenset[int] | None = None) -> Placement:
        """How atom a is placed from its neighbour b, by what is placed already."""
        placed = lambda i, *but: sorted(  # noqa: E731 - three uses, all here
            (j for j in self.neighbours[i] if j in self.place and j not in but), key=self.place.__getitem__
        )
        others = placed(a, b)
        if others:
            c = others[0]
            # Opposite a across the line from b to c stands what closes the ring from the other side.
            d = (placed(b, c) or placed(c, b))[0]
            torsion = Torsion.OPPOSITE if within else Torsion.FREE
            return Placement(a, self._places(b, c, d), torsion, two_parents=True)
        around = placed(b)
        c = around[0]
        if len(around) > 1:
            d = around[1]
            if len(self.neighbours[b]) == MAX_NEIGHBOURS:
                return Placement(a, self._places(b, c, d), Torsion.SIGNED, self._sign(b, a, c, d))
            return Placement(a, self._places(b, c, d), Torsion.OPPOSITE)
        candidates = placed(c, b)
        if within is not None:
            inside = [d for d in candidates if any({a, b, c, d} <= ring for ring in self.rings)]
            if inside:
                return Placement(a, self._places(b, c, inside[0]), Torsion.INSIDE)
            across = [d for d in candidates if d in within]
            if across:
                return Placement(a, self._places(b, c, across[0]), Torsion.OPPOSITE)
        return Placement(a, self._places(b, c, candidates[0]), Torsion.FREE)

    def _sign(self, b: int, a: int, c: int, d: int) -> int:
        """Sign of the torsion a-b-c-d that the handedness of the tetrahedral atom b asks for.

        The torsion has the sign of -(a - b) . ((c - b) x (d - b)), a triple product as those that define the labels.
        """
        label = self.label[b]
        rest = next(j for j in label.neighbours if j not in {a, c, d})
        wanted = [a, c, d, rest]
        places = [label.neighbours.index(j) for j in wanted]
        inversions = sum(places[i] > places[j] for i in range(4) for j in range(i + 1, 4))
        return -label.sign if inversions % 2 == 0 else label.sign

    def _places(self, *atoms: int) -> tuple[int, ...]:
        return tuple(self.place[i] for i in atoms)

    def _add(self, placement: Placement) -> None:
        self.place[placement.atom] = len(self.placements)
        self.placements.append(placement)


def _check(molecule: Molecule) -> None:
    if molecule.n_atoms < 3:
        raise UnsupportedSystemError(
            f"{molecule.name} has {molecule.n_atoms} atoms; the autoregressive model needs three.",
            fix="Use a model with a vector field.",
        )
    if not is_connected(molecule.neighbours):
        raise UnsupportedSystemError(
            f"{molecule.name} is in pieces; atoms are placed along bonds.", fix="Use a model with a vector field."
        )
    crowded = [i for i, row in enumerate(molecule.neighbours) if len(row) > MAX_NEIGHBOURS]
    if crowded:
        raise UnsupportedSystemError(
            f"Atom {molecule.atom_names[crowded[0]]} of {molecule.name} has more than {MAX_NEIGHBOURS} neighbours.",
            fix="Use a model with a vector field.",
        )
    labelled = {h.centre for h in molecule.handedness}
    bare = [i for i, row in enumerate(molecule.neighbours) if len(row) == MAX_NEIGHBOURS and i not in labelled]
    if bare:
        raise UnsupportedSystemError(
            f"Atom {molecule.atom_names[bare[0]]} of {molecule.name} has four neighbours but no handedness label.",
            fix="Build the molecule with handedness_labels from a reference conformation.",
        )
