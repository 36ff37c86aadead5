"""Ctrl-C as a request: finish the step, save, and stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupt:
    """While entered, the first SIGINT or SIGTERM sets `requested`; a second SIGINT interrupts at once.

    A request that came too late to be looked at is handed on when this is left.

    Signals can only be caught in the main thread; elsewhere nothing is changed.

    Attributes:
        requested: Whether somebody wants to stop.
        heeded: Set by whoever stopped for that reason.
    """

    def __init__(self) -> None:
        self.requested = self.heeded = False
        self._number: int | None = None
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        if self._number is not None and not self.heeded and error is None:
            signal.raise_signal(self._number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested, self._number = True, number
