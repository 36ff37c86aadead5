"""Parts of a page: plots, pictures, sounds, tables and a glossary, each with its own template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import plotly.graph_objects as go
from markupsafe import Markup

from overtone.reports._findings import Answer

Row = Sequence[str]


@dataclass(frozen=True)
class PlotBlock:
    """Interactive figure with its title and caption."""

    anchor: str
    title: str
    caption: str
    figure: go.Figure
    template: ClassVar[str] = "plot.html"

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.figure.layout.height or 400)

    @property
    def json(self) -> Markup:
        """Figure as JSON that is safe inside a script element, whatever names it contains."""
        # A `</script>` in a name of the record would end the element; line separators would end a JavaScript string.
        text = json.dumps(json.loads(self.figure.to_json(validate=False)), separators=(",", ":"))
        for character in "<>&\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return Markup(text)


@dataclass(frozen=True)
class PictureBlock:
    """Embedded picture."""

    uri: str
    width: int
    height: int
    title: str
    note: str
    alt: str


@dataclass(frozen=True)
class PicturesBlock:
    """Strip of pictures that wraps on narrow screens, or has a fixed number of `columns`."""

    anchor: str
    title: str
    caption: str
    pictures: Sequence[PictureBlock]
    columns: int | None = None
    template: ClassVar[str] = "pictures.html"


@dataclass(frozen=True)
class SoundBlock:
    """Embedded recording with the browser's own player."""

    anchor: str
    title: str
    uri: str


@dataclass(frozen=True)
class SoundsBlock:
    """Recordings side by side."""

    caption: str
    sounds: Sequence[SoundBlock]
    template: ClassVar[str] = "sounds.html"


@dataclass(frozen=True)
class TableBlock:
    """Table whose rows begin with their names; a `folded` one opens on a click or the Enter key."""

    title: str
    rows: Sequence[Row]
    head: Row = ()
    numeric: bool = False
    folded: bool = False
    template: ClassVar[str] = "table.html"


@dataclass(frozen=True)
class Glossary:
    """Words and their meanings."""

    entries: Sequence[tuple[str, str]]
    template: ClassVar[str] = "glossary.html"


@dataclass(frozen=True)
class AnswersBlock:
    """Questions and their answers under a title."""

    title: str
    entries: Sequence[tuple[str, Answer]]
    template: ClassVar[str] = "answers.html"


@dataclass(frozen=True)
class FoldedBlock:
    """Blocks behind a summary line with a title and a one-word result."""

    anchor: str
    title: str
    word: str
    text: Sequence[str]
    blocks: Sequence[Block]
    template: ClassVar[str] = "folded.html"


Block = PlotBlock | PicturesBlock | SoundsBlock | TableBlock | Glossary | AnswersBlock | FoldedBlock


@dataclass(frozen=True)
class Tile:
    """Key figure."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class Section:
    """Part of the page with a heading; `pair` sets its blocks side by side on wide screens."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    text: Sequence[str] = ()
    pair: bool = False


@dataclass(frozen=True)
class Page:
    """Content of a page; `why` stands below the lead, its first sentence in bold."""

    title: str
    subtitle: str
    answers: Sequence[tuple[str, Answer]]
    numbers: Sequence[Tile]
    lead: Block | None
    sections: Sequence[Section]
    why: Sequence[str] = ()
