"""Reads the same targets out of one layer after another, by held-out ridge regression."""

from __future__ import annotations

from typing import Protocol, final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.bands import Bands
from overtone.spectra.grid import GridTransform
from overtone.spectra.layers.folds import Folds
from overtone.spectra.layers.ridge import ridge
from overtone.spectra.layers.width import Width
from overtone.spectra.rows import rows
from overtone.spectra.sequence import SequenceTransform


class BandTransform(Protocol):
    """What takes samples to power per band: on a grid, scattered, on a graph, in sequences."""

    @property
    def bands(self) -> Bands:
        """The bands."""

    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients, linear in the values."""

    def power(self, coefficients: Tensor) -> Tensor:
        """(band, channel) power."""


@final
class Reader:
    """Reads the same targets out of one layer after another.

    Args:
        targets: (N, C) what to read out.
        transform: See `read_out`.
        width: How many features each read-out sees, and which.
        folds: Which samples it is fitted to.

    Attributes:
        count: N.
        target_power: (band, channel) float64, in squared units of the target.

    Raises:
        InputError: If the targets are not finite numbers, do not vary, or are not the samples of the transform.
    """

    def __init__(
        self, targets: Tensor | ArrayLike, transform: BandTransform, width: Width, folds: Folds
    ) -> None:
        self._targets = rows(targets, "targets")
        if not bool((self._targets != self._targets[:1]).any()):
            raise InputError("targets that vary", "constant targets", "pass what there is to find", "targets")
        self.count = len(self._targets)
        self._transform, self._width = transform, width
        self._fold = folds.members(self.count).to(self._targets.device)
        self.target_power = transform.power(transform.coefficients(_field(self._targets, transform)))

    def read(self, layer: Tensor) -> tuple[Tensor, int, list[float]]:
        """Power of targets less read-out; of a layer that does not vary, the read-out is the targets' mean.

        Args:
            layer: (N, features) finite float64 activations.

        Returns:
            (band, channel) power, the features used, and a penalty per fold.
        """
        layer, targets = layer.to(self._targets.device), self._targets
        found = torch.empty_like(targets)
        used, chosen = 0, []
        for number in range(int(self._fold.max()) + 1):
            inside = self._fold != number
            centred = layer - layer[inside].mean(0)
            reduced = self._width.reduce(centred[inside], centred)
            fit = ridge(reduced[inside], targets[inside])
            found[~inside] = fit.predict(reduced[~inside])
            used = reduced.shape[1]
            chosen.append(fit.penalty)
        transform = self._transform
        power = transform.power(transform.coefficients(_field(targets - found, transform)))
        return power, used, chosen


def _field(values: Tensor, transform: BandTransform) -> Tensor:
    """Rows in the shape that the transform takes.

    Raises:
        InputError: If they are not as many as its samples.
    """
    if isinstance(transform, GridTransform):
        shape: tuple[int, ...] = transform.lattice.shape
        if len(values) != transform.lattice.samples:
            raise InputError(
                f"{transform.lattice.samples} rows, one a sample of the grid {shape}",
                f"{len(values)}",
                "pass the activations of all samples in row-major order",
                "targets",
            )
    elif isinstance(transform, SequenceTransform):
        shape = (-1, transform.steps)
        if len(values) % transform.steps:
            raise InputError(
                f"whole sequences of {transform.steps} rows",
                f"{len(values)} rows",
                "pass the activations of all steps, sequence after sequence",
                "targets",
            )
    else:
        return values
    return values.reshape(*shape, values.shape[1])
