"""The target and its reconstruction as blocks of a page: pictures, curves, sounds or slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from overtone.plots import _encode as encode
from overtone.plots import _labels as text
from overtone.plots import _snapshots as reconstruction
from overtone.plots import curve, picture, slices, spectrogram
from overtone.records import Snapshots
from overtone.reports.blocks import Block, Picture, Pictures, Plot, Sound, Sounds

_LONGEST = 12.0


def blocks(record: xr.Dataset, snapshots: Snapshots) -> list[Block]:
    """What shows the reconstruction best: nothing if the record keeps no predictions.

    Args:
        record: A loaded record.
        snapshots: Its snapshots.
    """
    if "target" not in snapshots.names or "prediction" not in snapshots.names:
        return []
    axes = len(reconstruction.shape(record, snapshots))
    if axes == 3:
        return [_slices(record, snapshots)]
    if axes == 2:
        return [_pictures(record, snapshots)]
    shown: list[Block] = [_curves(record, snapshots)]
    if record.attrs.get("kind") == "audio" and reconstruction.shape(record, snapshots)[0] >= 16:
        return [_sounds(record, snapshots), _spectrograms(record, snapshots), *shown]
    return shown


def _picture(pixels: np.ndarray, title: str, note: str, alt: str) -> Picture:
    height, width = pixels.shape[:2]
    return Picture(encode.picture(pixels), width, height, title, note, alt)


def _pictures(record: xr.Dataset, snapshots: Snapshots) -> Pictures:
    d = picture.data(record, snapshots)
    shown = [_picture(d.target.values, "Target", "what is to be learned", "The target")]
    for step, pixels, quality in zip(d.moment.values, d.prediction.values, d.psnr.values, strict=True):
        title = f"Step {text.count(float(step))}"
        note = f"PSNR {text.decibels(float(quality))} over {d.attrs['samples']}"
        shown.append(_picture(pixels, title, note, f"The prediction at {title.lower()}, {note}"))
    note = f"full colour at ±{text.number(d.attrs['limit'], 2)}"
    last = float(d.moment[-1])
    alt = f"Prediction at step {text.count(last)} minus target: blue where too low, orange where too high"
    shown.append(_picture(d.difference.values, f"Difference, step {text.count(last)}", note, alt))
    return Pictures(
        "reconstruction-pictures", "Target and reconstruction", _compressed(picture.describe(d)), shown
    )


def _slices(record: xr.Dataset, snapshots: Snapshots) -> Pictures:
    d, shown = slices.data(record, snapshots), []
    for axis in range(3):
        for name in ("target", "prediction", "difference"):
            title, where = name.capitalize(), slices.cut(d, axis)
            shown.append(_picture(slices.pixels(d, name, axis), title, where, f"{title}, {where}"))
    return Pictures(
        "reconstruction-slices", "Middle slices", _compressed(slices.describe(d)), shown, columns=3
    )


def _curves(record: xr.Dataset, snapshots: Snapshots) -> Plot:
    d = curve.data(record, snapshots)
    return Plot("reconstruction-curve", "Target and reconstruction", curve.describe(d), curve.draw(d))


def _spectrograms(record: xr.Dataset, snapshots: Snapshots) -> Plot:
    d = spectrogram.data(record, snapshots)
    return Plot("reconstruction-spectrogram", "Spectrograms", spectrogram.describe(d), spectrogram.draw(d))


def _sounds(record: xr.Dataset, snapshots: Snapshots) -> Sounds:
    d = reconstruction.data(record, snapshots, most=2)
    rate = round(1 / float(d.axis_0[1] - d.axis_0[0]))
    last = d.prediction.isel(moment=-1)
    shown = _players(
        [("Target", d.target.values), (f"Prediction at step {text.count(float(last.moment))}", last.values)],
        rate,
    )
    seconds = d.sizes["axis_0"] / rate
    cut = f", the first {_LONGEST:.0f} of {text.number(seconds)} seconds" if seconds > _LONGEST else ""
    if d.attrs["samples"] != "all samples":
        cut += f" of {d.attrs['samples']}"
    return Sounds(
        f"Embedded as 16-bit FLAC at {text.count(rate)} Hz{cut}; values beyond ±1 are clipped.", shown
    )


def _players(named: Sequence[tuple[str, np.ndarray]], rate: int) -> list[Sound]:
    return [
        Sound(f"sound-{i}", title, encode.sound(values[:, :2], rate, _LONGEST))
        for i, (title, values) in enumerate(named)
    ]


def _compressed(sentence: str) -> str:
    kept = f"Embedded as compressed WebP, at most {encode.LARGEST} pixels a side: for looking at, not for measuring."
    return f"{sentence} {kept}"
