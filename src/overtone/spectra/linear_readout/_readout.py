"""Error of a linear read-out of each layer per frequency band."""

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
    """Linear read-out of the same targets from one layer at a time.

    Args:
        targets: (N, C) targets to predict.
        transform: Transform of the samples, see `read_out`.
        width: Rule that selects the features of each read-out.
        folds: Cross-validation folds.

    Attributes:
        count: Number of samples N.
        target_power: (band, channel) float64, in squared units of the target.

    Raises:
        InputError: If the targets are not finite numbers, are constant, or do not match the samples of the
            transform.
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
        """Return the residual power of the read-out of a layer; a constant layer predicts the targets' mean.

        Args:
            layer: (N, features) finite float64 activations.

        Returns:
            The (band, channel) power, the number of features used, and the penalty of each fold.
        """
        layer, targets = layer.to(self._targets.device), self._targets
        predictions = torch.empty_like(targets)
        feature_count, penalties = 0, []
        for number in range(int(self._fold.max()) + 1):
            training = self._fold != number
            # Centred by the mean of the training rows, so that held-out rows do not affect the fit.
            centred = layer - layer[training].mean(0)
            reduced = self._width.reduce(centred[training], centred)
            fit = ridge(reduced[training], targets[training])
            predictions[~training] = fit.predict(reduced[~training])
            feature_count = reduced.shape[1]
            penalties.append(fit.penalty)
        transform = self._transform
        power = transform.power(transform.coefficients(transform.field(targets - predictions)))
        return power, feature_count, penalties


@final
@dataclass(frozen=True)
class LinearReadout:
    """Held-out error of a linear read-out of each layer.

    Attributes:
        layers: Names of the layers, in the order of the activations.
        bands: The transform's bands.
        target_power: (band, channel) float64, in squared units of the target.
        residual_power: (layer, band, channel) float64 power of target minus read-out.
        features: (layer,) number of features of each read-out.
        penalty: (layer, fold) float64 selected penalty, in units of the mean square of the singular values.
    """

    layers: tuple[str, ...]
    bands: Bands
    target_power: Tensor
    residual_power: Tensor
    features: tuple[int, ...]
    penalty: Tensor

    @property
    def relative_error(self) -> Tensor:
        """(layer, band, channel) sqrt(residual / target power): 0 if decodable, NaN without target power."""
        share = self.residual_power / self.target_power
        return torch.where(self.target_power > 0, share, float("nan")).sqrt()

    def highest_held(self, threshold: float = 0.5, negligible: float = 1e-3) -> Tensor:
        """Return the (layer, channel) frequency up to which every band has an error below `threshold`.

        It is the upper edge of the last such band, in the transform's unit; 0 if the first band fails.

        Args:
            threshold: Relative error below which a band counts as decodable.
            negligible: Share of the target's power below which a band is ignored.
        """
        negligible_bands = self.target_power <= negligible * self.target_power.sum(0)
        decodable = (self.residual_power < threshold**2 * self.target_power) | negligible_bands
        count = decodable.long().cumprod(1).sum(1)
        return torch.tensor(self.bands.edges, dtype=torch.float64, device=count.device)[count]


def read_out(
    activations: Mapping[str, Tensor | ArrayLike],
    targets: Tensor | ArrayLike,
    transform: BandTransform,
    *,
    width: FeatureBudget = _PROJECTED,
    folds: BlockFolds = _FOLDS,
) -> LinearReadout:
    """Measure the held-out error per band of a ridge regression from each layer's activations to the targets.

    Every sample is predicted by a read-out fitted to the other folds, so a layer has no advantage from being
    wide enough to memorise. `width` equalises the number of features. The result is invariant to the scale of
    a layer and to shifts of its features, so layers are comparable, unlike amplitudes of feature maps. Only
    linearly decodable information counts; information that later layers extract by nonlinear functions does
    not.

    Args:
        activations: (N, features) activations by layer name, in the transform's order of samples: row-major
            on a grid, sequence after sequence.
        targets: (N, C) targets to predict, such as the signal or the network's outputs.
        transform: Any `BandTransform` of the samples.
        width: Rule that selects the features of each read-out.
        folds: Cross-validation folds.

    Raises:
        InputError: If there is no layer, a table is not one row of finite numbers per sample, a layer or the
            targets are constant, or the samples do not match the transform.

    Example:
        >>> import torch
        >>> from overtone.spectra import GridTransform
        >>> from overtone.spectra.linear_readout import read_out
        >>> wave = torch.cos(2 * torch.pi * torch.arange(32) / 32)[:, None].double()
        >>> transform = GridTransform((32,), periodic=True)
        >>> result = read_out({"layer": torch.cat([wave, wave**2], 1)}, wave, transform)
        >>> result.features, bool((result.residual_power < 1e-6).all())
        ((2,), True)
    """
    if not activations:
        raise InputError("at least one layer", "none", "pass a name and its activations", "activations")
    reader = Reader(targets, transform, width, folds)
    powers, features, all_penalties = [], [], []
    for name, values in activations.items():
        layer = rows(values, name, reader.count)
        if not bool((layer != layer[:1]).any()):
            raise InputError(
                "activations that vary",
                "constant features, equal for all samples",
                "remove this layer, or check for dead units",
                name,
            )
        power, feature_count, penalties = reader.read(layer)
        powers.append(power)
        features.append(feature_count)
        all_penalties.append(penalties)
    return LinearReadout(
        tuple(activations),
        transform.bands,
        reader.target_power,
        torch.stack(powers),
        tuple(features),
        torch.tensor(all_penalties, dtype=torch.float64, device="cpu"),
    )
