"""Target and reconstruction as blocks of a page: pictures, curves, sounds or slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from overtone._utils.text import count, decibels, number
from overtone.plots import Curve, Picture, Slices, Spectrogram
from overtone.plots import _encode as encode
from overtone.plots import _snapshots as reconstruction
from overtone.plots._snapshots import Selection
from overtone.plots._wording import snapshot_samples
from overtone.records import Snapshots
from overtone.reports._blocks import Block, PictureBlock, PicturesBlock, PlotBlock, SoundBlock, SoundsBlock

_LONGEST = 12.0


def media_blocks(record: xr.Dataset, snapshots: Snapshots) -> list[Block]:
    """Return the blocks that show the reconstruction; none if the record holds no predictions.

    Args:
        record: A loaded record.
        snapshots: Its snapshots.
    """
    if "target" not in snapshots.names or "prediction" not in snapshots.names:
        return []
    axes = len(reconstruction.snapshot_shape(record, snapshots))
    # The number of axes decides what people can look at or listen to.
    if axes == 3:
        return [_slices(record, snapshots)]
    if axes == 2:
        return [_pictures(record, snapshots)]
    shown: list[Block] = [_curves(record, snapshots)]
    if record.attrs.get("kind") == "audio" and reconstruction.snapshot_shape(record, snapshots)[0] >= 16:
        return [_sounds(record, snapshots), _spectrograms(record, snapshots), *shown]
    return shown


def _picture(pixels: np.ndarray, title: str, note: str, alt: str) -> PictureBlock:
    height, width = pixels.shape[:2]
    return PictureBlock(encode.picture_uri(pixels), width, height, title, note, alt)


def _pictures(record: xr.Dataset, snapshots: Snapshots) -> PicturesBlock:
    d = Picture(record, snapshots)
    shown = [_picture(d.data.target.values, "Target", "the signal to be learned", "The target")]
    for step, pixels, quality in zip(
        d.data.moment.values, d.data.prediction.values, d.data.psnr.values, strict=True
    ):
        title = f"Step {count(float(step))}"
        note = f"PSNR {decibels(float(quality))} over {snapshot_samples(d.data.attrs['samples'])}"
        shown.append(_picture(pixels, title, note, f"The prediction at {title.lower()}, {note}"))
    note = f"full colour at ±{number(d.data.attrs['limit'], 2)}"
    last = float(d.data.moment[-1])
    alt = f"Prediction at step {count(last)} minus target: blue where too low, orange where too high"
    shown.append(_picture(d.data.difference.values, f"Difference, step {count(last)}", note, alt))
    return PicturesBlock(
        "reconstruction-pictures", "Target and reconstruction", _compressed(d.describe()), shown
    )


def _slices(record: xr.Dataset, snapshots: Snapshots) -> PicturesBlock:
    slices, shown = Slices(record, snapshots), []
    for axis in range(3):
        for name in ("target", "prediction", "difference"):
            title, note = name.capitalize(), slices.cut(axis)
            shown.append(_picture(slices.pixels(name, axis), title, note, f"{title}, {note}"))
    return PicturesBlock(
        "reconstruction-slices", "Middle slices", _compressed(slices.describe()), shown, columns=3
    )


def _curves(record: xr.Dataset, snapshots: Snapshots) -> PlotBlock:
    d = Curve(record, snapshots)
    return PlotBlock("reconstruction-curve", "Target and reconstruction", d.describe(), d.plotly())


def _spectrograms(record: xr.Dataset, snapshots: Snapshots) -> PlotBlock:
    d = Spectrogram(record, snapshots)
    return PlotBlock("reconstruction-spectrogram", "Spectrograms", d.describe(), d.plotly())


def _sounds(record: xr.Dataset, snapshots: Snapshots) -> SoundsBlock:
    d = reconstruction.snapshot_data(record, snapshots, limit=2)
    rate = round(1 / float(d.axis_0[1] - d.axis_0[0]))
    last = d.prediction.isel(moment=-1)
    shown = _players(
        [("Target", d.target.values), (f"Prediction at step {count(float(last.moment))}", last.values)],
        rate,
    )
    seconds = d.sizes["axis_0"] / rate
    cut = f", the first {_LONGEST:.0f} of {number(seconds)} seconds" if seconds > _LONGEST else ""
    if d.attrs["samples"].selection is not Selection.ALL:
        cut += f" of {snapshot_samples(d.attrs['samples'])}"
    return SoundsBlock(
        f"Embedded as 16-bit FLAC at {count(rate)} Hz{cut}; values beyond ±1 are clipped.", shown
    )


def _players(named: Sequence[tuple[str, np.ndarray]], rate: int) -> list[SoundBlock]:
    return [
        SoundBlock(f"sound-{i}", title, encode.sound_uri(values[:, :2], rate, _LONGEST))
        for i, (title, values) in enumerate(named)
    ]


def _compressed(sentence: str) -> str:
    note = f"Embedded as compressed WebP, at most {encode.LARGEST} pixels a side: to look at, not to measure."
    return f"{sentence} {note}"
