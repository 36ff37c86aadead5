"""Views: ways of measuring what a network has learned, from its outputs at fixed inputs."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.probes._describe import describe_samples
from overtone.probes._inputs import Inputs, TensorInputs
from overtone.probes._targets import ProbeTarget
from overtone.records import Header
from overtone.spectra import Bands, BandTransform

Predict = Callable[[Inputs], Tensor]
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
    def asks(self) -> tuple[Inputs, ...]:
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


class OutputView(View):
    """A view that compares the outputs at fixed samples with what they should be.

    Attributes:
        samples: What the network is evaluated on.
    """

    samples: Inputs

    @property
    def asks(self) -> tuple[Inputs, ...]:
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


def as_views(watched: Any, kind: type, expected: str, do: str) -> tuple[Any, ...]:
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


def learned_frequency(
    header: Header, residual_power: np.ndarray, *, learned: float = 0.5, content: float = 1e-10
) -> float:
    """Upper edge of the bands learned without a gap, as `records.metrics.highest_learned` defines it.

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


class Metric(ABC):
    """From outputs at fixed samples to a row.

    Attributes:
        bands: The bands.
        channels: C names.
        target_power: (band, channel) what residual power is compared with; 0 where there is nothing to compare, and
            rows then hold the power itself.
    """

    bands: Bands
    channels: tuple[str, ...]
    target_power: NDArray[np.float64]

    @abstractmethod
    def check(self, outputs: Tensor) -> None:
        """Refuse outputs, of the first few samples, that cannot be measured.

        Raises:
            InputError: If their shape does not fit.
        """

    @abstractmethod
    def row(self, outputs: Tensor) -> Row:
        """`residual_power` (band, channel) and any others of a record's variables.

        Args:
            outputs: (M, ..., C) finite outputs at all samples.
        """


@final
class MetricView(OutputView):
    """Outputs at samples, measured.

    Args:
        samples: What the network is evaluated on, and what is read of it.
        measure: Made for these samples.
        name: Names the record.
        attrs: Attributes of the record: `frequency_unit`, `value_unit`, `estimator`, `kind` and others.
    """

    def __init__(self, samples: Inputs, measure: Metric, *, name: str, attrs: Mapping[str, Any]) -> None:
        self.name, self.samples, self.measure = name, samples, measure
        self._attrs = dict(attrs)

    def header(self, attrs: Mapping[str, Any]) -> Header:
        """What the measure compares with, and what the view was told about itself."""
        return Header(
            band_low=self.measure.bands.low,
            band_high=self.measure.bands.high,
            channels=self.measure.channels,
            static={"target_power": self.measure.target_power},
            attrs=describe_samples(self.name, self.samples.count) | self._attrs | dict(attrs),
        )

    def check(self, outputs: Tensor) -> None:
        """As the measure says."""
        self.measure.check(outputs)

    def compare(self, outputs: Tensor) -> Row:
        """What is measured; NaN throughout where an output is not finite."""
        self.measure.check(outputs)
        if not bool(outputs.isfinite().all()):
            return {"residual_power": np.full(self.measure.target_power.shape, math.nan)}
        return self.measure.row(outputs)


@final
class TransformView(OutputView):
    """Targets at samples, compared with a network's outputs there band by band.

    With F the transform, y the targets and h the outputs, a row holds the power of F(y - h) and the cross power
    Re<F(h), F(y)>. Both come from the residual alone, because F is linear.

    Args:
        samples: What the network is evaluated on.
        target: What its outputs should be.
        transform: Built for these samples.
        name: Names the record.
        attrs: Attributes of the record: `frequency_unit`, `estimator`, `kind` and others.
        held_out: (N,) bool, the samples that the network is not trained on, or None.

    Raises:
        InputError: If samples and targets do not fit.
    """

    def __init__(
        self,
        samples: Inputs | Any,
        target: ProbeTarget,
        transform: BandTransform,
        *,
        name: str,
        attrs: Mapping[str, Any],
        held_out: Tensor | None = None,
    ) -> None:
        self.samples = samples if isinstance(samples, Inputs) else TensorInputs(samples)
        if len(target.values) != self.samples.count:
            raise InputError(
                f"{self.samples.count} targets, one a sample",
                f"{len(target.values)}",
                "pass inputs and targets of the same samples",
                "targets",
            )
        self.name, self.target, self.transform = name, target, transform
        self._attrs = dict(attrs)
        self._held_out = _mask(held_out, self.samples.count)
        self._coefficients = transform.coefficients(target.values)
        self.target_power = transform.power(self._coefficients).cpu().double()

    def header(self, attrs: Mapping[str, Any]) -> Header:
        """Target power, and what the view was told about itself."""
        bands, values = self.transform.bands, self.target.values
        described = describe_samples(self.name, self.samples.count) | {
            "value_unit": self.target.unit,
            "peak": float(values.max() - values.min()),
        }
        if self.target.notes:
            described["notes"] = list(self.target.notes)
        return Header(
            band_low=bands.low,
            band_high=bands.high,
            channels=self.target.channels,
            static={"target_power": self.target_power.numpy()},
            attrs=described | self._attrs | dict(attrs),
        )

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs whose shape is not that of the targets."""
        self.target.read(outputs)

    def compare(self, outputs: Tensor) -> Row:
        """Powers and mean square errors; NaN throughout where an output is not finite."""
        values = self.target.values
        residual = values - self.target.read(outputs).to(values.dtype)
        square = residual.reshape(len(residual), -1).double().square().mean(1)
        row: Row = {"train_error": float(square[~self._held_out].mean())}
        if bool(self._held_out.any()):
            row["held_out_error"] = float(square[self._held_out].mean())
        if not bool(residual.isfinite().all()):
            return row | {"residual_power": np.full(tuple(self.target_power.shape), math.nan)}
        coefficients = self.transform.coefficients(residual)
        row["residual_power"] = self.transform.power(coefficients).cpu().double().numpy()
        both = self.transform.cross(coefficients, self._coefficients).cpu().double()
        row["cross_power"] = (self.target_power - both).numpy()
        return row


def _mask(held_out: Tensor | None, count: int) -> Tensor:
    if held_out is None:
        return torch.zeros(count, dtype=torch.bool, device="cpu")
    mask = as_tensor(entire(held_out, "held_out")).cpu()
    if mask.dtype != torch.bool or mask.shape != (count,) or bool(mask.all()):
        raise InputError(
            f"a bool mask of shape ({count},) that leaves samples to train on",
            f"{mask.dtype} of shape {tuple(mask.shape)}",
            "mark the samples that are kept out of training",
            "held_out",
        )
    return mask
