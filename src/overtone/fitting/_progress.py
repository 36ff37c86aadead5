"""Progress on stderr: steps, loss, time left and the highest frequency learned so far."""

from __future__ import annotations

import math
import time
from types import TracebackType

from overtone._utils.text import number


class FitProgress:
    """A progress line for one fit, within 80 columns; one line per seventh where stderr is no terminal.

    Args:
        shown: Whether anything is shown.
        unit: Unit of the frequencies.
    """

    def __init__(self, shown: bool, unit: str) -> None:
        from rich.console import Console
        from rich.progress import Progress, TaskID, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, quiet=not shown)
        self._unit = unit
        self._seventh = -1
        self._best = 0.0
        self._first: float | None = None
        self._begun = 0.0
        self._bar = Progress(
            TextColumn("{task.percentage:>3.0f}% step {task.fields[step]} loss {task.fields[loss]}"),
            TextColumn("[bold]learned {task.fields[learned]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not (shown and self._console.is_terminal),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> FitProgress:
        self._bar.start()
        self._task = self._bar.add_task("fit", total=1.0, step=0, loss="-", learned="nothing yet")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line above the progress."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def update(self, share: float, step: int, loss: float, learned: float) -> None:
        """Show the state of the run.

        Args:
            share: Share of the budget used, 0 to 1.
            step: Optimizer steps taken.
            loss: Training loss, NaN before the first step.
            learned: Highest frequency learned so far, NaN if none.
        """
        share = min(share, 1.0)
        reached = self._reached(learned)
        error = "-" if math.isnan(loss) else f"{loss:.2g}"
        if not self._console.is_terminal:
            # In a log file a bar that redraws itself would be thousands of lines.
            seventh = int(share * 7)
            if seventh > self._seventh:
                self._seventh = seventh
                left = self._time_left(share)
                self.say(f"{share:4.0%}  step {step:<6} loss {error:<8}  learned {reached}{left}")
            return
        if self._task is not None:
            self._bar.update(self._task, completed=share, step=step, loss=error, learned=reached)

    def _time_left(self, share: float) -> str:
        """Return the time that remains at the speed so far; nothing where that is unknown or below a second."""
        if self._first is None:
            # A resumed run begins with a share that other sessions used.
            self._first, self._begun = share, time.monotonic()
        done = share - self._first
        seconds = (time.monotonic() - self._begun) * (1 - share) / done if done > 0 else 0.0
        if seconds < 1:
            return ""
        return f", {seconds:.0f} s left" if seconds < 90 else f", {seconds / 60:.0f} min left"

    def _reached(self, learned: float) -> str:
        """Return the highest learned frequency, and the highest so far if some of it was lost again."""
        now = 0.0 if math.isnan(learned) else learned
        self._best = max(self._best, now)
        before = f" (before: to {number(self._best)})" if now < self._best else ""
        if now > 0:
            return f"to {number(now)} {self._unit}{before}"
        return f"nothing any more{before}" if before else "nothing yet"
