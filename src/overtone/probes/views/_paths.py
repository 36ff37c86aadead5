"""View of a network's outputs along paths between samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone.errors import InputError
from overtone.probes._inputs import Inputs
from overtone.probes._targets import Values
from overtone.probes._view import Metric, MetricView, OutputView, Row, TransformView
from overtone.spectra import Bands
from overtone.spectra.paths import Paths, PathUnit
from overtone.spectra.paths._spectrum import PathTransform

_PER_PATH = PathUnit.per_path()


def paths(
    along: Paths,
    targets: Callable[[Tensor], Any] | None = None,
    *,
    samples: int = 32,
    unit: PathUnit = _PER_PATH,
    bands: Bands | Sequence[float] | None = None,
    name: str = "paths",
) -> OutputView:
    """Measure outputs along paths through the inputs, as `spectra.paths.path_spectrum` does.

    With targets along the paths, a row compares the outputs with them. Without targets `residual_power` is the power
    of the outputs, summed over all of them, and the record's target power is 0.

    Args:
        along: The paths, for instance `spectra.paths.Paths.between_classes(inputs, labels, 32)`.
        targets: Function from inputs (M, ...) to values (M, C), such as a teacher or a formula; None for no targets.
        samples: Positions on each path.
        unit: `PathUnit.per_path()` or `PathUnit.per_length()` of `spectra.paths`.
        bands: Bands in cycles per unit.
        name: Name of the record.

    Raises:
        InputError: If there are fewer than two positions, or the targets are not one row of finite numbers per
        position.

    Example:
        >>> import torch
        >>> from overtone.probes import views
        >>> from overtone.spectra.paths import Paths
        >>> line = Paths.straight(torch.zeros(1, 2), torch.ones(1, 2))
        >>> header = views.paths(line, lambda x: torch.cos(2 * torch.pi * 3 * x[:, :1])).header({})
        >>> strongest = header.static["target_power"].argmax()
        >>> float(header.band_low[strongest]), float(header.band_high[strongest])  # three cycles per path
        (2.75, 3.25)
    """
    if not isinstance(along, Paths):
        raise InputError(
            "paths",
            type(along).__name__,
            "make paths, for instance by spectra.paths.Paths.between_classes(inputs, labels, 32)",
            "along",
        )
    # Positions are evenly spaced along each path: one transform serves all paths.
    transform = PathTransform(along, samples, unit=unit, bands=bands)
    places = PathInputs(along, samples)
    attrs = {
        "estimator": transform.estimator,
        "frequency_unit": f"cycles per {unit.name}",
        "kind": "paths",
        "geometry": {"samples": places.count, "paths": len(along)},
    }
    if targets is None:
        return MetricView(places, PathPowerMetric(transform), name=name, attrs=attrs)
    target = Values(targets(along.inputs(samples, slice(0, places.count))))
    return TransformView(places, target, transform, name=name, attrs=attrs)


@final
class PathInputs(Inputs):
    """Inputs at evenly spaced positions of paths, computed on demand.

    Args:
        along: The paths.
        samples: Positions on each path.
    """

    def __init__(self, along: Paths, samples: int) -> None:
        self._along, self._samples = along, samples

    @property
    def count(self) -> int:
        """Number of positions on all paths."""
        return len(self._along) * self._samples

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Tensor:
        """Return (end - begin, ...) inputs, path after path."""
        inputs = self._along.inputs(self._samples, slice(begin, end)).to(device)
        return inputs if dtype is None else inputs.to(dtype)

    def arrays(self) -> NDArray[np.floating]:
        """Return all inputs."""
        return self._along.inputs(self._samples, slice(0, self.count)).cpu().numpy()


@final
class PathPowerMetric(Metric):
    """Power of the outputs along paths, summed over all outputs.

    Args:
        transform: Transform along the paths.
    """

    def __init__(self, transform: PathTransform) -> None:
        self._transform = transform
        self.bands, self.channels = transform.bands, ("all outputs",)
        self.target_power = np.zeros((self.bands.count, 1))

    def check(self, outputs: Tensor) -> None:
        """Accept outputs of any shape."""

    def row(self, outputs: Tensor) -> Row:
        """Return the power of the outputs; the cross power is 0 without a target."""
        power_each = self._transform.power(self._transform.coefficients(outputs.flatten(1)))
        power = power_each.sum(1, keepdim=True).numpy()
        return {"residual_power": power, "cross_power": np.zeros_like(power)}
