"""The target and its reconstruction at several steps: as curves, pixels or slices of a volume."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.colors import sample_colorscale
from plotly.subplots import make_subplots

from overtone._utils.text import count, decibels, number, plural
from overtone.plots import _encode as encode
from overtone.plots import _style as style
from overtone.plots._base import PicturePlot, Plot
from overtone.plots._labels import escaped
from overtone.plots._snapshots import snapshot_data, snapshot_psnr
from overtone.plots._wording import snapshot_samples
from overtone.records import Snapshots

_POINTS = 1000

AXES = ("first", "second", "third")


@final
class Curve(Plot):
    """A one-dimensional target and its reconstruction at five steps.

    First channel of target and predictions; of long signals the 1000 neighbouring samples that vary most.

    Neighbours, not every k-th sample: thinning would show frequencies that are not there.

    Attributes:
        data: A dataset over `x` with `target` (x) and `prediction` (moment, x), in the value's unit; attributes
            `count`, the samples of the whole signal, and `psnr` of the last prediction, in dB, over all of it.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> attrs = {"geometry": {"shape": [64]}}
        >>> header = records.Header([0, 1], [1, 4], ["value"], {"target_power": [[0], [1]]}, attrs)
        >>> target = np.sin(np.linspace(0, 20, 64))[:, None]
        >>> with records.Writer.create(tempfile.mkdtemp() + "/record.sqlite", header) as writer:
        ...     writer.append(0, {"residual_power": [[0], [1]]})
        ...     writer.snapshot("target", -1, target)
        ...     writer.snapshot("prediction", 0, 0.9 * target)
        >>> record, arrays = records.load(writer.path), records.snapshots(writer.path)
        >>> plots.Curve(record, arrays).data.sizes["x"]
        64
    """

    def __init__(self, record: xr.Dataset, snapshots: Snapshots) -> None:
        d = snapshot_data(record, snapshots)
        samples, last = d.sizes["axis_0"], d.prediction.isel(moment=-1)
        whole = snapshot_psnr(d.target.values, last.values, d.attrs["peak"])
        first = d.isel(channel=0)
        # Stretches that overlap by half, so that an event at the end of one is inside the next.
        starts = np.arange(0, max(1, samples - _POINTS + 1), max(1, _POINTS // 2))
        liveliest = max(starts, key=lambda i: float(np.var(first.target.values[i : i + _POINTS])))
        stretch = first.isel(axis_0=slice(liveliest, liveliest + _POINTS)).rename(axis_0="x")
        self.data = stretch.assign_attrs(d.attrs | {"count": samples, "psnr": whole})

    def plotly(self) -> go.Figure:
        """Draw the curves: the target grey and wide beneath, predictions from pale (early) to dark (late)."""
        d = self.data
        fig = style.canvas()
        x, unit = d.x.values, d.attrs["units"][0]
        fig.add_scatter(
            x=x, y=d.target.values, name="target", mode="lines", line={"color": style.TARGET, "width": 4}
        )
        shades = sample_colorscale("Viridis", list(np.linspace(0.85, 0.2, d.sizes["moment"])))
        for shade, step in zip(shades, d.moment.values, strict=True):
            late = step == d.moment.values[-1]
            fig.add_scatter(
                x=x,
                y=d.prediction.sel(moment=step).values,
                name=f"step {count(float(step))}",
                mode="lines",
                line={"color": style.PREDICTION if late else shade, "width": 2 if late else 1.2},
                visible=True
                if late
                else "legendonly"
                if d.sizes["moment"] > 3 and step == d.moment.values[0]
                else True,
            )
        fig.update_xaxes(title="Time (s)" if unit == "s" else escaped(f"Coordinate ({unit})", 80))
        value = d.attrs["value_unit"]
        fig.update_yaxes(title=escaped(f"Value ({value})" if value else "Value", 80))
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        shown = d.sizes["x"]
        part = (
            f" The {shown:,} of {d.attrs['count']:,} samples that vary most are drawn."
            if shown < d.attrs["count"]
            else ""
        )
        last = count(float(d.moment[-1]))
        return (
            f"Target and prediction at {plural(d.sizes['moment'], 'step')}; at step {last} the "
            f"prediction reaches {decibels(d.attrs['psnr'])} PSNR over {snapshot_samples(d.attrs['samples'])}.{part}"
        )


@final
class Picture(PicturePlot):
    """A two-dimensional target beside its reconstruction at five steps, as pixels.

    Target, predictions and the last difference as 8-bit pixels on one common scale.

    Three channels become red, green and blue; any other number shows the first channel in grey. Pictures map 0..1 to
    black..white; other arrays map the target's smallest to largest value. What lies beyond is clipped.

    Attributes:
        data: A dataset with uint8 `target` (y, x, rgb), `prediction` (moment, y, x, rgb), `difference` (y, x, rgb)
            of the last moment (blue below, orange above the target), `psnr` (moment) in dB over all channels;
            attribute `limit`, the value at which the difference's colour ends.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> attrs = {"geometry": {"shape": [16, 16]}}
        >>> header = records.Header([0, 1], [1, 4], ["value"], {"target_power": [[0], [1]]}, attrs)
        >>> target = np.random.default_rng(0).random((16, 16, 1))
        >>> with records.Writer.create(tempfile.mkdtemp() + "/record.sqlite", header) as writer:
        ...     writer.append(0, {"residual_power": [[0], [1]]})
        ...     writer.snapshot("target", -1, target)
        ...     writer.snapshot("prediction", 0, 0.9 * target)
        >>> record, arrays = records.load(writer.path), records.snapshots(writer.path)
        >>> plots.Picture(record, arrays).data.prediction.shape
        (1, 16, 16, 3)
    """

    _width = "double"

    def __init__(self, record: xr.Dataset, snapshots: Snapshots) -> None:
        d = snapshot_data(record, snapshots)
        colour = d.sizes["channel"] == 3
        shown = d if colour else d.isel(channel=[0])
        is_picture = record.attrs.get("kind") == "picture"
        low, high = (0.0, 1.0) if is_picture else (float(shown.target.min()), float(shown.target.max()))
        last = shown.prediction.isel(moment=-1)
        difference = (last - shown.target).mean("channel").values
        # A few outliers at the end of the scale would leave all other differences white.
        limit = float(np.nanpercentile(np.abs(difference), 99.5)) or 1.0
        quality = [snapshot_psnr(d.target.values, p.values, d.attrs["peak"]) for p in d.prediction]
        repeat = 1 if colour else 3
        pixels = ("y", "x", "rgb")
        out = xr.Dataset(
            {
                "target": (pixels, np.repeat(encode.grey(shown.target.values, low, high), repeat, -1)),
                "prediction": (
                    ("moment", *pixels),
                    np.repeat(encode.grey(shown.prediction.values, low, high), repeat, -1),
                ),
                "difference": (pixels, encode.diverging(difference, limit)),
                "psnr": ("moment", quality),
            },
            coords={"moment": d.moment.values},
        )
        attributes = {name: d.attrs[name] for name in ("value_unit", "samples")}
        self.data = out.assign_attrs(attributes, limit=limit, channels=d.sizes["channel"])

    def _encoded_with(self, encoded: Callable[[np.ndarray], str]) -> go.Figure:
        """Draw the pictures as one figure, target first, difference last."""
        d = self.data
        shown = [
            ("target", d.target),
            *((_caption(d, i), p) for i, p in enumerate(d.prediction)),
            ("difference", d.difference),
        ]
        rows = -(-len(shown) // 4)
        fig = make_subplots(rows=rows, cols=4, subplot_titles=[t for t, _ in shown], horizontal_spacing=0.02)
        fig.update_layout(template=style.TEMPLATE, height=260 * rows)
        for place, (_, pixels) in enumerate(shown):
            panel = {"row": place // 4 + 1, "col": place % 4 + 1}
            fig.add_trace(go.Image(source=encoded(pixels.values), hoverinfo="skip"), **panel)
        fig.update_xaxes(visible=False)
        fig.update_yaxes(visible=False)
        return fig

    def describe(self) -> str:
        """Describe the pictures in one sentence, for readers who cannot see them."""
        d = self.data
        grey = (
            "" if d.attrs["channels"] in (1, 3) else f" The first of {d.attrs['channels']} channels is shown."
        )
        steps = plural(d.sizes["moment"], "step")
        last = count(float(d.moment[-1]))
        samples, limit = snapshot_samples(d.attrs["samples"]), number(d.attrs["limit"], 2)
        return (
            f"The target, the prediction at {steps} with its PSNR over {samples}, and the difference at step {last} "
            f"(blue too low, orange too high, full colour at ±{limit}).{grey}"
        )


@final
class Slices(PicturePlot):
    """Three orthogonal slices through the middle of a volume: target, prediction, difference.

    The middle slice across each axis, first channel, at the last moment shown.

    Attributes:
        data: A dataset with `target_i`, `prediction_i` and `difference_i` for i = 0, 1, 2 (the axis cut across), in
            the value's unit; attributes `step`, `low` and `high` (the target's range), `limit` (of the difference),
            `at` (the cut's coordinate per axis) and `psnr` in dB over the whole volume.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> attrs = {"geometry": {"shape": [8, 8, 8]}}
        >>> header = records.Header([0, 1], [1, 4], ["value"], {"target_power": [[0], [1]]}, attrs)
        >>> target = np.random.default_rng(0).random((8, 8, 8, 1))
        >>> with records.Writer.create(tempfile.mkdtemp() + "/record.sqlite", header) as writer:
        ...     writer.append(0, {"residual_power": [[0], [1]]})
        ...     writer.snapshot("target", -1, target)
        ...     writer.snapshot("prediction", 0, 0.9 * target)
        >>> record, arrays = records.load(writer.path), records.snapshots(writer.path)
        >>> plots.Slices(record, arrays).data.target_0.shape
        (8, 8)
    """

    _width = "double"

    def __init__(self, record: xr.Dataset, snapshots: Snapshots) -> None:
        d = snapshot_data(record, snapshots, limit=2)
        whole = snapshot_psnr(d.target.values, d.prediction.isel(moment=-1).values, d.attrs["peak"])
        target, last = d.target.isel(channel=0), d.prediction.isel(channel=0, moment=-1)
        out, at = xr.Dataset(), []
        for i in range(3):
            axis, others = f"axis_{i}", [f"axis_{j}" for j in range(3) if j != i]
            cut = {axis: target.sizes[axis] // 2}
            at.append(float(target[axis][cut[axis]]))
            for name, volume in (("target", target), ("prediction", last), ("difference", last - target)):
                out[f"{name}_{i}"] = volume.isel(cut).transpose(*others).drop_vars(axis)
        limit = max(float(np.nanpercentile(np.abs(out[f"difference_{i}"]), 99.5)) for i in range(3)) or 1.0
        scale = {
            "step": int(d.moment[-1]),
            "low": float(target.min()),
            "high": float(target.max()),
            "limit": limit,
        }
        common = {name: d.attrs[name] for name in ("units", "samples")}
        self.data = out.drop_vars("moment").assign_attrs(scale | common | {"at": at, "psnr": whole})

    def _encoded_with(self, encoded: Callable[[np.ndarray], str]) -> go.Figure:
        """Draw nine pictures: one row per axis cut across; target, prediction, difference."""
        names = ("target", "prediction", "difference")
        titles = [f"{name}, {AXES[i]} axis" for i in range(3) for name in names]
        fig = make_subplots(
            rows=3, cols=3, subplot_titles=titles, horizontal_spacing=0.02, vertical_spacing=0.06
        )
        fig.update_layout(template=style.TEMPLATE, height=720)
        for i in range(3):
            for j, name in enumerate(names):
                fig.add_trace(
                    go.Image(source=encoded(self.pixels(name, i)), hoverinfo="skip"),
                    row=i + 1,
                    col=j + 1,
                )
        fig.update_xaxes(visible=False)
        fig.update_yaxes(visible=False)
        return fig

    def pixels(self, name: str, axis: int) -> np.ndarray:
        """Return one slice as (H, W, 3) uint8: grey over the target's range, or the difference in blue and orange."""
        d = self.data
        values = d[f"{name}_{axis}"].values
        if name == "difference":
            return encode.diverging(values, d.attrs["limit"])
        return np.repeat(encode.grey(values, d.attrs["low"], d.attrs["high"])[..., None], 3, -1)

    def cut(self, axis: int) -> str:
        """Return where one slice lies, in words."""
        d = self.data
        return f"across the {AXES[axis]} axis at {number(d.attrs['at'][axis])} {d.attrs['units'][axis]}"

    def describe(self) -> str:
        """Describe the slices in one sentence, for readers who cannot see them."""
        d = self.data
        return (
            f"Slices through the middle of the volume at step {count(d.attrs['step'])} "
            f"({decibels(d.attrs['psnr'])} PSNR over {snapshot_samples(d.attrs['samples'])}): target, prediction and "
            f"their difference (blue too low, orange too high, full colour at ±{number(d.attrs['limit'], 2)})."
        )


def _caption(d: xr.Dataset, moment: int) -> str:
    return f"step {count(float(d.moment[moment]))}, {decibels(float(d.psnr[moment]))}"
