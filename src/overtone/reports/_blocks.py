"""What a page is made of: plots, pictures, sounds, tables and a glossary, each drawn by its own template."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import plotly.graph_objects as go
from markupsafe import Markup

Row = Sequence[str]


@dataclass(frozen=True)
class PlotBlock:
    """An interactive figure with its title and its sentence."""

    anchor: str
    title: str
    caption: str
    figure: go.Figure
    template: ClassVar[str] = "plot.html"

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.figure.layout.height or 400)

    @property
    def json(self) -> Markup:
        """The figure as JSON that can stand inside a script element whatever names it carries."""
        text = json.dumps(json.loads(self.figure.to_json(validate=False)), separators=(",", ":"))
        for character in "<>&\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return Markup(text)


@dataclass(frozen=True)
class PictureBlock:
    """One embedded picture."""

    uri: str
    width: int
    height: int
    title: str
    note: str
    alt: str


@dataclass(frozen=True)
class PicturesBlock:
    """A strip of pictures that wraps on narrow screens, or keeps `columns` columns."""

    anchor: str
    title: str
    caption: str
    pictures: Sequence[PictureBlock]
    columns: int | None = None
    template: ClassVar[str] = "pictures.html"


@dataclass(frozen=True)
class SoundBlock:
    """One embedded recording with the browser's own player."""

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
    """Rows whose first cell names them; `folded` ones open on a click or the Enter key."""

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
    """Questions answered under a title of their own."""

    title: str
    entries: Sequence[tuple[str, str]]
    template: ClassVar[str] = "answers.html"


@dataclass(frozen=True)
class FoldedBlock:
    """Blocks behind a line that opens them: what it is about, in a word what came of it, and its sentences."""

    anchor: str
    title: str
    word: str
    text: Sequence[str]
    blocks: Sequence[Block]
    template: ClassVar[str] = "folded.html"


Block = PlotBlock | PicturesBlock | SoundsBlock | TableBlock | Glossary | AnswersBlock | FoldedBlock


@dataclass(frozen=True)
class Tile:
    """A key number."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class Section:
    """A headed part of the page; `pair` sets its blocks side by side where there is room."""

    anchor: str
    title: str
    blocks: Sequence[Block]
    text: Sequence[str] = ()
    pair: bool = False


@dataclass(frozen=True)
class Page:
    """Everything the page template needs; `why` is told below the lead, its first sentence in bold."""

    title: str
    subtitle: str
    answers: Sequence[tuple[str, str]]
    numbers: Sequence[Tile]
    lead: Block | None
    sections: Sequence[Section]
    why: Sequence[str] = ()
