"""A fit under a controller: `controller` fed with the rows that the probe measures anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch

from overtone._utils.text import per_axis, plural
from overtone.controller import ControlStep, Decision
from overtone.controller._controller import stopping_rule_for
from overtone.controller._encoding_bandwidth import EncodingBandwidth
from overtone.controller._policy import ControllerPolicy
from overtone.controller._target_spectrum import TargetSpectrum
from overtone.early_stopping import HeldOut
from overtone.early_stopping._monitor import Row, record_rows
from overtone.errors import InputError
from overtone.fitting.keeping import Keeping
from overtone.nn import Field
from overtone.planning import recommend_bandwidth
from overtone.probes import LogSchedule, Spread, Window
from overtone.probes.views._grid import make_measurement
from overtone.signals import Geometry, Signal, require_grid
from overtone.spectra import NoiseFloor

if TYPE_CHECKING:
    import xarray


@final
class Control:
    """Steers a run from row to row; whatever it decides follows from the rows, so that a resumed run decides alike.

    Args:
        signal: What is learned, on a grid.
        field: The network in training; its encoding is set to the first reach.
        optimizer: In training.
        window: What of the grid rows are measured on.
        noise: The noise floor.
        folder: The run directory, for the networks to go back to.
        stop: Whether it may go back and end the run.

    Attributes:
        ended: Whether the last row that was recalled ended the run.

    Raises:
        InputError: If the signal is scattered, or the encoding can be neither rescaled nor windowed.
    """

    def __init__(
        self,
        signal: Signal[Geometry],
        field: Field,
        optimizer: torch.optim.Optimizer,
        window: Window | Spread | None,
        noise: NoiseFloor | None,
        folder: Path,
        stop: bool,
    ) -> None:
        signal = require_grid(signal, "the controller", "leave the controller out", "controller")
        if noise is None or window is None:
            raise InputError("a noise floor and a window", "none", "leave the controller out", "controller")
        self._unit = signal.geometry.frequency_unit
        spectrum = TargetSpectrum(make_measurement(replace(signal, clean=None), window), noise)
        wanted = recommend_bandwidth(signal, noise).bandwidth
        lever = EncodingBandwidth.of(field, spectrum.begin(wanted, field.bandwidth))
        rule = stopping_rule_for(signal, spectrum) if stop else None
        keeper = None if rule is None else (lambda: Keeping(folder, field, rule))
        grid = signal.geometry
        self._first = lever.reach
        self._steering = ControllerPolicy(
            spectrum, lever, spectrum.furthest(wanted, grid), grid.extent, optimizer, keeper
        )
        self._actions: list[tuple[int, ControlStep]] = []
        self._said = 0
        self.ended = False

    def recall(self, record: xarray.Dataset) -> None:
        """Take note of the rows of a run that goes on.

        Args:
            record: Up to where it goes on.
        """
        for step, row in record_rows(record):
            if not LogSchedule().due(step):
                self._steering.recall_last(step, row)
                continue
            action = self._steering.recall(step, row)
            self._note(step, action)
            self.ended = action.stop
        self._said = len(self._actions)

    def update(self, step: int, row: Row) -> bool:
        """Act on a row; whether to end the run.

        The row that ends a session between two others is judged but not acted on: a run that goes on has not got it.
        """
        if not LogSchedule().due(step):
            self._steering.judge(step, row)
            return False
        action = self._steering.update(step, row)
        self._note(step, action)
        return action.stop

    def restore(self) -> int | None:
        """Put the best network back; the step of the run that it was at, None where nothing could be judged."""
        best = self._steering.finish()
        return None if best is None else self._steering.at(best)

    def news(self) -> list[str]:
        """Sentences on what was done since the last call."""
        fresh = [action.reason for _, action in self._actions[self._said :]]
        self._said = len(self._actions)
        return fresh

    def attributes(self, reasons: Sequence[str]) -> dict[str, Any]:
        """What goes into the record: where the reach ended, every action, and sentences after `reasons`."""
        opened = sum(action.move is Decision.WIDEN for _, action in self._actions)
        told = f"The controller began at {per_axis(self._first)} {self._unit}"
        told += f" and reached further {plural(opened, 'time')}." if opened else " and stayed there."
        turns = [action.reason for _, action in self._actions if action.move is not Decision.WIDEN]
        listed = [
            {"step": step, "move": a.move.value, "bandwidth": list(a.bandwidth), "reason": a.reason}
            for step, a in self._actions
        ]
        return {
            "bandwidth": list(self._steering.reach),
            "reasons": [*reasons, told, *turns],
            "actions": listed,
        }

    def _note(self, step: int, action: ControlStep) -> None:
        if action.move is not Decision.NOTHING:
            self._actions.append((step, action))


def follow(
    signal: Signal[Geometry],
    field: Field,
    optimizer: torch.optim.Optimizer,
    window: Window | Spread | None,
    noise: NoiseFloor | None,
    folder: Path,
    *,
    stop: bool,
    controller: bool,
    record: xarray.Dataset | None = None,
) -> Control | Keeping | None:
    """A controller, or the rule of the held-out error, or nobody.

    Args:
        signal: What is learned.
        field: The network in training.
        optimizer: In training.
        window: What of a grid rows are measured on.
        noise: The noise floor of a signal on a grid.
        folder: The run directory.
        stop: Whether the run may go back and end.
        controller: Whether it is steered.
        record: Of a run that goes on: its rows up to where it goes on.

    Raises:
        InputError: If it cannot be steered.
    """
    if controller:
        control = Control(signal, field, optimizer, window, noise, folder, stop)
        if record is not None:
            control.recall(record)
        return control
    return Keeping(folder, field, HeldOut(), record) if stop and len(signal.held_out_index) else None
