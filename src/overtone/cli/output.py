"""What the verbs print: one JSON document, or lines for people."""

from __future__ import annotations

import json
import math
from typing import Any

import click


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout. NaN and infinity, which JSON does not have, become null."""
    click.echo(json.dumps(finite(document), allow_nan=False))


def finite(value: Any) -> Any:
    """`value` with NaN and infinite floats replaced by None, in dicts and lists too."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
