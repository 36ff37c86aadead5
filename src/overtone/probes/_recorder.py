"""Base class of Probe and Observer: the records of a run and their rows."""

from __future__ import annotations

import math
import operator
from abc import ABC
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._run_writer import RunWriter
from overtone.probes._schedule import Schedule
from overtone.probes._view import Row
from overtone.records import load

if TYPE_CHECKING:
    import xarray


class RunRecorder(ABC):
    """Records that grow row by row, one for each view; a context manager that closes them.

    Args:
        log: Writes them.

    Attributes:
        schedule: When rows are due.
    """

    schedule: Schedule

    def __init__(self, log: RunWriter) -> None:
        self._log = log

    @property
    def path(self) -> Path:
        """File of the first view's record."""
        return self._log.path

    @property
    def faults(self) -> list[dict[str, Any]]:
        """What went wrong so far: `step`, `view` and `why`."""
        return list(self._log.faults)

    @property
    def record(self) -> xarray.Dataset:
        """What has been recorded so far by the first view."""
        return load(self.path)

    @property
    def records(self) -> dict[str, xarray.Dataset]:
        """What has been recorded so far, by name of the view."""
        return self._log.records

    def _append(
        self,
        step: int,
        loss: float | Tensor | None,
        learning_rate: float | None,
        measure: Mapping[str, Callable[[], Row]],
    ) -> None:
        """Write a row to every record: NaN for what is not known, infinity for a loss that is not a number."""
        known = {"loss": loss, "learning_rate": learning_rate}
        self._log.append(step, {name: _number(name, value) for name, value in known.items()}, measure)

    def close(self) -> None:
        """Close the records' files. They stay readable."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _number(name: str, value: float | Tensor | None) -> float:
    plain = value.detach() if isinstance(value, Tensor) else value
    try:
        found = math.nan if plain is None else float(plain)
    except (TypeError, ValueError, RuntimeError) as refused:
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
        raise InputError(
            "one number", f"{type(value).__name__}{shape}", "pass its mean, or None", name
        ) from refused
    broken = name == "loss" and plain is not None and math.isnan(found)
    return math.inf if broken else found


_BEYOND = 1 << 63


def step_number(step: Any) -> int:
    """A step as an int: from an integer of Python, NumPy or torch, or a floating-point number without a fraction.

    Args:
        step: Optimizer steps taken so far, 0 or more.

    Raises:
        InputError: If it is no such number.
    """
    number = _integer(step)
    if number is None or not 0 <= number < _BEYOND:
        shown = f"{type(step).__name__} of shape {tuple(step.shape)}" if _many(step) else repr(step)
        raise InputError(
            "a whole number of steps, 0 or more", shown[:80], "count optimizer steps from 0", "step"
        )
    return number


def _integer(step: Any) -> int | None:
    if _many(step):
        return None
    try:
        plain: Any = step.item() if isinstance(step, Tensor | np.ndarray) else step
    except RuntimeError:  # a tensor without values, on the device "meta"
        return None
    if isinstance(plain, bool | np.bool_):
        return None
    try:
        return operator.index(plain)
    except TypeError:
        value = float(plain) if isinstance(plain, Real) else math.nan
    return int(value) if math.isfinite(value) and value.is_integer() else None


def _many(step: Any) -> bool:
    return (
        isinstance(step, Tensor | np.ndarray)
        and (step.numel() if isinstance(step, Tensor) else step.size) != 1
    )
