"""Targets, predictions and differences of fields as pictures at a few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from plotly.subplots import make_subplots

from overtone._utils.text import count, number, plural
from overtone.errors import InputError
from overtone.plots import _encode as encode
from overtone.plots import _style as style
from overtone.plots._base import PicturePlot
from overtone.plots._snapshots import snapshot_data
from overtone.records import Snapshots

MOMENTS = 3
"""Steps at which predictions are shown."""


_MISSING = (196, 204, 226)
"""Colour of missing cells, which no picture has elsewhere."""


@final
class FieldPictures(PicturePlot):
    """Fields in two dimensions that a network predicts: target, predictions and their differences at a few steps.

    One entry is one channel of one sample, or three channels as red, green and blue. All pictures of an entry share the
    scale of its target, and all its differences share one scale; what lies outside is clipped.

    Attributes:
        data: A dataset with uint8 `target` (entry, y, x, rgb), `prediction` and `difference` (entry, moment, y, x, rgb;
            blue below, orange above the target), and `limit` (entry), the difference at which the colour ends;
            coordinates `entry`, its name, and `moment`, the step.

    Example:
        >>> import tempfile
        >>> import torch
        >>> from overtone import plots, records
        >>> from overtone.probes import Probe, views
        >>> clean = torch.rand(12, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> with Probe(views.fields(clean, clean), torch.nn.Conv2d(1, 1, 1), tempfile.mkdtemp()) as probe:
        ...     recorded = probe(0)
        >>> record, arrays = records.load(probe.path), records.snapshots(probe.path)
        >>> plots.FieldPictures(record, arrays).data.prediction.shape
        (2, 1, 16, 16, 3)
    """

    _width = "double"

    def __init__(self, record: xr.Dataset, snapshots: Snapshots) -> None:
        entries = list(record.attrs["fields"]["pictures"])
        if not entries:
            raise InputError(
                "a record with pictures of fields",
                "none, as of HEALPix pixels",
                "draw another plot",
                "record",
            )
        d = snapshot_data(record, snapshots, limit=MOMENTS)
        names = entry_names(record)
        target, prediction, difference, limits, first = [], [], [], [], 0
        for entry in entries:
            part = slice(first, first + len(entry["channels"]))
            first = part.stop
            truth, guesses = d.target.values[..., part], d.prediction.values[..., part]
            low, high = float(np.nanmin(truth)), float(np.nanmax(truth))
            missing = np.isnan(truth).any(-1)
            repeat = 1 if truth.shape[-1] == 3 else 3
            wrong = (guesses - truth).mean(-1)
            # The last differences decide the scale: those of the untrained network would leave all others white.
            limit = float(np.nanpercentile(np.abs(wrong[-1]), 99.5)) or 1.0
            target.append(np.repeat(encode.grey(truth, low, high), repeat, -1))
            prediction.append(np.repeat(encode.grey(guesses, low, high), repeat, -1))
            difference.append(np.stack([encode.diverging(one, limit) for one in wrong]))
            target[-1][missing] = prediction[-1][:, missing] = difference[-1][:, missing] = _MISSING
            limits.append(limit)
        pixels = ("y", "x", "rgb")
        self.data = xr.Dataset(
            {
                "target": (("entry", *pixels), np.stack(target)),
                "prediction": (("entry", "moment", *pixels), np.stack(prediction)),
                "difference": (("entry", "moment", *pixels), np.stack(difference)),
                "limit": ("entry", limits),
            },
            coords={"entry": names, "moment": d.moment.values},
        ).assign_attrs(value_unit=d.attrs["value_unit"])

    def _encoded_with(self, encoded: Callable[[np.ndarray], str]) -> go.Figure:
        """Draw two rows of pictures for each entry: predictions and target, and below the former the differences."""
        d = self.data
        rows, columns = 2 * d.sizes["entry"], 1 + d.sizes["moment"]
        steps = [f"step {count(float(step))}" for step in d.moment.values]
        titles = []
        for name in d.entry.values:
            titles += [*steps, f"target, {name}", *(f"difference, {step}" for step in steps), ""]
        figure = make_subplots(rows=rows, cols=columns, subplot_titles=titles, horizontal_spacing=0.02)
        figure.update_layout(template=style.TEMPLATE, height=220 * rows)
        for i in range(d.sizes["entry"]):
            # The differences stand below their predictions.
            shown = [*d.prediction[i], d.target[i], *d.difference[i]]
            for place, pixels in enumerate(shown):
                trace = go.Image(source=encoded(pixels.values), hoverinfo="skip")
                figure.add_trace(trace, row=2 * i + place // columns + 1, col=place % columns + 1)
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        return figure

    def describe(self) -> str:
        """Describe the pictures in one sentence, for readers who cannot see them."""
        d = self.data
        limits = " and ".join(dict.fromkeys(f"±{number(float(x), 2)}" for x in d.limit.values))
        return (
            f"Target, prediction and difference at {plural(d.sizes['moment'], 'step')} "
            f"(blue too low, orange too high, full colour at {limits}), of {', '.join(map(str, d.entry.values))}."
        )


def entry_names(record: xr.Dataset) -> list[str]:
    """Return the names of the stored pictures: sample, and channel or lead time where there are several.

    Args:
        record: A record of fields.
    """
    stored = record.attrs["fields"]
    variables, leads = stored["variables"], stored.get("leads")
    names = []
    for entry in stored["pictures"]:
        parts = [f"sample {entry['sample'] + 1}"]
        channel = entry["channels"][0]
        if leads is not None:
            parts.append(f"lead time {leads[channel]}")
        elif len(entry["channels"]) == 1 and len(variables) > 1:
            parts.append(
                f"channel {variables[channel]}" if variables[channel].isdigit() else variables[channel]
            )
        names.append(", ".join(parts))
    return names
