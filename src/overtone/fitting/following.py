"""Who follows a run, goes back to its best network and ends it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from overtone.early_stopping import HeldOut
from overtone.fitting.control import Control
from overtone.fitting.keeping import Keeping
from overtone.nn import Field
from overtone.probes import Spread, Window
from overtone.signals import Geometry, Signal
from overtone.spectra import NoiseFloor

if TYPE_CHECKING:
    import xarray


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
