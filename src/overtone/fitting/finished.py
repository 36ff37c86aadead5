"""A run that is resumed with nothing left to do: it stays what it was, and is handed back as it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from overtone._training import Checkpoint, Ending, Outcome, TrainingConfig
from overtone.errors import InputError
from overtone.fitting.control import Control
from overtone.fitting.directory import RunDirectory
from overtone.fitting.keeping import Keeping
from overtone.fitting.run import Run
from overtone.nn import Field
from overtone.signals import Geometry, Signal

if TYPE_CHECKING:
    import xarray


def nothing_left(
    begun: TrainingConfig, longer: TrainingConfig, checkpoint: Checkpoint, record: xarray.Dataset, where: str
) -> str | None:
    """Why a run has nothing left to do, in words; None if it has.

    Args:
        begun: The training that the run has had.
        longer: The training with the budget that it is to have now.
        checkpoint: Where it is.
        record: Its record.
        where: The run directory, for the error.

    Raises:
        InputError: If it was stopped early and is to go on for less than it has had.
    """
    step = checkpoint.step
    if record.attrs.get("complete") is True:
        if record.attrs.get("ending") == Ending.OBSERVER.value:
            return f"it ended at step {step}, since there was nothing more to gain"
        if longer.used_up(step, checkpoint.seconds):
            return f"its {longer.budget} are used, at step {step}; give it more by --steps or --time"
    elif longer.used_up(step, checkpoint.seconds) and not begun.used_up(step, checkpoint.seconds):
        raise InputError(
            f"a budget beyond step {step} and {checkpoint.seconds:.3g} s, where the run was stopped",
            longer.budget,
            f"leave it out to go on to {begun.budget}",
            where,
        )
    return None


def as_it_was(
    directory: RunDirectory,
    signal: Signal[Geometry],
    field: Field,
    optimizer: torch.optim.Optimizer,
    follower: Control | Keeping | None,
    checkpoint: Checkpoint,
    record: xarray.Dataset,
) -> Run:
    """The run as it ended: no file of it is touched.

    Args:
        directory: Where it is.
        signal: What was learned.
        field: The network, built anew; it gets the state that was handed back before.
        optimizer: Of that network.
        follower: Who chose the network to hand back; has seen all rows.
        checkpoint: The state at the end.
        record: What was seen.

    Raises:
        InputError: If the network that was handed back is missing or damaged.
    """
    checkpoint.restore(field, optimizer)
    if follower is not None:
        follower.restore()
    seconds = float(record.attrs.get("seconds") or checkpoint.seconds)
    return Run(
        directory,
        signal,
        field,
        Outcome(checkpoint.step, seconds, Ending(record.attrs["ending"])),
        unchanged=True,
    )
