"""Views: measurements of a network's learning from its outputs at fixed inputs."""

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
from overtone.probes._residual import residual_of
from overtone.probes._targets import ProbeTarget
from overtone.records import Header
from overtone.spectra import Bands, BandTransform

Predict = Callable[[Inputs], Tensor]
"""Function that evaluates the network in chunks, leaves it unchanged, and returns outputs (M, ..., C) on the CPU."""

Row = dict[str, Any]
"""`residual_power` (band, channel) and other per-step variables of a record. Three entries are stored elsewhere:
`margins`, half the widths of 95 % intervals by variable, in the record's attribute of that name; `arrays`, by name, as
snapshots of the step; `pictures`, by name, as snapshots at steps that grow by a factor and at the last one, "target"
once."""


class View(ABC):
    """A measurement of a network, constructed from the targets and evaluated at every recorded step.

    A probe holds any number of views and writes one record for each.

    Attributes:
        name: Name of its record: letters, digits, dots, dashes and underscores.
    """

    name: str

    @property
    def required_inputs(self) -> tuple[Inputs, ...]:
        """Return the inputs of every row; several processes exchange the outputs of all views in one message."""
        return ()

    @abstractmethod
    def header(self, attrs: Mapping[str, Any]) -> Header:
        """Return the header of its record, with further attributes.

        Args:
            attrs: Attributes of the network and the run; they replace the view's attributes.
        """

    @abstractmethod
    def row(self, predict: Predict) -> Row:
        """Return the measured part of a row.

        Args:
            predict: Evaluates the network. Called with the same inputs at every row, so that several processes
                can share the work.
        """


class OutputView(View):
    """A view of the network's outputs at fixed inputs.

    Attributes:
        inputs: Inputs at which the network is evaluated.
    """

    inputs: Inputs

    @property
    def required_inputs(self) -> tuple[Inputs, ...]:
        """Return the inputs of the view."""
        return (self.inputs,)

    @abstractmethod
    def compare(self, outputs: Tensor) -> Row:
        """Return the measured part of a row.

        Args:
            outputs: (M, ..., C) outputs of the network at `inputs`.

        Raises:
            InputError: If the shape of the outputs does not match the targets.
        """

    @abstractmethod
    def check(self, outputs: Tensor) -> None:
        """Refuse unsuitable outputs of the first few samples.

        Raises:
            InputError: If the shape of the outputs does not match the targets.
        """

    def row(self, predict: Predict) -> Row:
        """Evaluate the network at the inputs and compare the outputs."""
        return self.compare(predict(self.inputs))


def as_views(watched: Any, kind: type, expected: str, do: str) -> tuple[Any, ...]:
    """Return one view or several as a tuple.

    Args:
        watched: A view or a list of views.
        kind: Class of the views.
        expected: Accepted views, for the error.
        do: Advice for the error.

    Raises:
        InputError: If an entry is not of that class.
    """
    entries = tuple(watched) if isinstance(watched, list | tuple) else (watched,)
    if not all(isinstance(view, kind) for view in entries):
        names = dict.fromkeys(type(view).__name__ for view in entries)
        raise InputError(expected, ", ".join(names), do, "watched")
    return entries


class Metric(ABC):
    """Measure of a network's outputs at fixed inputs, for a `MetricView`.

    Attributes:
        bands: The bands.
        channels: C names.
        target_power: (band, channel) reference of the residual power; 0 without a target, when rows hold the power
            itself.
        noise_power: (band, channel) power of noise in the target; None where it is unknown.
    """

    bands: Bands
    channels: tuple[str, ...]
    target_power: NDArray[np.float64]
    noise_power: NDArray[np.float64] | None = None

    @abstractmethod
    def check(self, outputs: Tensor) -> None:
        """Refuse unsuitable outputs of the first few samples.

        Raises:
            InputError: If the shape of the outputs does not fit.
        """

    @abstractmethod
    def row(self, outputs: Tensor) -> Row:
        """Return `residual_power` (band, channel) and other variables of a record.

        Args:
            outputs: (M, ..., C) finite outputs at all inputs.
        """


