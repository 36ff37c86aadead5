"""Error of a linear read-out of each layer per band of frequency: do early layers hold the low frequencies?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra.bands import Bands
from overtone.spectra.grid import GridTransform
from overtone.spectra.layers.folds import Folds
from overtone.spectra.layers.ridge import ridge
from overtone.spectra.layers.width import Projected, Width
from overtone.spectra.rows import rows
from overtone.spectra.sequence import SequenceTransform

_PROJECTED = Projected()
_FOLDS = Folds()


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
@dataclass(frozen=True)
class ReadOut:
    """What a linear read-out finds in each layer, judged on samples that it was not fitted to.

    Attributes:
        layers: Their names, in the order given.
        bands: The transform's bands.
        target_power: (band, channel) float64, in squared units of the target.
        residual_power: (layer, band, channel) float64 power of target less read-out.
        features: (layer,) features that each read-out used.
        penalty: (layer, fold) float64 penalty chosen, in units of the mean square of the singular values.
    """

    layers: tuple[str, ...]
    bands: Bands
    target_power: Tensor
    residual_power: Tensor
    features: tuple[int, ...]
    penalty: Tensor

    @property
    def relative_error(self) -> Tensor:
        """(layer, band, channel) sqrt(residual / target power): 0 all found, about 1 nothing; NaN without target."""
        share = self.residual_power / self.target_power
        return torch.where(self.target_power > 0, share, float("nan")).sqrt()

    def reach(self, threshold: float = 0.5, least: float = 1e-3) -> Tensor:
        """(layer, channel) float64 frequency up to which every band that counts has an error below `threshold`.

        The upper edge of the last such band, in the transform's unit; 0 if the first one fails.

        Args:
            threshold: Relative error below which a band is held.
            least: Share of the target's power below which a band does not count.
        """
        idle = self.target_power <= least * self.target_power.sum(0)
        held = (self.residual_power < threshold**2 * self.target_power) | idle
        count = held.long().cumprod(1).sum(1)
        return torch.tensor(self.bands.edges, dtype=torch.float64, device=count.device)[count]


def read_out(
    activations: Mapping[str, Tensor | ArrayLike],
    targets: Tensor | ArrayLike,
    transform: BandTransform,
    *,
    width: Width = _PROJECTED,
    folds: Folds = _FOLDS,
) -> ReadOut:
    """Ridge regression from each layer's activations to the targets; its held-out error per band.

    Every sample is predicted once, by a read-out fitted to the folds it is not in, so a layer gains nothing by being
    wide enough to memorise. Widths are made alike by `width`. Neither the scale of a layer nor a shift of its
    features changes the answer, so layers can be compared, which amplitudes of feature maps cannot. A read-out sees
    what is linear in a layer: what a later layer has to compute from it does not count as held.

    Args:
        activations: Name to (N, features) activations of all samples, in the transform's order: row-major on a grid,
            sequence after sequence.
        targets: (N, C) what to read out, such as the signal or the network's own outputs.
        transform: `GridTransform`, `SequenceTransform`, `PointsTransform`, `GraphTransform`, or any with `bands`,
            `coefficients` and `power`.
        width: How many features each read-out sees, and which.
        folds: Which samples it is fitted to.

    Raises:
        InputError: If there is no layer, a table is not finite numbers with a row a sample, a layer or the targets do
            not vary, or the samples are not those of the transform.
    """
    wanted = rows(targets, "targets")
    if not activations:
        raise InputError("at least one layer", "none", "pass a name and its activations", "activations")
    if not bool((wanted != wanted[:1]).any()):
        raise InputError("targets that vary", "constant targets", "pass what there is to find", "targets")
    fold = folds.members(len(wanted)).to(wanted.device)
    target_power = transform.power(transform.coefficients(_field(wanted, transform)))
    powers, features, penalties = [], [], []
    for name, given in activations.items():
        layer = rows(given, name, len(wanted)).to(wanted.device)
        if not bool((layer != layer[:1]).any()):
            raise InputError(
                "activations that vary",
                "constant features: all samples have the same",
                "leave this layer out, or look for dead units",
                name,
            )
        found, used, chosen = _held_out(layer, wanted, fold, width)
        powers.append(transform.power(transform.coefficients(_field(wanted - found, transform))))
        features.append(used)
        penalties.append(chosen)
    return ReadOut(
        tuple(activations),
        transform.bands,
        target_power,
        torch.stack(powers),
        tuple(features),
        torch.tensor(penalties, dtype=torch.float64),
    )


def _held_out(layer: Tensor, targets: Tensor, fold: Tensor, width: Width) -> tuple[Tensor, int, list[float]]:
    """(N, C) predictions, each by a fit without its fold; the features used, and a penalty per fold."""
    found = torch.empty_like(targets)
    used, chosen = 0, []
    for number in range(int(fold.max()) + 1):
        inside = fold != number
        centred = layer - layer[inside].mean(0)
        reduced = width.reduce(centred[inside], centred)
        fit = ridge(reduced[inside], targets[inside])
        found[~inside] = fit.predict(reduced[~inside])
        used = reduced.shape[1]
        chosen.append(fit.penalty)
    return found, used, chosen


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
