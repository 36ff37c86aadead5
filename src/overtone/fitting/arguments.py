"""What users may write for an argument, turned into the one form that the code works with."""

from __future__ import annotations

from typing import TypeVar

import torch

from overtone._utils.numbers import as_float, short
from overtone.errors import InputError
from overtone.signals import Geometry, Signal, masks

G = TypeVar("G", bound=Geometry)

DEVICES = ("cpu", "cuda", "xpu", "mps")
"""Kinds of devices that hold numbers and train."""


def find_device(device: str | torch.device) -> torch.device:
    """The device called `device`; "auto" is a GPU if there is one.

    Raises:
        InputError: If there is no such device.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        if found.type in DEVICES:
            torch.empty(1, device=found)
            return found
        reason = f"not one of {', '.join(DEVICES)}"
    except (RuntimeError, AssertionError, TypeError, ValueError) as problem:
        known = str(device).partition(":")[0] in DEVICES
        reason = str(problem).splitlines()[0].partition(". ")[0].rstrip(".")
        reason = reason[:100] if known else f"not one of {', '.join(DEVICES)}"
    raise InputError("a device that is there", f"{str(device)!r} ({reason})", "pass auto or cpu", "device")


def hold_out(signal: Signal[G], fraction: float, seed: int) -> Signal[G]:
    """The signal with that fraction of its samples kept out of training, unless it has a mask of its own.

    Args:
        signal: The signal.
        fraction: From 0 (nothing is held out) to below 1.
        seed: Seeds the choice of samples.

    Raises:
        InputError: If the fraction is none.
    """
    if not 0 <= as_float(fraction) < 1:
        raise InputError("a fraction from 0 to below 1", short(fraction), "pass for instance 0.1", "held_out")
    if signal.held_out is not None or fraction == 0:
        return signal
    return signal.with_held_out(masks.random(signal.geometry, fraction, seed))
