"""Lines on stderr that say what a command is doing, from before the first slow import on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from overtone.cli._durations import in_words

if TYPE_CHECKING:
    from overtone.signals import Signal

EXAMPLE = "the example picture"


def announce(line: str) -> None:
    """Print a line on stderr at once; stdout may be the JSON document."""
    click.echo(line, err=True)


def announce_reading(source: str | None) -> None:
    """Say that SOURCE is being read; called before torch is imported, which takes seconds.

    Args:
        source: The file, or None for the example picture.
    """
    announce(f"Reading {EXAMPLE if source is None else source}.")


def announce_choice(signal: Signal[Any]) -> None:
    """Say that the bandwidth is being chosen, and for how long; nothing if that takes less than a second.

    Args:
        signal: The signal that was read.
    """
    from overtone.planning._duration import choice_seconds

    if (seconds := choice_seconds(signal)) >= 1:
        announce(f"Choosing the bandwidth: {in_words(seconds)}.")
