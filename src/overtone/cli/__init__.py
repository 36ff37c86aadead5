"""The command line: one file a verb, each of which parses, calls and prints."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Sequence

from overtone.cli._interrupts import insisting

__all__ = ["main"]

INTERRUPTED = 130

STARTED = time.monotonic()
"""When the process began, but for the start of Python itself."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit, see `cli._main.run_and_exit`; Ctrl-C is heard while it is still being loaded.

    Args:
        arguments: The words after the program's name; those of the process if None.
    """
    with insisting() as pressed:
        try:
            importlib.import_module("overtone.cli._main").run_and_exit(arguments)
        except SystemExit as ended:
            if pressed.count and not ended.code:
                print("overtone: interrupted, when all was done.", file=sys.stderr)
                raise SystemExit(INTERRUPTED) from ended
            raise
