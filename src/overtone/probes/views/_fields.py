"""View of targets that are fields: error per spatial or temporal frequency, with intervals and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from overtone._utils.seeding import draw_subset
from overtone.errors import InputError
from overtone.probes._describe import describe_samples
from overtone.probes._inputs import Inputs, as_tensor_inputs
from overtone.probes._residual import residual_of
from overtone.probes._target_reading import as_target
from overtone.probes._targets import ProbeTarget, Values
from overtone.probes._view import OutputView, Row, held_out_mask
from overtone.probes.views._field_gaps import FieldGaps, without_gaps
from overtone.records import Header
from overtone.records.metrics._intervals import error_ratio_interval
from overtone.spectra import HealpixGrid, PairPower, PairSums
from overtone.spectra._field_geometry import FieldGeometry, GeometryKind

LEVEL = 0.95
"""Coverage probability of the intervals of a row, as of all records."""

MAX_BLOCKS = 32
"""Blocks of samples that are stored with a row: three times as many as an interval needs at least."""

SMALLEST_SIDE = 16
"""Samples along each axis below which a box has too few frequencies of three waves for a spectrum."""

PICTURES = 2
"""Samples that are stored as pictures."""

PICTURE_CHANNELS = 3
"""Channels or lead times of which pictures are stored."""

PICTURE_SIDES = {1: 4096, 2: 256, 3: 64}
"""Samples along each axis of the stored pictures, by the number of axes."""


def fields(
    inputs: Any,
    targets: Any,
    *,
    spacing: float | Sequence[float] | None = None,
    periodic: bool | Sequence[bool] = False,
    unit: str | None = None,
    coordinates: tuple[ArrayLike, ArrayLike] | HealpixGrid | None = None,
    channels: Sequence[str] | None = None,
    lead_times: Sequence[str] | None = None,
    channel_axis: int = 1,
    samples: int | None = None,
    held_out: Tensor | None = None,
    name: str = "fields",
) -> FieldView:
    """Measure targets that are fields per spatial or temporal frequency, on a grid of 1 to 3 axes or on the sphere.

    Per band and channel, a row holds the power of target minus prediction and the cross power of both, means over the
    samples. With the target's power T, the residual's R and the cross power C, the prediction's power is
    F = R - T + 2 C, the power ratio F / T and the coherence C / sqrt(F T). Blocks of samples are stored beside each
    row, so that reports state intervals, and a few predictions as pictures.

    Boxes with open borders are measured by the even extension where the first target's spectrum is not steeper than
    f^-3, and else with plane detrend and a Hann window; reports leave out scales of less than three waves.

    Targets that are NaN are missing cells, such as land; the network's outputs do not count there. Differences of the
    fields are measured then, the coupling of modes by the mask is inverted (MASTER, Hivon et al. 2002), and bands in
    which ratios of simulated fields with the first such mask are wrong by more than 20 % are not reported.

    Args:
        inputs: Arguments of the network.
        targets: (N, C, *space) values with 1 to 3 axes of space or time, NaN where missing; the network returns the
            same shape.
        spacing: Distance between neighbouring samples, one or one per axis; None counts lengths in samples.
        periodic: Whether the axes wrap around, one or one per axis.
        unit: Unit of the spacing; "s" gives frequencies in Hz.
        coordinates: Latitudes and longitudes of a grid in degrees, or a HEALPix grid whose pixels are the last axis;
            the whole sphere is measured by degree. There are no pictures of HEALPix pixels.
        channels: Names of the channels; "0", "1", ... if None.
        lead_times: Names of the lead times, if the channel axis holds these.
        channel_axis: The axis of targets and outputs that holds the channels.
        samples: Number of samples, drawn at random; all if None.
        held_out: (N,) bool, the samples excluded from the training.
        name: Name of the record.

    Raises:
        InputError: If the targets are no fields, are too small for a spectrum, or do not match the coordinates.

    Example:
        >>> import torch
        >>> from overtone.probes import views
        >>> clean = torch.randn(12, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> view = views.fields(clean, clean, periodic=True)
        >>> row = view.compare(0.5 * clean)
        >>> round(float(row["residual_power"].sum() / view.target_power.sum()), 3)
        0.25
    """
    batch = as_tensor_inputs(inputs)
    known, valid = without_gaps(targets)
    target = as_target(known, None, channel_axis, lead_times if channels is None else channels)
    if valid is not None and target.channel_axis is not None:
        valid = valid.movedim(target.channel_axis, -1)
    total = len(target.values)
    if samples is not None and samples < total:
        index = torch.from_numpy(draw_subset(total, samples, 0, "probe", "samples"))
        batch, target = batch.at(index), target.at(index)
        held_out = None if held_out is None else held_out[index]
        valid = None if valid is None else valid[index]
    geometry = field_geometry(target, spacing, periodic, unit, coordinates)
    layout = FieldLayout.of(target.channels, lead_times)
    return FieldView(batch, target, geometry, layout, total=total, held_out=held_out, valid=valid, name=name)


def field_geometry(
    target: ProbeTarget,
    spacing: float | Sequence[float] | None = None,
    periodic: bool | Sequence[bool] = False,
    unit: str | None = None,
    coordinates: tuple[ArrayLike, ArrayLike] | HealpixGrid | None = None,
) -> FieldGeometry:
    """Return the geometry of a target's fields.

    Args:
        target: The target, with channels last.
        spacing: See `fields`.
        periodic: See `fields`.
        unit: See `fields`.
        coordinates: See `fields`.

    Raises:
        InputError: If the targets are no fields, or do not match the coordinates.
    """
    shape = tuple(target.values.shape[1:-1])
    if not isinstance(target, Values) or not 1 <= len(shape) <= 3:
        raise InputError(
            "targets of shape (samples, channels, *space), with 1 to 3 axes of space or time",
            "labels" if not isinstance(target, Values) else f"{len(shape)} such axes",
            "reshape them, or choose another view",
            "targets",
        )
    if coordinates is None:
        # One step is the unit of frequencies in cycles per sample.
        return FieldGeometry.box(shape, spacing, periodic, unit)
    if isinstance(coordinates, HealpixGrid):
        geometry = FieldGeometry.healpix(coordinates)
        if geometry.shape != shape:
            raise InputError(
                f"targets (samples, channels, {coordinates.pixels} pixels)",
                f"fields of shape {shape}",
                "pass the grid of these pixels",
                "coordinates",
            )
        return geometry
    geometry = FieldGeometry.of_coordinates(*coordinates)
    if geometry.shape != shape:
        raise InputError(
            f"targets on {geometry.shape[0]} latitudes and {geometry.shape[1]} longitudes",
            f"fields of shape {shape}",
            "pass the coordinates of these axes, latitudes first",
            "coordinates",
        )
    return geometry


@final
class FieldLayout:
    """Variable and lead time of each channel.

    Args:
        variables: Name of the variable, by channel.
        leads: Name of the lead time, by channel; None without lead times.
    """

    def __init__(self, variables: Sequence[str], leads: Sequence[str] | None = None) -> None:
        self.variables, self.leads = tuple(variables), None if leads is None else tuple(leads)

    @staticmethod
    def of(channels: Sequence[str], lead_times: Sequence[str] | None) -> FieldLayout:
        """Return the layout of channels that are variables, or lead times of one variable."""
        if lead_times is None:
            return FieldLayout(channels)
        return FieldLayout(["values"] * len(channels), lead_times)

    def shown(self) -> list[int]:
        """Return the channels of which pictures are stored: the first ones, or the first, middle and last lead time."""
        count = len(self.variables)
        if self.leads is None or count <= PICTURE_CHANNELS:
            return list(range(min(count, PICTURE_CHANNELS)))
        first = [c for c, variable in enumerate(self.variables) if variable == self.variables[0]]
        return sorted({first[0], first[len(first) // 2], first[-1]})

    def to_json(self) -> dict[str, Any]:
        """Return the record's attributes."""
        return {"variables": list(self.variables), "leads": None if self.leads is None else list(self.leads)}


@final
class FieldView(OutputView):
    """View that compares a network's outputs with fields, band by band.

    Args:
        inputs: Inputs of the network.
        target: The fields at these inputs, with channels last.
        geometry: Positions of their values.
        layout: Variable and lead time of each channel.
        total: Number of samples that these were drawn from.
        held_out: (N,) bool, the samples excluded from the training, or None.
        valid: (N, *space, C) where the fields have values, or None if they do everywhere.
        name: Name of the record.

    Raises:
        InputError: If inputs and targets do not match, no cell is valid, or the box is too small for a spectrum.
    """

    def __init__(
        self,
        inputs: Inputs,
        target: ProbeTarget,
        geometry: FieldGeometry,
        layout: FieldLayout,
        *,
        total: int,
        held_out: Tensor | None = None,
        valid: Tensor | None = None,
        name: str = "fields",
    ) -> None:
        count = inputs.count
        if len(target.values) != count:
            raise InputError(
                f"{count} targets, one per sample",
                f"{len(target.values)}",
                "pass inputs and targets of the same samples",
                "targets",
            )
        self.name, self.inputs, self.target, self.geometry, self.layout = (
            name,
            inputs,
            target,
            geometry,
            layout,
        )
        self._total = total
        self._held_out = held_out_mask(held_out, count)
        self._gaps = None if valid is None else FieldGaps.of(geometry, target.values, valid)
        if self._gaps is None:
            self.transform, self.estimator = geometry.transform(target.values[0].movedim(-1, 0))
            self._reported = geometry.reported(self.transform)
        else:
            self.transform, self.estimator = self._gaps.estimator.transform, self._gaps.estimator.name
            self._reported = self._gaps.reported(geometry.reported(self.transform))
        each = self._sums(target.values)
        self.target_power = each.target.numpy()
        pixels = isinstance(geometry.sphere, HealpixGrid)
        # Neighbouring numbers of pixels are no neighbours on the sphere.
        self._pictures = (
            StoredPictures([], (0,), geometry.shape)
            if pixels
            else StoredPictures.of(target.values, layout, geometry.shape)
        )

    def header(self, attrs: Mapping[str, Any]) -> Header:
        """Return bands, channels and target power, and the geometry of the fields."""
        bands, geometry, values = self.transform.bands, self.geometry, self.target.values
        sphere = geometry.kind is GeometryKind.SPHERE
        sides = len(geometry.shape)
        described = describe_samples(self.name, self.inputs.count) | {
            "kind": "fields",
            "value_unit": self.target.unit,
            "peak": float(values.max() - values.min()) if self._gaps is None else self._gaps.peak(values),
            "estimator": self.estimator,
            "frequency_unit": _frequency_unit(geometry),
            "nyquist": [] if sphere else [0.5 / step for step in geometry.spacing],
            "geometry": {
                "samples": self.inputs.count,
                "shape": list(geometry.shape),
                "spacing": list(geometry.spacing),
                "origin": [0.0] * sides,
                "units": ["degree" if sphere else geometry.unit] * sides,
                "periodic": list(geometry.periodic),
                **self._pictures.geometry,
            },
            "fields": {
                "kind": geometry.kind.value,
                "unit": geometry.unit,
                "longest": geometry.wavelength(0.0),
                "reported": self._reported,
                "drawn_from": self._total,
                "level": LEVEL,
                "pictures": self._pictures.to_json(),
                **self.layout.to_json(),
                **({} if self._gaps is None else {"missing": self._gaps.to_json()}),
            },
        }
        if self.target.notes:
            described["notes"] = list(self.target.notes)
        return Header(
            band_low=bands.low,
            band_high=bands.high,
            channels=self.target.channels,
            static={"target_power": self.target_power},
            attrs=described | dict(attrs),
        )

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs whose shape is not that of the targets."""
        self.target.read(outputs)

    def compare(self, outputs: Tensor) -> Row:
        """Return powers, mean square errors, margins and arrays; the powers are NaN if an output is not finite."""
        values = self.target.values
        predictions = self.target.read(outputs)
        if self._gaps is not None:
            predictions = self._gaps.hidden(predictions, 0.0)
        residual = residual_of(values, predictions)
        square = residual.reshape(len(residual), -1).double().square().mean(1)
        if self._gaps is not None:
            square = square * self._gaps.scale
        row: Row = {"train_error": float(square[~self._held_out].mean())}
        if bool(self._held_out.any()):
            row["held_out_error"] = float(square[self._held_out].mean())
        if not bool(residual.isfinite().all()):
            return row | {"residual_power": np.full(self.target_power.shape, math.nan)}
        power = self._sums(predictions)
        row |= {"residual_power": power.residual.numpy(), "cross_power": power.cross.numpy()}
        blocks = _merged(power.blocks.numpy())
        margin = _margin(blocks)
        if margin is not None:
            row["margins"] = {"relative_power": margin}
        row["arrays"] = {"blocks": blocks.astype(np.float32)}
        if not self._pictures.entries:
            return row
        shown = (values, predictions)
        if self._gaps is not None:
            shown = self._gaps.hidden(values, math.nan), self._gaps.hidden(predictions, math.nan)
        target, prediction = (self._pictures.of_values(fields) for fields in shown)
        row["pictures"] = {"target": target, "prediction": prediction}
        return row

    def _sums(self, predictions: Tensor) -> PairPower:
        if self._gaps is not None:
            return self._gaps.powers(predictions, self.target.values)
        sums = PairSums(self.transform, len(self.target.channels), self.estimator)
        sums.update(predictions.movedim(-1, 1), self.target.values.movedim(-1, 1))
        return sums.compute()


@final
class StoredPictures:
    """The samples, channels and part of the fields that are stored as pictures.

    Args:
        entries: Positions of sample and channels; three channels of one entry are drawn in colour.
        start: First stored value per axis.
        shape: Stored values per axis.
    """

    def __init__(
        self, entries: Sequence[tuple[int, tuple[int, ...]]], start: tuple[int, ...], shape: tuple[int, ...]
    ) -> None:
        self.entries, self._start, self._shape = tuple(entries), start, shape

    @staticmethod
    def of(values: Tensor, layout: FieldLayout, shape: tuple[int, ...]) -> StoredPictures:
        """Choose a typical sample, of the median variance, and the one of the largest; with lead times, one sample.

        Args:
            values: (N, *space, C) targets.
            layout: Variable and lead time of each channel.
            shape: Values per axis.
        """
        variance = torch.stack(
            [sample.double().flatten(0, -2).var(0, correction=0).sum() for sample in values]
        )
        order = variance.argsort(stable=True).tolist()
        chosen = list(dict.fromkeys((order[len(order) // 2], order[-1])))
        count = 1 if layout.leads is not None else PICTURES
        shown = layout.shown()
        # Three channels without names are the colours of pictures.
        colour = layout.leads is None and layout.variables == ("0", "1", "2")
        groups = [tuple(shown)] if colour else [(channel,) for channel in shown]
        side = PICTURE_SIDES[len(shape)]
        stored = tuple(min(n, side) for n in shape)
        start = tuple((n - m) // 2 for n, m in zip(shape, stored, strict=True))
        return StoredPictures([(s, group) for s in chosen[:count] for group in groups], start, stored)

    @property
    def geometry(self) -> dict[str, Any]:
        """Return the attributes of the record's geometry."""
        return {"kept_start": list(self._start), "kept_shape": list(self._shape), "kept_step": 1}

    def to_json(self) -> list[dict[str, Any]]:
        """Return the record's attribute."""
        return [{"sample": sample, "channels": list(channels)} for sample, channels in self.entries]

    def of_values(self, values: Tensor) -> NDArray[np.float32]:
        """Return (*space, channel) values of all entries, one after the other."""
        part = tuple(slice(s, s + n) for s, n in zip(self._start, self._shape, strict=True))
        chosen = [values[sample][part][..., list(channels)] for sample, channels in self.entries]
        return torch.cat(chosen, dim=-1).float().numpy()


def _frequency_unit(geometry: FieldGeometry) -> str:
    if geometry.sphere is not None:
        return "degree"
    return {"samples": "cycles per sample", "s": "Hz"}.get(geometry.unit, f"cycles per {geometry.unit}")


def _merged(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over groups of neighbouring blocks, of which there are at most 32; a remainder is left out."""
    length = math.ceil(len(blocks) / MAX_BLOCKS)
    count = len(blocks) // length
    return blocks[: count * length].reshape(count, length, *blocks.shape[1:]).mean(1)


def _margin(blocks: NDArray[np.float64]) -> list[float] | None:
    """Return half the width of the interval of the error ratio per band, channels combined; None without intervals."""
    interval = error_ratio_interval(blocks.sum(-1), LEVEL)
    with np.errstate(invalid="ignore"):
        half = (interval.high - interval.low) / 2
    return [float(x) for x in half] if np.isfinite(half).all() else None
