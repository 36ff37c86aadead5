"""View of the target frequencies that linear readouts recover from each layer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Never, final

import numpy as np
import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.probes._grid_measurement import GridMeasurement
from overtone.probes._inputs import Inputs, RoundingCollisions, named_tensors
from overtone.probes._view import Metric, MetricView, Row, TransformView
from overtone.probes.views._grid import GridView
from overtone.spectra import Bands, BandTransform
from overtone.spectra.linear_readout import BlockFolds
from overtone.spectra.linear_readout._readout import Reader
from overtone.spectra.linear_readout._ridge import Full, Projected


@final
class LayerInputs(Inputs):
    """Inputs at which the activations of layers are evaluated instead of the outputs.

    Args:
        inputs: Inputs of the network.
        names: Names of the layers.
        places: Axes of the targets between samples and channels, such as time; activations have them too.
        width: Combination of the activations; narrower layers are padded with zeros, which change no readout.
    """

    def __init__(
        self, inputs: Inputs, names: Sequence[str], places: tuple[int, ...], width: Projected
    ) -> None:
        self._inputs, self._names, self._places, self._width = inputs, tuple(names), places, width
        self._matrices: dict[int, Tensor] = {}

    @property
    def count(self) -> int:
        """Number of samples."""
        return self._inputs.count

    @property
    def whole(self) -> tuple[Inputs, Tensor | None]:
        """Return the larger set that contains the inputs, with the same layers."""
        every, index = self._inputs.whole
        return (self if index is None else LayerInputs(every, self._names, self._places, self._width)), index

    @property
    def bytes_each(self) -> float:
        """Bytes of one sample of the inputs."""
        return self._inputs.bytes_each

    @property
    def generated(self) -> bool:
        """Whether overtone computes the inputs."""
        return self._inputs.generated

    def crowding(self, dtype: torch.dtype | None) -> RoundingCollisions | None:
        """Return the collisions of the inputs."""
        return self._inputs.crowding(dtype)

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """Return the network's arguments."""
        return self._inputs.slice(begin, end, device, dtype)

    def arrays(self) -> Never:
        """Raise an error: predictions hold no activations of layers.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "a network whose layers are accessible",
            "predictions alone",
            "use a Probe, or pass its activations to spectra.linear_readout.read_out",
            "layers",
        )

    def evaluate(self, network: nn.Module, call: Callable[[Any], Any], arguments: Any) -> Tensor:
        """Return (B, *places, layers x features) combinations of the activations.

        Raises:
            InputError: If a layer does not exist, is not called, or does not return rows of numbers.
        """
        activations: dict[str, Any] = {}
        modules = dict(network.named_modules())
        missing = [name for name in self._names if name not in modules]
        if missing:
            raise InputError(
                f"layers among {', '.join(map(repr, list(modules)[1:]))}",
                f"{missing[0]!r}",
                "pass names as in network.named_modules()",
                "layers",
            )

        def store(name: str, module: nn.Module, inputs: Any, answer: Any) -> None:
            del module, inputs
            activations[name] = answer

        handles = [
            modules[name].register_forward_hook(functools.partial(store, name)) for name in self._names
        ]
        try:
            call(arguments)
        finally:
            for handle in handles:
                handle.remove()
        rows = len(named_tensors(arguments, "inputs")[0][1])
        return torch.cat([self._narrow(name, activations.get(name), rows) for name in self._names], -1)

    def _narrow(self, name: str, answer: Any, rows: int) -> Tensor:
        # Recurrent and attention layers return tuples, the activations first.
        while isinstance(answer, tuple | list) and answer:
            answer = answer[0]
        shape = (rows, *self._places)
        if not isinstance(answer, Tensor) or answer.shape[: len(shape)] != shape or not answer.numel():
            raise InputError(
                f"activations of shape ({', '.join(map(str, shape))}, ...)",
                f"shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__,
                "name a layer that the network calls and that returns such activations",
                f"layer {name!r}",
            )
        wide = torch.view_as_real(answer.resolve_conj()) if answer.is_complex() else answer
        wide = wide if wide.is_floating_point() and wide.itemsize >= 4 else wide.float()
        wide = wide.reshape(*shape, -1)
        size, features = wide.shape[-1], self._width.features
        if size <= features:
            return nn.functional.pad(wide, (0, features - size))
        # One fixed random projection per width: rows of a record differ by the network, not by the draw.
        if size not in self._matrices:
            self._matrices[size] = self._width.matrix(size).float()
        return wide @ self._matrices[size].to(wide)


_WIDTH, _FOLDS = Projected(), BlockFolds()


def layers(
    watched: TransformView | GridView,
    names: Sequence[str],
    *,
    width: Projected = _WIDTH,
    folds: BlockFolds = _FOLDS,
    name: str = "layers",
) -> MetricView:
    """Measure which frequencies of a view's targets each layer represents, by `spectra.linear_readout.read_out`.

    A channel is a layer: a row holds the residual power of its held-out linear readout per band, summed over the
    targets' channels. The readout of a layer with only constant units is the targets' mean.

    Args:
        watched: The view that provides inputs, targets and bands. The readout is fitted again at every row: use a
            window of a few thousand samples of a signal.
        names: Names of the layers, as in `network.named_modules()`. The output of a layer is flattened to one row per
            sample (or position of a sequence); of several tensors the first is used, of several calls the last.
        width: Number of random combinations of a layer's features in each readout.
        folds: Samples used to fit each readout.
        name: Name of the record.

    Raises:
        InputError: If there are no names, the view has no targets, or samples are too few for the folds.

    Example:
        >>> import torch
        >>> from overtone.probes import views
        >>> x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
        >>> view = views.layers(views.graph(x, x[:, :1], modes=6), ["0", "2"])
        >>> view.header({}).channels
        ('0', '2')
    """
    if isinstance(names, str) or not names or len(set(names)) != len(names):
        raise InputError(
            "distinct names of layers",
            f"{names!r}",
            'pass for instance ["0", "2"], see network.named_modules()',
            "names",
        )
    if not isinstance(watched, TransformView | GridView):
        raise InputError(
            "a view of outputs with targets",
            type(watched).__name__,
            "pass for instance views.graph(inputs, targets) or views.GridView(signal)",
            "watched",
        )
    transform: BandTransform
    if isinstance(watched, GridView):
        if not isinstance(watched.measurement, GridMeasurement):
            raise InputError(
                "a view of one block of the grid",
                "a view of samples spread over the grid",
                "make the view with window=Window.central(grid, samples)",
                "watched",
            )
        values, transform = watched.measurement.target, watched.measurement.transform
    else:
        values, transform = watched.target.values, watched.transform
    attrs = watched.header({}).attrs
    rows = values.reshape(-1, values.shape[-1])
    reader = Reader(rows, transform, Full(), folds)
    inherited = ("frequency_unit", "value_unit", "kind", "geometry", "nyquist")
    return MetricView(
        LayerInputs(watched.inputs, names, tuple(values.shape[1:-1]), width),
        ReadoutMetric(reader, transform.bands, names, width.features),
        name=name,
        attrs={key: attrs[key] for key in inherited if key in attrs}
        | {"estimator": f"linear readout of layers; {attrs['estimator']}"},
    )


@final
class ReadoutMetric(Metric):
    """Residual power of the readout of each layer.

    Args:
        reader: Readouts of the targets.
        bands: Bands of the transform.
        names: Names of the layers.
        features: Number of features of each layer.
    """

    def __init__(self, reader: Reader, bands: Bands, names: Sequence[str], features: int) -> None:
        self._reader, self._features = reader, features
        self.bands, self.channels = bands, tuple(names)
        power = reader.target_power.sum(1, keepdim=True).cpu().double().numpy()
        self.target_power = np.repeat(power, len(names), 1)

    def check(self, outputs: Tensor) -> None:
        """Accept any outputs: the inputs have already checked them."""

    def row(self, outputs: Tensor) -> Row:
        """Return the residual power of one readout per layer."""
        every = outputs.double().reshape(self._reader.count, len(self.channels), self._features)
        powers = [self._reader.read(layer)[0].sum(1) for layer in every.unbind(1)]
        return {"residual_power": torch.stack(powers, 1).cpu().double().numpy()}
