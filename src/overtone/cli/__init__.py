"""The command line: one file a verb, each of which parses, calls and prints."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Sequence

from overtone.cli._interrupts import insisting

__all__ = ["main"]

INTERRUPTED = 130

STARTED = time.monotonic()
"""When the process began, but for the start of Python itself."""


WAITING = ("OMP_WAIT_POLICY", "PASSIVE")
"""What lets threads of PyTorch that wait for each other sleep, in the OpenMP standard."""


def sleep_while_waiting() -> None:
    """Let the threads of PyTorch sleep while they wait for each other, unless the environment says otherwise.

    By default they spin, which is a tenth faster on an idle machine. Beside other busy programs a thread that spins
    takes the core that the thread it waits for would need: steps of training take up to twelve times as long. OpenMP
    reads the variable once, when PyTorch is loaded.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault(*WAITING)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit, see `cli._main.run_and_exit`; Ctrl-C is heard while it is still being loaded.

    Args:
        arguments: The words after the program's name; those of the process if None.
    """
    sleep_while_waiting()
    with insisting() as pressed:
        try:
            importlib.import_module("overtone.cli._main").run_and_exit(arguments)
        except SystemExit as ended:
            if pressed.count and not ended.code:
                print("overtone: interrupted, when all was done.", file=sys.stderr)
                raise SystemExit(INTERRUPTED) from ended
            raise
