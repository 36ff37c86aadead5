"""The page: packaged parts put into one file that refers to nothing else."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import itertools
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

from overtone._utils.files import write_atomic
from overtone.errors import InputError, RunError

SCRIPTS = (
    "rng.js",
    "network.js",
    "optimizer.js",
    "spectrum.js",
    "kernel.js",
    "signals.js",
    "state.js",
    "plot.js",
    "lab.js",
    "main.js",
)
"""In the order in which each uses those before it."""

POINTS = 512
"""Values of a signal that are put into the page; longer ones are averaged, shorter ones are interpolated there."""


def page(values: Sequence[float] | None = None) -> str:
    """Return the lab as one HTML document without references to other files.

    Args:
        values: A signal to add to those of the page; at least 8 finite numbers at equal distances. It is scaled to
            the range from -1 to 1, and averaged in groups to at most 512 values.

    Returns:
        The document.

    Raises:
        InputError: If there are fewer than 8 values, or they are not finite.

    Example:
        >>> from overtone import lab
        >>> text = lab.page([0, 1, 0, -1] * 4)
        >>> text.startswith("<!DOCTYPE html>"), "http://" in text, '"values"' in text
        (True, False, True)
    """
    parts = {
        "style": _text("style.css"),
        "photograph": _text("photograph.txt").strip(),
        "file": json.dumps(None if values is None else {"values": _reduced(values)}),
        "version": importlib.metadata.version("overtone"),
        "script": "\n".join(_text(name) for name in SCRIPTS),
    }
    # In one pass: what is put in is not searched for further places.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match.group(1)], _text("page.html"))


def write(path: str | Path, values: Sequence[float] | None = None) -> Path:
    """Write the lab to a file, whole or not at all.

    Args:
        path: The file; its folder is made as needed.
        values: As for `page`.

    Returns:
        The path.

    Raises:
        InputError: If `path` is a folder, or the values are not as `page` needs them.
        RunError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from overtone import lab
        >>> lab.write(tempfile.mkdtemp() + "/lab.html").name
        'lab.html'
    """
    path = Path(path)
    if path.is_dir():
        raise InputError("a file name for the page", "a folder", f"pass {path / 'lab.html'}", str(path))
    try:
        write_atomic(path, page(values))
    except OSError as refused:
        raise RunError(
            "a place the page can be written to",
            f"{refused.strerror or refused}",
            "choose another path",
            str(path),
        ) from refused
    return path


def _text(name: str) -> str:
    return (importlib.resources.files("overtone.lab") / "page" / name).read_text(encoding="utf-8")


def _reduced(values: Sequence[float]) -> list[float]:
    numbers = [float(value) for value in values]
    if len(numbers) < 8 or not all(math.isfinite(value) for value in numbers):
        finite = sum(math.isfinite(value) for value in numbers)
        raise InputError(
            "a signal of at least 8 finite numbers",
            f"{len(numbers)} values, of which {finite} are finite",
            "pass a longer signal without gaps",
            "values",
        )
    count = min(POINTS, len(numbers))
    # Means of groups of nearly equal size: frequencies above the new sampling are damped instead of folded back.
    cuts = [index * len(numbers) // count for index in range(count + 1)]
    means = [sum(numbers[first:last]) / (last - first) for first, last in itertools.pairwise(cuts)]
    middle, half = (max(means) + min(means)) / 2, (max(means) - min(means)) / 2 or 1.0
    return [round((value - middle) / half, 5) for value in means]
