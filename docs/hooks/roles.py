"""Cross-references of docstrings, which are written with Sphinx's roles: links where a page has what they name."""

from __future__ import annotations

import re
from typing import Any, Final

_ROLE: Final = re.compile(r":(?:attr|class|data|func|meth|mod):<code>(~?)([\w.]+)</code>")


def on_page_content(html: str, **_: Any) -> str:
    """Leaves them to mkdocs-autorefs."""
    return _ROLE.sub(_reference, html)


def _reference(role: re.Match[str]) -> str:
    short, name = role.groups()
    shown = name.rpartition(".")[2] if short else name
    return f'<autoref optional identifier="{name}"><code>{shown}</code></autoref>'
