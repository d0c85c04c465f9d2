"""What is sampled: a system with a name, an identity and a state space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import torch

if TYPE_CHECKING:
    from torch import Tensor


class StateSpace(ABC):
    """The space a density lives on, with its base measure.

    Attributes:
        event_shape: Shape of one state, without the batch dimension.
        dim: Dimension of the space, at most the product of ``event_shape``.
        system_class: Class of the systems that live on it, as components declare whom they are for
            (:data:`tbg_core.registry.spec.SYSTEM_CLASSES`); molecules are one whatever their space.
    """

    system_class: ClassVar[str] = "vectors"

    event_shape: tuple[int, ...]
    dim: int

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """Orthogonal projection of x [B, *event_shape] on the space."""


@dataclass(frozen=True)
class Euclidean(StateSpace):
    """R^d with Lebesgue measure; states are [B, d]."""

    size: int

    @property
    def event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of one state, (d,)."""
        return (self.size,)

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Dimension d."""
        return self.size

    def project(self, x: Tensor) -> Tensor:
        """The identity."""
        return x


@dataclass(frozen=True)
class MeanFree(StateSpace):
    """Configurations of ``n_atoms`` points in R^3 whose centroid is zero; states are [B, N, 3].

    The measure is the orthonormal one on the 3(N-1)-dimensional subspace.
    """

    n_atoms: int

    @property
    def event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of one state, (N, 3)."""
        return (self.n_atoms, 3)

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Dimension 3(N-1)."""
        return 3 * (self.n_atoms - 1)

    def project(self, x: Tensor) -> Tensor:
        """Subtracts the centroid (unweighted, not the centre of mass)."""
        return x - x.mean(dim=-2, keepdim=True)


@dataclass(frozen=True)
class Logits(StateSpace):
    """Logits of ``variables`` discrete variables with ``classes`` classes each; states are [B, n, c].

    Those of a variable sum to zero, for a softmax does not see their mean; ``argmax`` makes a labelling of a state.
    The measure is the orthonormal one on the n(c-1)-dimensional subspace.
    """

    variables: int
    classes: int
    system_class: ClassVar[str] = "labels"

    @property
    def event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Shape of one state, (n, c)."""
        return (self.variables, self.classes)

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Dimension n(c-1)."""
        return self.variables * (self.classes - 1)

    def project(self, x: Tensor) -> Tensor:
        """Subtracts the mean over the classes of each variable."""
        return x - x.mean(dim=-1, keepdim=True)


@runtime_checkable
class System(Protocol):
    """Anything with a density to be sampled: a :class:`~tbg_core.molecule.Molecule` or a toy.

    Attributes:
        name: For people, e.g. ``"ACE-ALA-NME"``.
        key: Content hash (hexadecimal); equal keys mean the same system. Random streams and
            checkpoints use it.
        space: The state space.
    """

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def key(self) -> str:
        """Content hash."""
        ...

    @property
    def space(self) -> StateSpace:
        """The state space."""
        ...


class SystemSource(ABC):
    """A component that turns what a user writes after ``--system`` into a :class:`System`.

    A source is built from its config, e.g. ``{name: peptide, sequence: GF}``, and then asked to
    ``build``. For the short form of a bare string every source is asked through :meth:`parse`.

    Attributes:
        examples: Texts that :meth:`parse` accepts, shown to a user whose text nobody understands.
    """

    examples: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> dict[str, object] | None:
        """Options of this source's config that mean ``text``, or None if it is not for this source.

        Must be cheap and import nothing heavy. It decides by form only (``"AX1"`` has the form of no
        sequence; ``"AXG"`` has, and :meth:`build` then refuses residue X by name).
        """

    @abstractmethod
    def build(self) -> System:
        """Makes the system.

        Raises:
            UnsupportedSystemError: Naming the residue, atom or line that is not supported.
        """


class Batch:
    """Which system each row of a state tensor belongs to.

    The states travel beside it (they change along a trajectory, this does not), so that ragged batches of
    several molecules, padded to one length, are solved once.

    Attributes:
        systems: The distinct systems.
        index: Row -> position in ``systems`` [B], int64.
        mask: True where a row has an atom [B, N], or None where no row is padded.
    """

    def __init__(self, systems: tuple[System, ...], index: Tensor, mask: Tensor | None = None) -> None:
        self.systems = systems
        self.index = index
        self.mask = mask

    @classmethod
    def single(cls, system: System, size: int, device: torch.device | str = "cpu") -> Batch:
        """A batch of ``size`` states of one system."""
        return cls((system,), torch.zeros(size, dtype=torch.int64, device=device))

    def __len__(self) -> int:
        return len(self.index)

    def select(self, rows: Tensor) -> Batch:
        """The batch of some of the rows, e.g. those that a solver is still working on."""
        return Batch(self.systems, self.index[rows], None if self.mask is None else self.mask[rows])

    def pairs(self, x: Tensor) -> Tensor:
        """1 for pairs of different points that are there, else 0 [B or 1, N, N, 1], in the type of x [B, N, 3]."""
        n = x.shape[1]
        different = (1.0 - torch.eye(n, dtype=x.dtype, device=x.device)).view(1, n, n, 1)
        if self.mask is None:
            return different
        present = self.mask.to(x.dtype)
        return different * (present.unsqueeze(2) * present.unsqueeze(1)).unsqueeze(-1)

    def centre(self, x: Tensor) -> Tensor:
        """Subtracts from each row of x [B, N, 3] the centroid of its real atoms; padded atoms become zero."""
        if self.mask is None:
            return x - x.mean(dim=-2, keepdim=True)
        real = self.mask.unsqueeze(-1).to(x.dtype)
        x = x * real
        return x - real * (x.sum(dim=-2, keepdim=True) / real.sum(dim=-2, keepdim=True))

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device."""
        return Batch(self.systems, self.index.to(device), None if self.mask is None else self.mask.to(device))

    @property
    def is_single(self) -> bool:
        """True if all rows are unpadded states of one system."""
        return len(self.systems) == 1 and self.mask is None
