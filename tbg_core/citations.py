"""What to cite: the papers that components name, as text and as BibTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tbg_core import __version__
from tbg_core.config.run_config import COMPONENT_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tbg_core.registry import ComponentSpec, Registry

_YEAR: Final = re.compile(r"\b(1[89]\d\d|20\d\d)\b")
_ARXIV: Final = re.compile(r"\barXiv:\s*(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", re.IGNORECASE)
_DOI: Final = re.compile(r"\b(?:doi:\s*|https?://doi\.org/)?(10\.\d{4,9}/[^\s,;]+)")
SOFTWARE: Final = f"tbg {__version__}, a framework for transferable Boltzmann generators"


@dataclass(frozen=True)
class Reference:
    """One paper.

    Attributes:
        text: As the component names it.
        used_for: What it is cited for, e.g. ``("field egnn",)``.
    """

    text: str
    used_for: tuple[str, ...]

    @property
    def identity(self) -> str:
        """The number that a paper has, or else its text: two components may word one paper differently."""
        match = _DOI.search(self.text) or _ARXIV.search(self.text)
        return match[1].lower() if match else self.text.lower()

    @property
    def year(self) -> str:
        """The last number that can be one, ``""`` if there is none."""
        rest = _ARXIV.sub("", _DOI.sub("", self.text))
        return str((_YEAR.findall(rest) or [""])[-1])

    @property
    def authors(self) -> str:
        """What stands before the first comma, in BibTeX's words: ``"Klein and Noe"``, ``"Chen and others"``."""
        first = re.sub(r"\s*\([^)]*\)", "", self.text.partition(",")[0]).strip()
        first = re.sub(r"\s*&\s*", " and ", first)
        return re.sub(r"\s+et al\.?$", " and others", first)

    @property
    def key(self) -> str:
        """``"klein2024"``."""
        plain = unicodedata.normalize("NFKD", self.authors).encode("ascii", "ignore").decode()
        surname = plain.split(" and ")[0].split()[-1] if plain.split() else "reference"
        return re.sub(r"[^a-z]", "", surname.lower()) + self.year

    def bibtex(self, key: str = "") -> str:
        """An entry with what the text says; title, journal and pages are in its ``note``, as they were written."""
        fields = {"author": self.authors, "note": self.text.partition(",")[2].strip() or self.text, "year": self.year}
        if match := _ARXIV.search(self.text):
            fields |= {"eprint": match[1], "archiveprefix": "arXiv", "url": f"https://arxiv.org/abs/{match[1]}"}
        if match := _DOI.search(self.text):
            fields |= {"doi": match[1]}
        lines = [f"  {name} = {{{_escape(name, value)}}}," for name, value in fields.items() if value]
        return "\n".join([f"@misc{{{key or self.key},", *lines, "}"])


def components_of(registry: Registry, config: Mapping[str, Any]) -> list[ComponentSpec]:
    """The components that a configuration names, slots included, each once; those that are not installed are left out.

    Args:
        registry: Where to look.
        config: Content of a ``config.yaml``.
    """
    found: dict[tuple[str, str], ComponentSpec] = {}
    for key, kind in COMPONENT_KEYS.items():
        for spec in _walk(registry, kind, config.get(key)):
            found.setdefault((spec.kind, spec.name), spec)
    for spec in _walk(registry, "system", config.get("system")):
        found.setdefault((spec.kind, spec.name), spec)
    return list(found.values())


def references(specs: Iterable[ComponentSpec]) -> list[Reference]:
    """The papers that components name, each once, with what for."""
    found: dict[str, Reference] = {}
    for spec in specs:
        for part in spec.citation.split(";"):
            paper = Reference(" ".join(part.split()), (f"{spec.kind} {spec.name}",))
            if not paper.text:
                continue
            known = found.get(paper.identity, paper)
            # Of two wordings the longer one says more.
            text = max(known.text, paper.text, key=len)
            found[paper.identity] = Reference(text, tuple(dict.fromkeys((*known.used_for, *paper.used_for))))
    return list(found.values())


def bibliography(papers: Iterable[Reference]) -> str:
    """All of them as a ``.bib`` file, with keys that differ, and the software."""
    entries = [f"@software{{tbg,\n  title = {{{_escape('title', SOFTWARE)}}},\n  version = {{{__version__}}},\n}}"]
    taken: dict[str, int] = {}
    for paper in papers:
        taken[paper.key] = taken.get(paper.key, 0) + 1
        suffix = "" if taken[paper.key] == 1 else chr(ord("a") + taken[paper.key] - 1)
        entries.append(f"% for {', '.join(paper.used_for)}\n{paper.bibtex(paper.key + suffix)}")
    return "\n\n".join(entries) + "\n"


def _walk(registry: Registry, kind: str, reference: Any) -> Iterator[ComponentSpec]:
    """The component of a reference, then those in its slots; ``--model`` may name a field."""
    name = (
        reference if isinstance(reference, str) else reference.get("name") if isinstance(reference, Mapping) else None
    )
    for candidate in ("proposal", "field") if kind == "proposal" else (kind,):
        spec = next((s for s in registry.specs(candidate) if s.name == name), None)
        if spec is None:
            continue
        yield spec
        for slot, inner in spec.slots.items():
            yield from _walk(registry, inner, reference.get(slot) if isinstance(reference, Mapping) else None)
        return


def _escape(name: str, value: str) -> str:
    return value if name in {"url", "doi", "eprint"} else re.sub(r"([&%$#_])", r"\\\1", value)
