"""Ctrl-C that reaches the program: delayed while a module is imported, repeated where it was swallowed."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

SOON, AGAIN = 0.05, 2.0
"""Seconds until the next try: while a module is imported, and after a try that may have been lost."""

PATIENCE = 4
"""Presses after which the process ends at once."""

_IMPORT = "<frozen importlib"


@dataclass
class Presses:
    """Count of presses of Ctrl-C."""

    count: int = 0


@contextlib.contextmanager
def insisting() -> Iterator[Presses]:
    """Inside, SIGINT raises KeyboardInterrupt until the block is left.

    A single exception may be lost: raised in a destructor or in a library's callback it is printed or dropped; raised
    during an import it may turn into an ImportError or leave the module broken. So the exception waits for the end of
    an import, and is raised again every two seconds. This also works in a program that a shell script started in the
    background, where SIGINT is ignored until a handler is installed.

    Yields:
        The presses so far.

    Signals can only be caught in the main thread; elsewhere, and where the system has no timers, nothing is changed.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or not hasattr(signal, "setitimer"):
        yield Presses()
        return
    pressed, left = Presses(), signal.getitimer(signal.ITIMER_REAL)

    def press(_number: int, frame: FrameType | None) -> None:
        pressed.count += 1
        if pressed.count >= PATIENCE:
            # Nothing listens any more; cleaning up could hang as well.
            os._exit(130)
        insist(_number, frame)

    def insist(_number: int, frame: FrameType | None) -> None:
        if _imports(frame):
            signal.setitimer(signal.ITIMER_REAL, SOON)
            return
        # Set before raising: if this exception is lost, the next one is on its way.
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    signal.signal(signal.SIGALRM, insist)
    signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        # The timer stops before handlers change: a late alarm would end the process by default.
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, *left)


def _imports(frame: FrameType | None) -> bool:
    """Whether a module is being imported in the call stack of a frame."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT):
            return True
        frame = frame.f_back
    return False
