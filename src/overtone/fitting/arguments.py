"""What users may write for an argument, turned into the one form that the code works with."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

import torch

from overtone.errors import InputError
from overtone.nn import Activation

Choice = TypeVar("Choice", bound=Enum)

DEVICES = ("cpu", "cuda", "xpu", "mps")
"""Kinds of devices that hold numbers and train."""


def member(kind: type[Choice], value: Choice | str, name: str) -> Choice:
    """A member of an enum, given itself or its value.

    Raises:
        InputError: If there is no such member; lists those there are.
    """
    known = [choice.value for choice in kind]
    if not isinstance(value, kind) and value not in known:
        raise InputError(f"one of {', '.join(known)}", f"{value!r}", "choose one of them", name)
    return kind(value)


def activations(choice: Activation | str | Sequence[Activation | str]) -> tuple[Activation, ...]:
    """One activation, or one per hidden layer."""
    several = [choice] if isinstance(choice, Activation | str) else choice
    return tuple(member(Activation, one, "activation") for one in several)


def per_axis(bandwidth: float | Sequence[float] | None) -> tuple[float, ...] | None:
    """One number or one per axis, as a tuple; None stays None."""
    if bandwidth is None:
        return None
    return (float(bandwidth),) if isinstance(bandwidth, int | float) else tuple(float(b) for b in bandwidth)


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
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        known = str(device).partition(":")[0] in DEVICES
        reason = str(problem).splitlines()[0].partition(". ")[0].rstrip(".")
        reason = reason[:100] if known else f"not one of {', '.join(DEVICES)}"
    raise InputError("a device that is there", f"{str(device)!r} ({reason})", "pass auto or cpu", "device")
