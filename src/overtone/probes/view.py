"""A view: one way of measuring what a network has learned, from its outputs at samples of its own choice."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from overtone.errors import InputError
from overtone.probes.samples import Samples
from overtone.records import Header

Predict = Callable[[Samples], Tensor]
"""Evaluates the network, untouched and in chunks, and returns its outputs (M, ..., C) on the CPU."""

Row = dict[str, Any]
"""`residual_power` (band, channel) and any others of a record's per-step variables; `margins`, if there are any, go
into the record's attribute of that name: half the widths of 95 % intervals, by variable."""


class View(ABC):
    """Built once from what is to be learned, then asked for a row at every recorded step.

    A probe holds any number of views and writes one record for each.

    Attributes:
        name: Names its record; letters, digits, dots, dashes and underscores.
    """

    name: str

    @property
    def asks(self) -> tuple[Samples, ...]:
        """Samples whose outputs every row needs; what several processes find of them travels in one message."""
        return ()

    @abstractmethod
    def header(self, attrs: Mapping[str, Any]) -> Header:
        """What its record is opened with, with further attributes.

        Args:
            attrs: Attributes of the network and the run; they replace the view's own.
        """

    @abstractmethod
    def row(self, predict: Predict) -> Row:
        """The measured part of a row.

        Args:
            predict: Evaluates the network. Called with the same samples at every row, so that several processes
                can share the work.
        """


class SampleView(View):
    """A view that compares the outputs at fixed samples with what they should be.

    Attributes:
        samples: What the network is evaluated on.
    """

    samples: Samples

    @property
    def asks(self) -> tuple[Samples, ...]:
        """The samples."""
        return (self.samples,)

    @abstractmethod
    def compare(self, outputs: Tensor) -> Row:
        """The measured part of a row.

        Args:
            outputs: (M, ..., C) outputs of the network at `samples`.

        Raises:
            InputError: If their shape does not fit the targets.
        """

    @abstractmethod
    def check(self, outputs: Tensor) -> None:
        """Refuse outputs, of the first few samples, that cannot be compared.

        Raises:
            InputError: If their shape does not fit the targets.
        """

    def row(self, predict: Predict) -> Row:
        """Evaluate the network at the samples and compare."""
        return self.compare(predict(self.samples))


def views_of(watched: Any, kind: type, expected: str, do: str) -> tuple[Any, ...]:
    """One view or several, as a tuple.

    Args:
        watched: What was given.
        kind: What the views have to be.
        expected: The same in words.
        do: What the user can do about it.

    Raises:
        InputError: If something else was given.
    """
    given = tuple(watched) if isinstance(watched, list | tuple) else (watched,)
    if not all(isinstance(view, kind) for view in given):
        found = dict.fromkeys(type(view).__name__ for view in given)
        raise InputError(expected, ", ".join(found), do, "watched")
    return given


def reach(
    header: Header, residual_power: np.ndarray, *, learned: float = 0.5, content: float = 1e-10
) -> float:
    """Upper edge of the bands learned without a gap, as `records.derived.highest_learned` defines it.

    Args:
        header: Bands and target power of the record.
        residual_power: (band, channel) of the row.
        learned: Relative error below which a band counts as learned.
        content: Share of the power outside the mean below which a band holds nothing to learn.

    Returns:
        A frequency in the record's unit, NaN if not even the lowest band is learned.
    """
    target, residual = header.static["target_power"].sum(1), residual_power.sum(1)
    held = target > content * target[1:].sum()
    unlearned = held & ~(residual < learned**2 * target)
    first = int(np.argmax(unlearned)) if unlearned.any() else len(held)
    done = np.flatnonzero(held[:first])
    return float(header.band_high[done[-1]]) if done.size else float("nan")
