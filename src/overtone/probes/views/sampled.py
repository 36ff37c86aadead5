"""The view of targets at given samples, through any transform that is linear in the values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, final

import numpy as np
import torch
from torch import Tensor

from overtone._utils.missing_values import entire
from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.probes.describe import describe_samples
from overtone.probes.samples import Batch, Samples
from overtone.probes.target import Target
from overtone.probes.view import Row, SampleView
from overtone.records import Header
from overtone.spectra import Bands


class Transform(Protocol):
    """From values at fixed samples to power per band; every transform of `overtone.spectra` has this form."""

    @property
    def bands(self) -> Bands:
        """The bands, in cycles per unit of the coordinate or feature."""

    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients of (N, ..., C) values, linear in them."""

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, C) power in squared units of the value."""


@final
class SampledView(SampleView):
    """Targets at samples, compared with a network's outputs there band by band.

    With F the transform, y the targets and h the outputs, a row holds the power of F(y - h) and, where the transform
    has a `cross`, Re<F(h), F(y)>; where it has none that reads NaN. Both are found from the residual alone, because F
    is linear.

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
        samples: Samples | Any,
        target: Target,
        transform: Transform,
        *,
        name: str,
        attrs: Mapping[str, Any],
        held_out: Tensor | None = None,
    ) -> None:
        self.samples = samples if isinstance(samples, Samples) else Batch(samples)
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
        cross = getattr(self.transform, "cross", None)
        if cross is not None:
            both = cross(coefficients, self._coefficients).cpu().double()
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
