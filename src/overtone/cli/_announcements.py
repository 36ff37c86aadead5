"""Lines on stderr that say what a command is doing, from before the first slow import on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.text import plural
from overtone.cli._durations import in_words

if TYPE_CHECKING:
    from overtone.signals import Measured, Signal

EXAMPLE = "the example picture"

FIELD_BYTES = 150e6
"""Bytes of two files of fields that are compared in a second, measured on one core of an x86 processor."""


def announce(line: str) -> None:
    """Print a line on stderr at once; stdout may be the JSON document."""
    click.echo(line, err=True)


def announce_reading(source: str | None) -> None:
    """Say that SOURCE is being read; called before torch is imported, which takes seconds.

    Args:
        source: The file, or None for the example picture.
    """
    announce(f"Reading {EXAMPLE if source is None else source}.")


def announce_choice(signal: Signal[Any], *, trials: bool = True, timed: bool = False) -> None:
    """Say that the bandwidth is being chosen, and for how long; nothing if that takes less than a second.

    Args:
        signal: The signal that was read.
        trials: Whether the best bandwidths are also tried in short trainings.
        timed: Whether a time limits the run, rather than steps.
    """
    from overtone.planning._duration import choice_seconds

    if (seconds := choice_seconds(signal)) >= 1:
        part = "a fifth of the time" if timed else "a quarter of the steps"
        tried = f", and short trainings of up to {part}" if trials else ""
        announce(f"Choosing the bandwidth: {in_words(seconds)}{tried}.")


def announce_measurements(problem: Measured) -> None:
    """Say that a bandwidth is being chosen for measurements.

    Args:
        problem: The measurements.
    """
    functionals = sum(term.size for term in problem.terms)
    announce(f"Choosing the bandwidth from {plural(functionals, 'measurement')}.")


def announce_fields(forecast: str, truth: str) -> None:
    """Say that two files are being compared, and for how long if that follows from their sizes.

    Args:
        forecast: The first file; it may be missing.
        truth: The second file; it may be missing.
    """
    paths = [Path(forecast), Path(truth)]
    seconds = sum(path.stat().st_size for path in paths if path.is_file()) / FIELD_BYTES
    duration = f": {in_words(seconds)}" if seconds >= 1 else ""
    announce(f"Comparing {forecast} with {truth}{duration}.")


def announce_trainings(
    signal: Signal[Any], trainings: int, seconds: float | None, processes: int | None
) -> None:
    """Say how long the trainings of a comparison take together, and what takes additional time.

    Args:
        signal: The samples, from which the bandwidth is chosen.
        trainings: Number of trainings.
        seconds: Limit of each; None if they are limited by steps.
        processes: Number of processes; None for one per core.
    """
    from overtone._sweeps.workers import available_cores
    from overtone.planning._duration import choice_seconds

    side = min(processes or available_cores(), trainings)
    parallel = f", {side} at a time" if side > 1 else ""
    choice = in_words(choice_seconds(signal))
    if seconds is None:
        total = f"{plural(trainings, 'training')}{parallel}"
    else:
        duration = in_words(-(-trainings // side) * seconds)
        total = f"{plural(trainings, 'training')} of {seconds:g} s{parallel}, take {duration}"
    announce(
        f"{total}. Choosing the bandwidth ({choice}), the other candidates and the page take additional time; "
        "finished parts are not repeated."
    )