@final
class MetricView(OutputView):
    """View of any metric of a network's outputs at fixed inputs.

    Args:
        inputs: Inputs of the network.
        metric: Metric of the outputs at these inputs; it provides `check`, `row`, `bands`, `channels` and
            `target_power`.
        name: Name of the record.
        attrs: Attributes of the record: `frequency_unit`, `value_unit`, `estimator`, `kind` and others.
    """

    def __init__(self, inputs: Inputs, metric: Metric, *, name: str, attrs: Mapping[str, Any]) -> None:
        self.name, self.inputs, self.metric = name, inputs, metric
        self._attrs = dict(attrs)

    def header(self, attrs: Mapping[str, Any]) -> Header:
        """Return bands, channels, target and noise power of the metric, and the view's attributes."""
        noise = self.metric.noise_power
        return Header(
            band_low=self.metric.bands.low,
            band_high=self.metric.bands.high,
            channels=self.metric.channels,
            static={"target_power": self.metric.target_power}
            | ({} if noise is None else {"noise_power": noise}),
            attrs=describe_samples(self.name, self.inputs.count) | self._attrs | dict(attrs),
        )

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs that the metric does not accept."""
        self.metric.check(outputs)

    def compare(self, outputs: Tensor) -> Row:
        """Return the metric's row; NaN in all bands if an output is not finite."""
        self.metric.check(outputs)
        if not bool(outputs.isfinite().all()):
            return {"residual_power": np.full(self.metric.target_power.shape, math.nan)}
        return self.metric.row(outputs)


@final
class TransformView(OutputView):
    """View that compares a network's outputs at fixed inputs with targets, band by band.

    With F the transform, y the targets and h the outputs, a row holds the power of F(y - h) and the cross power
    Re<F(h), F(y)>. Both come from the residual alone, because F is linear.

    Args:
        inputs: Inputs of the network.
        target: The targets at these inputs.
        transform: Transform for these samples.
        name: Name of the record.
        attrs: Attributes of the record: `frequency_unit`, `estimator`, `kind` and others.
        held_out: (N,) bool, the samples excluded from the training, or None.

    Raises:
        InputError: If inputs and targets do not match.

    Example:
        >>> import torch
        >>> from overtone.probes import Values
        >>> from overtone.spectra import PointsTransform
        >>> x = torch.linspace(0, 1, 65)[:-1, None]
        >>> view = TransformView(x, Values(x.sin()), PointsTransform(x, domain=[0, 1]), name="sine", attrs={})
        >>> sorted(view.compare(torch.zeros(64, 1)))
        ['cross_power', 'residual_power', 'train_error']
    """

    def __init__(
        self,
        inputs: Inputs | Any,
        target: ProbeTarget,
        transform: BandTransform,
        *,
        name: str,
        attrs: Mapping[str, Any],
        held_out: Tensor | None = None,
    ) -> None:
        self.inputs = inputs if isinstance(inputs, Inputs) else TensorInputs(inputs)
        if len(target.values) != self.inputs.count:
            raise InputError(
                f"{self.inputs.count} targets, one per sample",
                f"{len(target.values)}",
                "pass inputs and targets of the same samples",
                "targets",
            )
        self.name, self.target, self.transform = name, target, transform
        self._attrs = dict(attrs)
        self._held_out = held_out_mask(held_out, self.inputs.count)
        self._coefficients = transform.coefficients(target.values)
        self.target_power = transform.power(self._coefficients).cpu().double()

    def header(self, attrs: Mapping[str, Any]) -> Header:
        """Return bands, channels and target power, and the view's attributes."""
        bands, values = self.transform.bands, self.target.values
        described = describe_samples(self.name, self.inputs.count) | {
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
        """Return powers and mean square errors; the powers are NaN if an output is not finite."""
        values = self.target.values
        predictions = self.target.read(outputs)
        error = values - predictions.to(values.dtype)
        square = error.reshape(len(error), -1).double().square().mean(1)
        residual = residual_of(values, predictions)
        row: Row = {"train_error": float(square[~self._held_out].mean())}
        if bool(self._held_out.any()):
            row["held_out_error"] = float(square[self._held_out].mean())
        if not bool(residual.isfinite().all()):
            return row | {"residual_power": np.full(tuple(self.target_power.shape), math.nan)}
        # F is linear: with r = y - h, Re<F(h), F(y)> = |F(y)|^2 - Re<F(r), F(y)>, so one transform serves both.
        coefficients = self.transform.coefficients(residual)
        row["residual_power"] = self.transform.power(coefficients).cpu().double().numpy()
        shared = self.transform.cross(coefficients, self._coefficients).cpu().double()
        row["cross_power"] = (self.target_power - shared).numpy()
        return row


def held_out_mask(held_out: Tensor | None, count: int) -> Tensor:
    """Return the (N,) bool mask of held-out samples.

    Raises:
        InputError: If it does not fit the samples, or leaves none for training.
    """
    if held_out is None:
        return torch.zeros(count, dtype=torch.bool, device="cpu")
    mask = as_tensor(entire(held_out, "held_out")).cpu()
    if mask.dtype != torch.bool or mask.shape != (count,) or bool(mask.all()):
        raise InputError(
            f"a bool mask of shape ({count},) that leaves samples for training",
            f"{mask.dtype} of shape {tuple(mask.shape)}",
            "mark the samples that are excluded from the training",
            "held_out",
        )
    return mask
