"""Spectrograms of a recording and of its reconstruction."""

from __future__ import annotations

from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from overtone._utils.text import count, number
from overtone.errors import InputError
from overtone.plots import _style as style
from overtone.plots._base import Plot
from overtone.plots._labels import escaped
from overtone.plots._snapshots import snapshot_data
from overtone.plots._wording import snapshot_samples
from overtone.records import Snapshots

_FRAMES = 300

_FLOOR = 80.0


@final
class Spectrogram(Plot):
    """Spectrograms of a recording and of its reconstruction.

    Short-time power in dB of the target and the last prediction, first channel.

    A Hann window of 1/64 of the recording, but 64 to 1024 samples, at most 300 frames. Levels are in dB relative to
    the target's loudest cell and are cut 80 dB below it.

    Attributes:
        data: A dataset over `frequency` (in 1 / coordinate unit: Hz for seconds) and `time` with `target` and
            `prediction`.

    Raises:
        InputError: If the recording has fewer than 16 samples.

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
        >>> spectrogram = plots.Spectrogram(record, arrays).data
        >>> float(spectrogram.target.max()), float(spectrogram.target.min())
        (0.0, -80.0)
    """

    def __init__(self, record: xr.Dataset, snapshots: Snapshots) -> None:
        d = snapshot_data(record, snapshots, limit=2).isel(channel=0)
        samples = d.sizes["axis_0"]
        if samples < 16:
            raise InputError(
                "a recording of at least 16 samples", f"{samples}", "draw it as a curve", "spectrogram"
            )
        # A power of two near a 64th of the recording resolves time and frequency about equally well.
        window = min(samples, int(np.clip(2 ** round(np.log2(max(samples // 64, 1))), 64, 1024)))
        # A quarter of a Hann window leaves no gaps; long recordings take larger steps to keep the page small.
        hop = max(window // 4, -(-samples // _FRAMES))
        spacing = float(d.axis_0[1] - d.axis_0[0])
        transform = ShortTimeFFT(hann(window, sym=False), hop=hop, fs=1 / spacing)
        levels = [transform.spectrogram(v) for v in (d.target.values, d.prediction.isel(moment=-1).values)]
        loudest = float(levels[0].max()) or 1.0
        target, prediction = (
            np.maximum(10 * np.log10(np.maximum(v / loudest, 10 ** (-_FLOOR / 10))), -_FLOOR) for v in levels
        )
        times = transform.t(samples) + float(d.axis_0[0])
        out = xr.Dataset(
            {"target": (("frequency", "time"), target), "prediction": (("frequency", "time"), prediction)},
            coords={"frequency": transform.f, "time": times},
        )
        self.data = out.assign_attrs(
            unit=d.attrs["units"][0], step=int(d.moment[-1]), samples=d.attrs["samples"]
        )

    def plotly(self) -> go.Figure:
        """Draw the target above and the prediction below, on one colour scale."""
        d = self.data
        seconds = d.attrs["unit"] == "s"
        titles = ("Target", f"Prediction at step {count(d.attrs['step'])}")
        fig = make_subplots(
            rows=2, cols=1, shared_xaxes=True, shared_yaxes=True, subplot_titles=titles, vertical_spacing=0.1
        )
        fig.update_layout(template=style.TEMPLATE, height=480)
        for row, name in ((1, "target"), (2, "prediction")):
            fig.add_heatmap(
                z=d[name].values.astype(np.float32),
                x=d.time.values,
                y=d.frequency.values,
                coloraxis="coloraxis",
                hovertemplate="%{x:.3g}, %{y:.4g}: %{z:.0f} dB<extra></extra>",
                row=row,
                col=1,
            )
        fig.update_layout(
            coloraxis={
                "colorscale": "Viridis",
                "cmin": -_FLOOR,
                "cmax": 0,
                "colorbar": {
                    "title": {"text": "Level (dB)", "side": "right"},
                    "thickness": 12,
                    "outlinewidth": 0,
                },
            }
        )
        fig.update_xaxes(
            title="Time (s)" if seconds else escaped(f"Coordinate ({d.attrs['unit']})", 80), row=2, col=1
        )
        fig.update_yaxes(title="Frequency (Hz)" if seconds else escaped(f"Cycles per {d.attrs['unit']}", 80))
        return fig

    def describe(self) -> str:
        """Describe the figure in one sentence, for readers who cannot see it."""
        d = self.data
        gap = float(np.abs(d.target - d.prediction).mean())
        return (
            f"Spectrograms of the target and of the prediction at step {count(d.attrs['step'])}, over "
            f"{snapshot_samples(d.attrs['samples'])}, in dB below the "
            f"target's loudest moment and cut at −{_FLOOR:.0f} dB; they differ by {number(gap, 2)} dB on average."
        )
