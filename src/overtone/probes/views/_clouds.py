"""Views of targets in many dimensions: along a neighbour graph, through Gaussian filters, along a direction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from overtone.errors import InputError
from overtone.probes._inputs import TensorInputs, as_tensor_inputs
from overtone.probes._target_reading import as_target
from overtone.probes._view import TransformView
from overtone.spectra import Bands
from overtone.spectra.clouds import DirectionTransform, GaussianFilter, GraphTransform


def graph(
    inputs: Any,
    targets: Any,
    *,
    features: Tensor | Any | None = None,
    modes: int = 64,
    neighbours: int = 10,
    bands: Bands | Sequence[float] | None = None,
    classes: int | None = None,
    channel_axis: int | None = None,
    channels: Sequence[str] | None = None,
    unit: str = "unit of the features",
    held_out: Tensor | None = None,
    name: str = "graph",
) -> TransformView:
    """Measure targets by their frequency on the samples' nearest-neighbour graph, `spectra.clouds.GraphTransform`.

    Args:
        inputs: Arguments of the network; pictures, tables, or a dict or tuple of tensors.
        targets: (N, C) values, (N, ..., C) of pictures or volumes, whose power is averaged over positions, or (N,)
            labels, see `probes.Values`.
        features: (N, d) rows with meaningful distances; the flattened inputs if None.
        modes: Number of low-frequency modes; the remainder forms one more band.
        neighbours: Number of nearest samples that each sample is connected to.
        bands: Bands in cycles per unit of the features.
        classes: Number of classes, if the targets are labels.
        channel_axis: The axis of targets and outputs that holds the channels; the last one if None.
        channels: Names of the channels of values; "0", "1", ... if None.
        unit: Unit of the features; frequencies are in cycles per unit.
        held_out: (N,) bool, the samples excluded from the training.
        name: Name of the record.

    Raises:
        InputError: If samples have too many duplicates, are too few, or do not match the targets.

    Example:
        >>> import torch
        >>> x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
        >>> view = graph(x, x[:, :1].sin(), modes=10)
        >>> tuple(view.compare(torch.zeros(40, 1))["residual_power"].shape) == tuple(view.target_power.shape)
        True
    """
    samples = as_tensor_inputs(inputs)
    rows = samples.features() if features is None else features
    target = as_target(targets, classes, channel_axis, channels)
    # The eigensolver needs two samples more than modes.
    transform = GraphTransform(
        rows, min(modes, max(1, samples.count - 2)), neighbours=neighbours, bands=bands
    )
    bands_and_residual = transform.with_residual()
    pictures = target.values.ndim > 2
    return TransformView(
        samples,
        target,
        bands_and_residual.per_position(len(target.channels)) if pictures else bands_and_residual,
        name=name,
        held_out=held_out,
        attrs={
            "estimator": f"graph: {len(transform.frequency)} modes, {neighbours} neighbours",
            "frequency_unit": f"cycles per {unit}",
            "kind": "cloud",
        },
    )


def filters(
    inputs: Any,
    targets: Any,
    *,
    features: Tensor | Any | None = None,
    widths: Sequence[float] | Tensor | None = None,
    classes: int | None = None,
    held_out: Tensor | None = None,
    name: str = "filters",
) -> TransformView:
    """Measure the parts of the targets that Gaussian filters of several widths pass, `spectra.clouds.GaussianFilter`.

    Args:
        inputs: Arguments of the network.
        targets: (N, C) values or (N,) labels, see `probes.Values`.
        features: (N, d) rows with meaningful distances; the flattened inputs if None.
        widths: Widths of the filters, in units of the features; None for the widths that pass 70, 50 and 30 % of the
            targets.
        classes: Number of classes, if the targets are labels.
        held_out: (N,) bool, the samples excluded from the training.
        name: Name of the record.

    Raises:
        InputError: If the widths are not positive, or samples and targets do not match.

    Example:
        >>> import torch
        >>> x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
        >>> tuple(filters(x, x[:, :1].sin(), widths=[2.0, 1.0]).target_power.shape)  # mean, 2 steps, remainder
        (4, 1)
    """
    samples, target = as_tensor_inputs(inputs), as_target(targets, classes)
    rows = samples.features() if features is None else features
    values = target.values.reshape(len(target.values), -1)
    if widths is None:
        widths = GaussianFilter.widths_for(rows, values)
    pyramid = GaussianFilter(rows, widths).pyramid()
    return TransformView(
        samples,
        target,
        pyramid,
        name=name,
        held_out=held_out,
        attrs={
            "estimator": f"filters: widths {', '.join(f'{w:.4g}' for w in pyramid.widths)}",
            "frequency_unit": "cycles per unit of the features",
            "kind": "cloud",
        },
    )


def directions(
    inputs: Any,
    targets: Any,
    *,
    features: Tensor | Any | None = None,
    along: Tensor | Any | None = None,
    count: int = 32,
    classes: int | None = None,
    held_out: Tensor | None = None,
    name: str = "direction",
) -> TransformView:
    """Measure targets by their frequency along one direction, `spectra.clouds.DirectionTransform`.

    Args:
        inputs: Arguments of the network.
        targets: (N, C) values or (N,) labels, see `probes.Values`.
        features: (N, d) rows in the space of the direction; the flattened inputs if None.
        along: (d,) direction of any length; None for the direction of the largest variance. Several directions need
            several views.
        count: Highest harmonic of the samples' extent along the direction.
        classes: Number of classes, if the targets are labels.
        held_out: (N,) bool, the samples excluded from the training.
        name: Name of the record.

    Raises:
        InputError: If the samples are constant along the direction or do not match the targets.

    Example:
        >>> import torch
        >>> x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
        >>> directions(x, x[:, :1].sin(), along=[1, 0, 0, 0, 0, 0], count=8).name
        'direction'
    """
    samples = as_tensor_inputs(inputs)
    rows = samples.features() if features is None else features
    transform = DirectionTransform(rows, None if along is None else TensorInputs(along).tensors[None], count)
    if len(transform.directions) != 1:
        raise InputError("one direction", f"{len(transform.directions)}", "make a view for each", "along")
    return TransformView(
        samples,
        as_target(targets, classes),
        transform.bands_along(),
        name=name,
        held_out=held_out,
        attrs={
            "estimator": f"direction: {float(transform.explained[0]):.0%} of the variance",
            "frequency_unit": "cycles per unit of the features",
            "kind": "cloud",
        },
    )
