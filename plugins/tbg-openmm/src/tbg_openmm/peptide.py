"""Peptides built from what a user writes after ``--system``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tbg_core.contracts.system import SystemSource
from tbg_core.errors import UnsupportedSystemError
from tbg_openmm.sequence import NAMES, has_form, parse_sequence

if TYPE_CHECKING:
    from tbg_core.molecule import Molecule
    from tbg_openmm.config import PeptideConfig


class PeptideSource(SystemSource):
    """Builds a peptide of the twenty amino acids, free (a zwitterion) or capped by ACE and NME or NH2.

    Args:
        config: The sequence.
    """

    examples = ("GF", *NAMES.values(), *NAMES)
    """Texts that it reads, shown where a text is not understood."""

    def __init__(self, config: PeptideConfig) -> None:
        self.config = config

    @classmethod
    def parse(cls, text: str) -> dict[str, object] | None:
        """Options for one-letter sequences, hyphenated codes and a few names; None for anything else."""
        return {"sequence": text} if has_form(text) else None

    def build(self) -> Molecule:
        """The molecule, with an extended minimised conformation as its reference.

        Raises:
            UnsupportedSystemError: Naming the residue that cannot be built.
        """
        return _built(self.config.sequence, frozenset(self.config.cis))


@lru_cache(maxsize=256)
def _built(sequence: str, cis: frozenset[int]) -> Molecule:
    """The peptide of a sequence; kept, because the same one is asked for again and again, by every run and shard."""
    residues = parse_sequence(sequence)
    if cis and max(cis) > len(residues):
        raise UnsupportedSystemError(
            f"{sequence} has no residue {max(cis)} to start cis.",
            fix=f"Count from 1, caps included; the last is {len(residues)}.",
        )
    from tbg_openmm.building import build_molecule

    return build_molecule(residues, NAMES.get(sequence, sequence), cis)
