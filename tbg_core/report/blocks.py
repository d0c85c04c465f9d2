"""What a section of the report is made of: plain data, so that only the template writes HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Note:
    """A remark that must not be overlooked."""

    text: str
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Figure:
    """A plot or a picture.

    Attributes:
        image: From :func:`tbg_core.report.plotting.to_svg` or :func:`~tbg_core.report.plotting.to_png`.
        title: Short heading above it, or ``""``.
        caption: What it shows.
    """

    image: Markup
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Figures:
    """Plots side by side; on a narrow screen one below the other.

    Attributes:
        figures: The plots.
        caption: What they show together.
        small: True for many small ones in a row.
        title: Heading above them all, or ``""``.
        wide: True for plots that need half of the page.
    """

    figures: tuple[Figure, ...]
    caption: str = ""
    small: bool = False
    title: str = ""
    wide: bool = False
    kind: ClassVar[str] = "figures"


@dataclass(frozen=True)
class Table:
    """Rows of text; all columns but the first are aligned as numbers.

    Attributes:
        columns: Headings.
        rows: Cells.
        caption: What the table shows.
        marked: Indices of rows that stand out.
        prose: True where the cells hold words, which are aligned to the left and broken into lines.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    marked: frozenset[int] = frozenset()
    prose: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Code:
    """Text to copy.

    Attributes:
        text: Commands or a file.
        summary: If given, the text is folded away under this line.
    """

    text: str
    summary: str = ""
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Viewer:
    """Conformations to turn around, where the browser can; the page shows pictures of them as well.

    Attributes:
        data: What ``viewer.js`` reads; plain data, written into the page as JSON.
        label: What it shows, for screen readers.
    """

    data: dict[str, Any]
    label: str
    kind: ClassVar[str] = "viewer"


@dataclass(frozen=True)
class Fragment:
    """HTML that a plugin made."""

    html: Markup
    kind: ClassVar[str] = "fragment"


Block = Paragraph | Note | Figures | Table | Code | Viewer | Fragment


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        anchor: Identifier in the page, lower case and hyphens.
        title: Heading.
        blocks: Content from top to bottom.
        order: Sections are shown by ascending order; the built-in ones use multiples of 100.
    """

    anchor: str
    title: str
    blocks: tuple[Block, ...] = field(default_factory=tuple)
    order: int = 1000
