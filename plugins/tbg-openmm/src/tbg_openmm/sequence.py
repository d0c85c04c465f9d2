"""What a user may write for a peptide: one-letter sequences, hyphenated residue codes, a few names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tbg_core.errors import UnsupportedSystemError
from tbg_core.molecule.residues import AMINO_ACIDS, ONE_LETTER, THREE_LETTER

NAMES: Final = MappingProxyType(
    {
        "alanine-dipeptide": "ACE-ALA-NME",
        "alanine-tripeptide": "ACE-ALA-ALA-NME",
        "alanine-tetrapeptide": "ACE-ALA-ALA-ALA-NME",
        "n-methylacetamide": "ACE-NME",
    }
)
"""Names that people use, and the codes that they mean."""

PROTONATION_CODES: Final = MappingProxyType(
    {"HID": "HIS", "HIE": "HIS", "HIP": "HIS", "ASH": "ASP", "GLH": "GLU", "LYN": "LYS"}
)
"""Codes that fix a protonation state, and their amino acids."""

# States at pH 7 of the residues whose state OpenMM would otherwise guess from the geometry or the pH.
_AT_PH_7: Final = MappingProxyType({"HIS": "HIE", "ASP": "ASP", "GLU": "GLU", "LYS": "LYS", "CYS": "CYS"})
_CODES: Final = frozenset({*AMINO_ACIDS, *PROTONATION_CODES, "ACE", "NME", "NH2"})
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_HYPHENATED: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{1,3}(-[A-Za-z][A-Za-z0-9]{1,3})+")


@dataclass(frozen=True)
class Residue:
    """A residue to build.

    Attributes:
        amino_acid: One of the twenty three-letter codes, ACE, NME or NH2.
        variant: OpenMM's name of the protonation state, or None where there is only one.
    """

    amino_acid: str
    variant: str | None


def has_form(text: str) -> bool:
    """True if ``text`` is written like a peptide, whether or not it can be built.

    Lower case is claimed only where it would be a peptide in capitals, so that the answer can be a hint.
    """
    if text in NAMES:
        return True
    if _LETTERS.fullmatch(text):
        return text.isupper() or all(letter in THREE_LETTER for letter in text.upper())
    if _HYPHENATED.fullmatch(text):
        return text.isupper() or all(code in _CODES for code in text.upper().split("-"))
    return False


def parse_sequence(text: str) -> tuple[Residue, ...]:
    """The residues that ``text`` means.

    Raises:
        UnsupportedSystemError: Naming the residue that is unknown or in the wrong place.
    """
    text = NAMES.get(text, text)
    if not has_form(text):
        raise UnsupportedSystemError(
            f"{text!r} is not a peptide.",
            fix="Write one-letter codes (GF) or codes with hyphens (ACE-ALA-NME).",
        )
    if not text.isupper():
        raise UnsupportedSystemError(
            f"Residue codes are capitals, got {text!r}.",
            fix=f"Write {text.upper()!r} if you mean the peptide.",
        )
    codes = text.split("-") if "-" in text else [_from_letter(i, c, text) for i, c in enumerate(text)]
    for position, code in enumerate(codes):
        _check(position, code, codes)
    return tuple(
        Residue(PROTONATION_CODES.get(code, code), code if code in PROTONATION_CODES else _AT_PH_7.get(code))
        for code in codes
    )


def _from_letter(position: int, letter: str, text: str) -> str:
    code = THREE_LETTER.get(letter)
    if code is None:
        raise UnsupportedSystemError(
            f"Unknown residue {letter!r} at position {position + 1} of {text!r}.",
            fix=f"One-letter codes are {' '.join(ONE_LETTER.values())}; join three-letter codes by hyphens.",
        )
    return code


def _check(position: int, code: str, codes: list[str]) -> None:
    where = f"residue {code} at position {position + 1} of {'-'.join(codes)!r}"
    if code in ("CYX", "CYM"):
        raise UnsupportedSystemError(
            f"Cannot build {where}.", fix="Give a PDB file for a disulfide bridge; use CYS for a free thiol."
        )
    if code not in _CODES:
        raise UnsupportedSystemError(
            f"Unknown {where}.",
            fix=f"Known codes are {', '.join(sorted(_CODES))}; others need their own plugin.",
        )
    if code == "ACE" and (position > 0 or len(codes) == 1):
        raise UnsupportedSystemError(f"ACE caps the start of a peptide: {where}.", fix="Put ACE first.")
    if code in ("NME", "NH2") and (position < len(codes) - 1 or len(codes) == 1):
        raise UnsupportedSystemError(f"{code} caps the end of a peptide: {where}.", fix=f"Put {code} last.")
    terminal = position in (0, len(codes) - 1)
    if terminal and code in ("ASH", "GLH", "LYN"):
        raise UnsupportedSystemError(
            f"The force fields have no charged terminus on {where}.", fix="Cap the ends: ACE-...-NME."
        )
    if len(codes) == 1:
        raise UnsupportedSystemError(
            f"The force fields have no free amino acids: {where}.", fix=f"Cap it: ACE-{code}-NME."
        )
