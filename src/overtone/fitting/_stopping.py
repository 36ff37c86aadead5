"""Early stopping and control of a fit, from the rows that its probe records anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from overtone._utils.text import per_axis, plural
from overtone.controller import ControlStep, Decision
from overtone.controller._controller import stopping_rule_for
from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.controller._policy import ControllerPolicy
from overtone.controller._target_spectrum import TargetSpectrum
from overtone.early_stopping import HeldOut
from overtone.early_stopping._monitor import Row, record_rows
from overtone.errors import InputError
from overtone.fitting._prepare import PreparedFit
from overtone.fitting.keeping import Keeping
from overtone.planning import recommend_bandwidth
from overtone.probes import LogSchedule, Spread, Window
from overtone.probes.views._grid import make_measurement
from overtone.signals import require_grid

if TYPE_CHECKING:
    import xarray


@final
class FitController:
    """Controller of a run, from row to row; its decisions follow from the rows, so that a resumed run repeats them.

    Args:
        prepared: The fit; the bandwidth of its encoding is set to the first one.
        window: The part of the grid that rows are measured on.
        folder: The run directory, for candidates of the best network.

    Attributes:
        ended: Whether the last recalled row ended the run.

    Raises:
        InputError: If the signal is scattered, or the encoding can be neither rescaled nor windowed.
    """

    def __init__(self, prepared: PreparedFit[Any], window: Window | Spread | None, folder: Path) -> None:
        signal = require_grid(prepared.signal, "the controller", "leave the controller out", "controller")
        noise, field, grid = prepared.noise, prepared.field, signal.geometry
        if noise is None or window is None:
            raise InputError("a noise floor and a window", "none", "leave the controller out", "controller")
        # The controller must not see the noise-free reference, even where a signal has one.
        spectrum = TargetSpectrum(make_measurement(replace(signal, clean=None), window), noise)
        recommended = recommend_bandwidth(signal, noise).bandwidth
        bandwidth = EncodingBandwidth.of(field, spectrum.begin(recommended, field.bandwidth))
        rule = stopping_rule_for(signal, spectrum) if prepared.config.stopping.stop else None
        best = None if rule is None else (lambda: Keeping(folder, field, rule))
        self._unit = grid.frequency_unit
        self._initial = bandwidth.reach
        self._policy = ControllerPolicy(
            spectrum,
            bandwidth,
            spectrum.furthest(recommended, grid),
            grid.extent,
            prepared.optimizer,
            best,
        )
        self._decisions: list[tuple[int, ControlStep]] = []
        self._announced = 0
        self.ended = False

    def recall(self, record: xarray.Dataset) -> None:
        """Repeat the decisions of a run that is resumed.

        Args:
            record: Its rows up to where it goes on.
        """
        for step, row in record_rows(record):
            if not LogSchedule().due(step):
                self._policy.recall_last(step, row)
                continue
            decision = self._policy.recall(step, row)
            self._append(step, decision)
            self.ended = decision.stop
        self._announced = len(self._decisions)

    def update(self, step: int, row: Row) -> bool:
        """Act on a row and return whether to end the run.

        A row off the schedule, which ends a session, is scored but not acted on: a run that was never interrupted does
        not have it.
        """
        if not LogSchedule().due(step):
            self._policy.judge(step, row)
            return False
        decision = self._policy.update(step, row)
        self._append(step, decision)
        return decision.stop

    def restore(self) -> int | None:
        """Restore the best network and return its step; None, and nothing restored, if no row could be scored."""
        best = self._policy.finish()
        return None if best is None else self._policy.at(best)

    def news(self) -> list[str]:
        """Return sentences on the decisions since the last call."""
        sentences = [decision.reason for _, decision in self._decisions[self._announced :]]
        self._announced = len(self._decisions)
        return sentences

    def attributes(self, reasons: Sequence[str]) -> dict[str, Any]:
        """Return the record's attributes: the final bandwidth, all decisions, and sentences after `reasons`."""
        increases = sum(decision.move is Decision.WIDEN for _, decision in self._decisions)
        summary = f"The controller began at {per_axis(self._initial)} {self._unit}"
        summary += f" and reached further {plural(increases, 'time')}." if increases else " and stayed there."
        others = [d.reason for _, d in self._decisions if d.move is not Decision.WIDEN]
        actions = [
            {"step": step, "move": d.move.value, "bandwidth": list(d.bandwidth), "reason": d.reason}
            for step, d in self._decisions
        ]
        return {
            "bandwidth": list(self._policy.reach),
            "reasons": [*reasons, summary, *others],
            "actions": actions,
        }

    def _append(self, step: int, decision: ControlStep) -> None:
        if decision.move is not Decision.NOTHING:
            self._decisions.append((step, decision))


def make_stopping(
    prepared: PreparedFit[Any],
    window: Window | Spread | None,
    folder: Path,
    record: xarray.Dataset | None = None,
) -> FitController | Keeping | None:
    """Return what ends a run and restores its best network: a controller, the rule of the held-out error, or None.

    Args:
        prepared: The fit.
        window: The part of a grid that rows are measured on.
        folder: The run directory.
        record: The rows of a run that is resumed, up to where it goes on.

    Raises:
        InputError: If a controller is asked for and cannot control this encoding or signal.
    """
    stopping = prepared.config.stopping
    if stopping.controller:
        controller = FitController(prepared, window, folder)
        if record is not None:
            controller.recall(record)
        return controller
    if not stopping.stop or not len(prepared.signal.held_out_index):
        return None
    return Keeping(folder, prepared.field, HeldOut(), record)
