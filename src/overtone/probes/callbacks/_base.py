"""Base of the callbacks of all trainers: one probe per training."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from torch import nn

from overtone.errors import InputError
from overtone.probes._distributed import DistributedGroup, SingleProcess
from overtone.probes._probe import Probe
from overtone.probes._run_writer import ResumedRecord, record_file
from overtone.probes._view import View
from overtone.probes.views._residuals import residuals
from overtone.signals import Measured, Signal


@final
class TrainerProbe:
    """Makes a probe when training starts, calls it at every step and closes it at the end.

    A trainer that restarts, with a smaller batch or for a second fit, continues the record from the step at which it
    starts; the record is first copied, then its rows from that step on are dropped.

    Args:
        watched: See `Probe`; of a field known through operators, the residuals of its terms.
        path: See `Probe`.
        options: Passed on to `Probe`.

    Raises:
        InputError: If the options include `processes` or the path is to be resumed: the trainer determines both.

    Attributes:
        probe: The probe, None before the first training.
    """

    def __init__(
        self,
        watched: Measured | Signal | View | Sequence[View],
        path: str | Path | None,
        options: Mapping[str, Any],
    ) -> None:
        fixed = "processes=" if "processes" in options else None
        if isinstance(path, ResumedRecord):
            fixed = "a record to resume"
        if fixed:
            raise InputError(
                "options of Probe that a trainer does not determine",
                fixed,
                "leave it out: the callback takes the step and the processes from the trainer",
                "callback",
            )
        self._watched, self._path, self._options = watched, path, dict(options)
        self.probe: Probe | None = None
        self._loss = self._rate = math.nan

    def begin(self, network: nn.Module, step: int, processes: int) -> None:
        """Make the probe and record the current state of the network.

        Args:
            network: The network in training.
            step: Optimizer steps taken before; above 0, an existing record at the path is continued.
            processes: Number of processes that train together.
        """
        if processes > 1 and self._path is None:
            raise InputError(
                "a path that all processes write to", "no path", "pass path= to the callback", "callback"
            )
        group = DistributedGroup() if processes > 1 else SingleProcess()
        self._loss = self._rate = math.nan
        path, last, before = self._path, None, self.probe
        # A second fit of the same callback: its first probe provides the path, which may be temporary, and the last
        # step.
        if before is not None:
            before.close()
            path, last = before.path, before.last_step
        exists = path is not None and record_file(path).exists()
        if exists and step == 0 and before is None and group.writes:
            raise InputError(
                "a path without a record, because training begins at step 0",
                "an existing record",
                "pass another path= to the callback, remove the record, or continue from a checkpoint of that run",
                str(path),
            )
        # A trainer that returns to an earlier step (to find a batch size, or for a second fit) restarts the record;
        # one that starts from a checkpoint continues it.
        restarts = last is not None and step < last
        target: str | Path | ResumedRecord | None = path
        if path is not None and exists and (step > 0 or before is not None):
            target = ResumedRecord(path, last if restarts and last is not None else step - 1)
        watched = self._watched
        if isinstance(watched, Measured):
            forward = self._options.get("forward")
            # The residuals of the network as it begins are part of their reference.
            watched = residuals(watched, network if forward is None else functools.partial(forward, network))
        self.probe = Probe(watched, network, target, processes=group, **self._options)
        if restarts and last is not None:
            self.probe.begin_again(step, last)
        self.probe(step)

    def step(self, step: int, loss: float, learning_rate: float) -> None:
        """Record a row, if one is due."""
        self._loss, self._rate = loss, learning_rate
        if self.probe is not None:
            self.probe(step, loss, learning_rate)

    def end(self, step: int) -> None:
        """Record the last step and close the record."""
        if self.probe is not None:
            self.probe(step, self._loss, self._rate, force=True)
        self.close()

    def close(self) -> None:
        """Close the record."""
        if self.probe is not None:
            self.probe.close()
