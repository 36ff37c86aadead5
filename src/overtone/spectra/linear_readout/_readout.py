"""Error of a linear read-out of each layer per band of frequency: do early layers hold the low frequencies?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from overtone.errors import InputError
from overtone.spectra._band_transform import BandTransform
from overtone.spectra._bands import Bands
from overtone.spectra._inputs import rows
from overtone.spectra.linear_readout._ridge import BlockFolds, FeatureBudget, Projected, ridge

_PROJECTED = Projected()
_FOLDS = BlockFolds()


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
        self, targets: Tensor | ArrayLike, transform: BandTransform, width: FeatureBudget, folds: BlockFolds
    ) -> None:
        self._targets = rows(targets, "targets")
        if not bool((self._targets != self._targets[:1]).any()):
            raise InputError(
                "targets that vary", "constant targets", "pass the values to read out", "targets"
            )
        self.count = len(self._targets)
        self._transform, self._width = transform, width
        self._fold = folds.members(self.count).to(self._targets.device)
        self.target_power = transform.power(transform.coefficients(transform.field(self._targets)))

    def read(self, layer: Tensor) -> tuple[Tensor, int, list[float]]:
        """Power of targets less read-out; of a layer that does not vary, the read-out is the targets' mean.

        Args:
            layer: (N, features) finite float64 activations.

        Returns:
            (band, channel) power, the features used, and a penalty per fold.
        """
        layer, targets = layer.to(self._targets.device), self._targets
        predictions = torch.empty_like(targets)
        used, chosen = 0, []
        for number in range(int(self._fold.max()) + 1):
            inside = self._fold != number
            # Centred by the fitted rows alone, so that held-out rows leave no trace in the fit.
            centred = layer - layer[inside].mean(0)
            reduced = self._width.reduce(centred[inside], centred)
            fit = ridge(reduced[inside], targets[inside])
            predictions[~inside] = fit.predict(reduced[~inside])
            used = reduced.shape[1]
            chosen.append(fit.penalty)
        transform = self._transform
        power = transform.power(transform.coefficients(transform.field(targets - predictions)))
        return power, used, chosen


@final
@dataclass(frozen=True)
class LinearReadout:
    """Error of a linear read-out of each layer, on samples that it was not fitted to.

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

    def highest_held(self, threshold: float = 0.5, negligible: float = 1e-3) -> Tensor:
        """(layer, channel) float64 frequency up to which every band that counts has an error below `threshold`.

        The upper edge of the last such band, in the transform's unit; 0 if the first one fails.

        Args:
            threshold: Relative error below which a band is held.
            negligible: Share of the target's power below which a band does not count.
        """
        idle = self.target_power <= negligible * self.target_power.sum(0)
        held = (self.residual_power < threshold**2 * self.target_power) | idle
        count = held.long().cumprod(1).sum(1)
        return torch.tensor(self.bands.edges, dtype=torch.float64, device=count.device)[count]


def read_out(
    activations: Mapping[str, Tensor | ArrayLike],
    targets: Tensor | ArrayLike,
    transform: BandTransform,
    *,
    width: FeatureBudget = _PROJECTED,
    folds: BlockFolds = _FOLDS,
) -> LinearReadout:
    """Ridge regression from each layer's activations to the targets; its held-out error per band.

    Every sample is predicted once, by a read-out fitted to the folds it is not in, so a layer gains nothing by being
    wide enough to memorise. Widths are made alike by `width`. Neither the scale of a layer nor a shift of its
    features changes the answer, so layers can be compared, which amplitudes of feature maps cannot. A read-out sees
    what is linear in a layer: what a later layer has to compute from it does not count as held.

    Args:
        activations: Name to (N, features) activations of all samples, in the transform's order: row-major on a grid,
            sequence after sequence.
        targets: (N, C) what to read out, such as the signal or the network's own outputs.
        transform: Any `BandTransform` of the samples.
        width: How many features each read-out sees, and which.
        folds: Which samples it is fitted to.

    Raises:
        InputError: If there is no layer, a table is not finite numbers with a row a sample, a layer or the targets do
            not vary, or the samples are not those of the transform.

    Example:
        >>> import torch
        >>> from overtone.spectra import GridTransform
        >>> from overtone.spectra.linear_readout import read_out
        >>> wave = torch.cos(2 * torch.pi * torch.arange(32) / 32)[:, None].double()
        >>> found = read_out({"layer": torch.cat([wave, wave**2], 1)}, wave, GridTransform((32,), periodic=True))
        >>> found.features, bool((found.residual_power < 1e-6).all())
        ((2,), True)
    """
    if not activations:
        raise InputError("at least one layer", "none", "pass a name and its activations", "activations")
    reader = Reader(targets, transform, width, folds)
    powers, features, penalties = [], [], []
    for name, values in activations.items():
        layer = rows(values, name, reader.count)
        if not bool((layer != layer[:1]).any()):
            raise InputError(
                "activations that vary",
                "constant features: all samples have the same",
                "leave this layer out, or look for dead units",
                name,
            )
        power, used, chosen = reader.read(layer)
        powers.append(power)
        features.append(used)
        penalties.append(chosen)
    return LinearReadout(
        tuple(activations),
        transform.bands,
        reader.target_power,
        torch.stack(powers),
        tuple(features),
        torch.tensor(penalties, dtype=torch.float64, device="cpu"),
    )
