"""The view of what a linear read-out finds of the targets in each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.probes.measurement import Measurement
from overtone.probes.view import Row
from overtone.probes.views.activations import Activations
from overtone.probes.views.grid import GridView
from overtone.probes.views.measured import Measure, MeasuredView
from overtone.probes.views.sampled import SampledView
from overtone.spectra import Bands
from overtone.spectra.linear_readout import BandTransform, Folds, Full, Projected, Reader

_WIDTH, _FOLDS = Projected(), Folds()


def layers(
    watched: SampledView | GridView,
    names: Sequence[str],
    *,
    width: Projected = _WIDTH,
    folds: Folds = _FOLDS,
    name: str = "layers",
) -> MeasuredView:
    """Watch which frequencies of a view's targets each layer holds, by `spectra.layers.read_out`.

    A channel is a layer: a row holds the residual power of its held-out linear read-out per band, added up over the
    targets' channels. A layer whose units are all constant reads out the targets' mean.

    Args:
        watched: The view whose samples, targets and bands are taken. The read-out is fitted anew at every row: of a
            signal take a window of some thousand samples.
        names: Names of the layers, as `network.named_modules()` has them. What a layer returns is flattened to one row
            a sample (or a moment of a sequence); of several tensors the first counts, of several calls the last.
        width: How many random combinations of its features each read-out sees.
        folds: Which samples a read-out is fitted to.
        name: Names the record.

    Raises:
        InputError: If there are no names, the view has no targets, or samples are too few for the folds.
    """
    if isinstance(names, str) or not names or len(set(names)) != len(names):
        raise InputError(
            "distinct names of layers",
            f"{names!r}",
            'pass for instance ["0", "2"], see network.named_modules()',
            "names",
        )
    if not isinstance(watched, SampledView | GridView):
        raise InputError(
            "a view of outputs with targets",
            type(watched).__name__,
            "pass for instance views.graph(inputs, targets) or views.GridView(signal)",
            "watched",
        )
    transform: BandTransform
    if isinstance(watched, GridView):
        if not isinstance(watched.measurement, Measurement):
            raise InputError(
                "a view of one block of the grid",
                "one of samples spread over it",
                "make it with window=Window.central(grid, samples)",
                "watched",
            )
        values, transform = watched.measurement.target, watched.measurement.transform
    else:
        values, transform = watched.target.values, watched.transform
    attrs = watched.header({}).attrs
    rows = values.reshape(-1, values.shape[-1])
    reader = Reader(rows, transform, Full(), folds)
    kept = ("frequency_unit", "value_unit", "kind", "geometry", "nyquist")
    return MeasuredView(
        Activations(watched.samples, names, tuple(values.shape[1:-1]), width),
        ReadOuts(reader, transform.bands, names, width.features),
        name=name,
        attrs={key: attrs[key] for key in kept if key in attrs}
        | {"estimator": f"linear read-out of layers; {attrs['estimator']}"},
    )


@final
class ReadOuts(Measure):
    """Residual power of the read-out of each layer.

    Args:
        reader: For the targets.
        bands: Those of its transform.
        names: Layers.
        features: How many features of each there are.
    """

    def __init__(self, reader: Reader, bands: Bands, names: Sequence[str], features: int) -> None:
        self._reader, self._features = reader, features
        self.bands, self.channels = bands, tuple(names)
        power = reader.target_power.sum(1, keepdim=True).cpu().double().numpy()
        self.target_power = np.repeat(power, len(names), 1)

    def check(self, outputs: Tensor) -> None:
        """The samples have seen to it."""

    def row(self, outputs: Tensor) -> Row:
        """By one read-out after the other."""
        every = outputs.double().reshape(self._reader.count, len(self.channels), self._features)
        powers = [self._reader.read(layer)[0].sum(1) for layer in every.unbind(1)]
        return {"residual_power": torch.stack(powers, 1).cpu().double().numpy()}
