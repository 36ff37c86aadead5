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

_STEP_LIMIT = 1 << 63
"""Steps are stored as signed integers of 64 bits."""


class RunRecorder(ABC):
    """Records that grow row by row, one for each view; closed on leaving a `with` block.

    Args:
        writer: Writer of the records.

    Attributes:
        schedule: Steps at which rows are due.
    """

    schedule: Schedule

    def __init__(self, writer: RunWriter) -> None:
        self._writer = writer

    @property
    def path(self) -> Path:
        """File of the first view's record."""
        return self._writer.path

    @property
    def faults(self) -> list[dict[str, Any]]:
        """Errors so far, each with `step`, `view` and `why`."""
        return list(self._writer.faults)

    @property
    def record(self) -> xarray.Dataset:
        """The first view's record so far."""
        return load(self.path)

    @property
    def records(self) -> dict[str, xarray.Dataset]:
        """The records so far, by name of the view."""
        return self._writer.records

    def _append(
        self,
        step: int,
        loss: float | Tensor | None,
        learning_rate: float | None,
        measure: Mapping[str, Callable[[], Row]],
    ) -> None:
        """Write a row to every record: unknown values as NaN, a loss that is not a number as infinity."""
        known = {"loss": loss, "learning_rate": learning_rate}
        self._writer.append(step, {name: _number(name, value) for name, value in known.items()}, measure)

    def close(self) -> None:
        """Close the records' files, which remain readable."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _number(name: str, value: float | Tensor | None) -> float:
    plain = value.detach() if isinstance(value, Tensor) else value
    try:
        number = math.nan if plain is None else float(plain)
    except (TypeError, ValueError, RuntimeError) as error:
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
        raise InputError(
            "one number", f"{type(value).__name__}{shape}", "pass its mean, or None", name
        ) from error
    # NaN means "unknown" in a record, so a diverged loss is stored as infinity.
    diverged = name == "loss" and plain is not None and math.isnan(number)
    return math.inf if diverged else number


def step_number(step: Any) -> int:
    """Return a step as an int, from an integer of Python, NumPy or torch or a float without a fraction.

    Args:
        step: Optimizer steps taken so far, 0 or more.

    Raises:
        InputError: If it is not such a number.

    Example:
        >>> step_number(3.0), step_number(np.int32(4))
        (3, 4)
    """
    number = _integer(step)
    if number is None or not 0 <= number < _STEP_LIMIT:
        text = f"{type(step).__name__} of shape {tuple(step.shape)}" if _has_many(step) else repr(step)
        raise InputError(
            "a whole number of steps, 0 or more", text[:80], "count optimizer steps from 0", "step"
        )
    return number


def _integer(step: Any) -> int | None:
    if _has_many(step):
        return None
    try:
        plain: Any = step.item() if isinstance(step, Tensor | np.ndarray) else step
    except RuntimeError:  # a tensor on the device "meta" has no values
        return None
    if isinstance(plain, bool | np.bool_):
        return None
    try:
        return operator.index(plain)
    except TypeError:
        value = float(plain) if isinstance(plain, Real) else math.nan
    return int(value) if math.isfinite(value) and value.is_integer() else None


def _has_many(step: Any) -> bool:
    """Return whether a step is an array with a size other than one."""
    if isinstance(step, Tensor):
        return step.numel() != 1
    return isinstance(step, np.ndarray) and step.size != 1
