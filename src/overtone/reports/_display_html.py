"""HTML of results in notebooks: escaped, without scripts, in the colours of the surrounding page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

_BOX = (
    "font:13px/1.45 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;color:inherit;background:transparent;"
    "border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:10px 14px;max-width:860px"
)
_ROW = "display:flex;flex-wrap:wrap;gap:8px 24px;align-items:flex-start"
_TABLE = "border-collapse:collapse;margin:0;color:inherit;background:transparent;font-size:12.5px"
_CELL = (
    "padding:2px 14px 2px 0;text-align:left;border:0;background:transparent;vertical-align:top;"
    "overflow-wrap:anywhere"
)
_LONGEST = 800
"""Characters of one name or sentence at most; a file can hold a name of any length."""


@dataclass(frozen=True)
class Display:
    """Content that a notebook shows for a result.

    Attributes:
        title: What it is.
        subtitle: What kind.
        facts: Names and values.
        head: Titles of the table's columns.
        rows: The table; hidden behind a click if it has more than eight rows.
        more: Number of rows that were left out.
        sentences: What follows from it.
        picture: A data URI, or None.
        alt: The picture in words.
    """

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    more: int = 0
    sentences: Sequence[str] = ()
    picture: str | None = None
    alt: str = ""


def display_html(display: Display) -> str:
    """Return a display as one HTML element. Every text is escaped, since names come from files.

    Example:
        >>> "<b>" in display_html(Display("<b>", "", [("a", "1")]))
        False
    """
    facts = "".join(
        f'<tr style="background:transparent"><th scope="row" style="{_CELL};font-weight:normal;opacity:.75">'
        f'{_text(name)}</th><td style="{_CELL}">{_text(value)}</td></tr>'
        for name, value in display.facts
    )
    table = f'<table style="{_TABLE}"><tbody>{facts}</tbody></table>' if facts else ""
    picture = (
        f'<img src="{html.escape(display.picture)}" alt="{_text(display.alt or display.title)}" '
        'style="max-width:100%;height:auto;margin:0">'
        if display.picture
        else ""
    )
    texts = [_text(sentence) for sentence in display.sentences]
    sentences = "".join(f'<p style="margin:6px 0 0">{text}</p>' for text in texts)
    subtitle = f' <span style="opacity:.75">{_text(display.subtitle)}</span>' if display.subtitle else ""
    return (
        f'<div class="overtone-display" style="{_BOX}">'
        f'<div style="margin:0 0 6px"><strong>{_text(display.title)}</strong>{subtitle}</div>'
        f'<div style="{_ROW}"><div>{table}</div><div>{picture}</div></div>{sentences}{_rows(display)}</div>'
    )


def _rows(display: Display) -> str:
    if not display.rows:
        return ""
    head = "".join(
        f'<th scope="col" style="{_CELL};font-weight:600">{_text(name)}</th>' for name in display.head
    )
    lines = ("".join(f'<td style="{_CELL}">{_text(cell)}</td>' for cell in row) for row in display.rows)
    body = "".join(f'<tr style="background:transparent">{line}</tr>' for line in lines)
    table = (
        f'<table style="{_TABLE};margin-top:8px"><thead><tr style="background:transparent">{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
    if display.more > 0:
        table += f'<p style="margin:2px 0 0;opacity:.75">{display.more:,} more rows</p>'
    if len(display.rows) <= 8:
        return table
    total = len(display.rows) + max(display.more, 0)
    return f'<details style="margin-top:8px"><summary>Table of {total:,} rows</summary>{table}</details>'


def _text(text: str) -> str:
    text = str(text)
    return html.escape(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
