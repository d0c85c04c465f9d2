"""Protonation states and formal charges, read off the atoms that a residue has."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# (residue, hydrogens or atoms present, absent) -> Amber's name of the state; the first that fits is taken.
_STATES: Final[tuple[tuple[str, frozenset[str], frozenset[str], str], ...]] = (
    ("HIS", frozenset({"HD1", "HE2"}), frozenset(), "HIP"),
    ("HIS", frozenset({"HD1"}), frozenset(), "HID"),
    ("HIS", frozenset({"HE2"}), frozenset(), "HIE"),
    ("ASP", frozenset({"HD2"}), frozenset(), "ASH"),
    ("GLU", frozenset({"HE2"}), frozenset(), "GLH"),
    ("LYS", frozenset({"NZ", "HZ2", "HZ3"}), frozenset({"HZ1"}), "LYN"),
    ("LYS", frozenset({"NZ", "HZ1", "HZ2"}), frozenset({"HZ3"}), "LYN"),
)

_SIDE_CHAIN_CHARGES: Final = MappingProxyType(
    {
        "ASP": ("OD2", -1),
        "GLU": ("OE2", -1),
        "LYS": ("NZ", 1),
        "ARG": ("NH2", 1),
        "HIP": ("ND1", 1),
        "CYM": ("SG", -1),
    }
)


def protonation_name(residue_name: str, atom_names: Collection[str], *, bridged: bool = False) -> str:
    """Amber's name of a residue in the state that its atoms say, e.g. HIE for HIS with HE2 only.

    Args:
        residue_name: OpenMM's name, which is the same for all states.
        atom_names: Atoms of the residue.
        bridged: True if it takes part in a disulfide bridge.
    """
    if residue_name == "CYS" and "SG" in atom_names and "HG" not in atom_names:
        return "CYX" if bridged else "CYM"
    for name, present, absent, state in _STATES:
        if residue_name == name and present.issubset(atom_names) and absent.isdisjoint(atom_names):
            return state
    return residue_name


def formal_charges(
    residue_names: Sequence[str], residue_index: Sequence[int], atom_names: Sequence[str]
) -> tuple[int, ...]:
    """Formal charge of each atom, e.

    One atom carries each charge: N of a free N-terminus, OXT of a free C-terminus, and OD2, OE2, NZ, NH2, ND1
    or SG of the charged side chains. Residue names are those of :func:`protonation_name`.
    """
    members: list[set[str]] = [set() for _ in residue_names]
    for residue, name in zip(residue_index, atom_names, strict=True):
        members[residue].add(name)
    charges = []
    for residue, name in zip(residue_index, atom_names, strict=True):
        kind, atoms = residue_names[residue], members[residue]
        side_chain, charge = _SIDE_CHAIN_CHARGES.get(kind, ("", 0))
        if name == side_chain:
            charges.append(charge)
        elif name == "OXT":
            charges.append(-1)
        # Three hydrogens on N, or two on that of proline: H2 exists only at a charged N-terminus.
        elif name == "N" and {"CA", "H2", "H3"} <= atoms:
            charges.append(1)
        else:
            charges.append(0)
    return tuple(charges)
