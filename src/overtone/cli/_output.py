"""Output of the verbs: one JSON document, or lines of text within 80 columns."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import click


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout; NaN and infinity, which JSON does not have, become null."""
    click.echo(json.dumps(_finite(document), allow_nan=False))


def _finite(value: Any) -> Any:
    """`value` with NaN and infinite floats replaced by None, in dicts and lists too."""
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    # Standard JSON has no NaN or Infinity; strict parsers refuse what Python would write.
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


WIDTH = 80


def paragraph(heading: str, sentences: Iterable[str]) -> str:
    """Return a heading with sentences under it, wrapped and indented."""
    return "\n".join([heading, *(_wrapped(s, "  ", "  ") for s in sentences)])


def facts(rows: Mapping[str, str]) -> str:
    """Return names and values in two columns; long values are wrapped, and begin below a long name."""
    # One long name must not push all values to the right edge.
    margin = min(max(map(len, rows)) + 2, WIDTH // 3)
    lines = []
    for name, value in rows.items():
        if len(name) + 2 > margin:
            lines += [name, _wrapped(value, " " * margin, " " * margin)]
        else:
            lines.append(_wrapped(value, f"{name:<{margin}}", " " * margin))
    return "\n".join(lines)


def _wrapped(text: str, initial: str, subsequent: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=initial,
        subsequent_indent=subsequent,
        break_long_words=False,
        break_on_hyphens=False,
    )
