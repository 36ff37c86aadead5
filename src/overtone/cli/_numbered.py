"""Default directories with a number: a second run does not collide with the first."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from overtone.errors import InputError


def numbered(name: str) -> Iterator[str]:
    """Return the default name and those after it: run, run-002, run-003, ...

    Args:
        name: The default name.

    Returns:
        The names, without end.
    """
    return itertools.chain([name], (f"{name}-{number:03}" for number in itertools.count(2)))


def is_default(context: click.Context, flag: str) -> bool:
    """Return whether a flag was left out, so that its default may be numbered."""
    return context.get_parameter_source(flag) is click.core.ParameterSource.DEFAULT


@contextmanager
def reserved(name: str) -> Iterator[str]:
    """Make the first directory of `numbered` that does not exist; remove it again if the block leaves it empty.

    Args:
        name: The default name.

    Yields:
        The name of the new directory. Two processes never get the same: making a directory is one step of the file
        system, and fails where it exists.

    Raises:
        InputError: If no directory can be made here.
    """
    for path in numbered(name):
        # An empty directory is free, but another process may have just made it.
        try:
            os.mkdir(path)
        except FileExistsError:
            continue
        except OSError as error:
            problem = f"{error.strerror or error}".lower()
            raise InputError(
                "a folder that can be written to", problem, "pass a directory by --out", path
            ) from None
        break
    try:
        yield path
    finally:
        # Refused input leaves nothing behind.
        if Path(path).is_dir() and not any(Path(path).iterdir()):
            os.rmdir(path)


def newest(name: str) -> str:
    """Return the directory of `numbered` with the highest number, or the default name if there is none.

    Args:
        name: The default name.
    """
    existing = itertools.takewhile(os.path.lexists, numbered(name))
    return max(existing, default=name, key=lambda path: (len(path), path))
