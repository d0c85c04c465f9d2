"""What a section of the report is made of: plain data, so that only the template writes HTML."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

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
    """A plot.

    Attributes:
        svg: From :func:`tbg_core.report.plotting.to_svg`.
        title: Short heading above it, or ``""``.
        caption: What it shows.
    """

    svg: Markup
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Figures:
    """Plots side by side; on a narrow screen one below the other.

    Attributes:
        figures: The plots.
        caption: What they show together.
    """

    figures: tuple[Figure, ...]
    caption: str = ""
    kind: ClassVar[str] = "figures"


@dataclass(frozen=True)
class Table:
    """Rows of text; all columns but the first are aligned as numbers.

    Attributes:
        columns: Headings.
        rows: Cells.
        caption: What the table shows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
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
class Fragment:
    """HTML that a plugin made."""

    html: Markup
    kind: ClassVar[str] = "fragment"


Block = Paragraph | Note | Figures | Table | Code | Fragment


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
