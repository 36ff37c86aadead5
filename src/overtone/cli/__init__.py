"""The command line: one file a verb, each of which parses, calls and prints."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from overtone.cli.interrupts import insisting

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit, see `overtone.cli.main`; Ctrl-C is heard while it is still being loaded.

    Args:
        arguments: The words after the program's name; those of the process if None.
    """
    with insisting():
        importlib.import_module("overtone.cli.main").main(arguments)
