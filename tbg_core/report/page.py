"""The page around the sections: one HTML file that loads nothing, and runs no script but its own."""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from tbg_core.report.blocks import Viewer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tbg_core.report.blocks import Section

_TEMPLATES: Final = ("report.html.jinja", "blocks.html.jinja", "report.css", "print.css", "page.js", "viewer.js")
_LIBRARY, _LICENCE = "3Dmol-min.js", "3Dmol-LICENSE.txt"


@dataclass(frozen=True)
class Head:
    """Top of a page.

    Attributes:
        eyebrow: What kind of page it is.
        title: What it is about.
        subtitle: In one line.
        reliable: Decides the colour.
        label: The verdict in capitals.
        sentence: The verdict in words.
        advice: What to do or to bear in mind, ``""`` if nothing.
        tiles: (label, value, remark) of the key figures.
    """

    eyebrow: str
    title: str
    subtitle: str
    reliable: bool
    label: str
    sentence: str
    advice: str = ""
    tiles: tuple[tuple[str, str, str], ...] = ()


def render(head: Head, sections: Sequence[Section], created: str = "") -> str:
    """The page. Everything but drawings and plugin fragments is escaped.

    Scripts are named by their hashes in the Content-Security-Policy: none but those of this package run, not even
    one that found its way into a fragment, and none can fetch anything.
    """
    sources = _sources()
    viewing = any(isinstance(block, Viewer) for section in sections for block in section.blocks)
    scripts = [sources["page.js"]]
    library = ""
    allowed = list(scripts)
    if viewing:
        scripts.append(sources["viewer.js"])
        library, text = _library()
        allowed += [sources["viewer.js"], text]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in allowed)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(
        head=head,
        sections=sections,
        created=created,
        policy=Markup(policy),  # noqa: S704 - made here of hashes
        style=Markup(sources["report.css"] + sources["print.css"]),  # noqa: S704 - our own files
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - our own files
        library=library,
        licence=_vendored(_LICENCE),
    )


@lru_cache(maxsize=1)
def _sources() -> dict[str, str]:
    folder = files("tbg_core.report") / "templates"
    return {name: (folder / name).read_text(encoding="utf-8") for name in _TEMPLATES}


@lru_cache(maxsize=1)
def _library() -> tuple[str, str]:
    """3Dmol.js as the page carries it (gzip, base64), and as the browser will run it."""
    text = _vendored(_LIBRARY)
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode(), text


def _vendored(name: str) -> str:
    # newline="": the hash is that of the file as it is.
    return (files("tbg_core.report") / "vendor" / name).read_bytes().decode("utf-8")
