"""The view of any measure of a network's outputs at given samples."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from overtone.probes.describe import describe_samples
from overtone.probes.samples import Samples
from overtone.probes.view import Row, SampleView
from overtone.records import Header
from overtone.spectra import Bands


class Measure(ABC):
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
class MeasuredView(SampleView):
    """Outputs at samples, measured.

    Args:
        samples: What the network is evaluated on, and what is read of it.
        measure: Made for these samples.
        name: Names the record.
        attrs: Attributes of the record: `frequency_unit`, `value_unit`, `estimator`, `kind` and others.
    """

    def __init__(self, samples: Samples, measure: Measure, *, name: str, attrs: Mapping[str, Any]) -> None:
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
