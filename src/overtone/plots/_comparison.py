"""Several records on one chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from overtone._utils.display import Displayed
from overtone._utils.text import decibels, percent
from overtone.errors import InputError
from overtone.plots import _bands as bands
from overtone.plots import _style as style
from overtone.plots._errors import PSNR
from overtone.plots._labels import escaped
from overtone.plots._learning import LearningStep
from overtone.plots._paper import checked_path, save_figure, side_by_side
from overtone.plots._spectra import Spectra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DASHES = ("solid", "dash", "dot", "dashdot")


@final
class RunComparison(Displayed):
    """Several records on one chart: learning steps, PSNR over training, and final residual spectra.

    Per record: learning steps, PSNR curves and final spectra, on the record's own bands and steps.

    Args:
        records: Two or more records of the same frequency unit.
        labels: One distinct name each.

    Attributes:
        data: One dataset a record with the variables of `LearningStep` (over `band`), `PSNR` (over `step`) and
            `Spectra` (over `band`); attributes `label`, `held_out` (whether there are held-out samples), `levels`
            and `network_step` (see `PSNR`).

    Raises:
        InputError: If frequencies are not in one unit, or labels do not fit.

    Example:
        >>> import numpy as np
        >>> from overtone import plots, records
        >>> header = records.Header([0, 1, 2], [1, 2, 4], ["grey"], {"target_power": [[0], [1], [1]]}, {"peak": 1.0})
        >>> residual = np.exp(-np.outer([0, 10, 100], [1, 0.2, 0.02]))[..., None]
        >>> record = header.record([0, 10, 100], {"residual_power": residual, "train_error": residual.mean((1, 2))})
        >>> compared = plots.RunComparison([record, record.isel(step=slice(2))], ["long", "short"])
        >>> [int(d.learning_step.notnull().sum()) for d in compared.data]
        [2, 1]
    """

    _display = "run_comparison_display"

    def __repr__(self) -> str:
        return (
            f"<RunComparison of {len(self.data)} records: {', '.join(d.attrs['label'] for d in self.data)}>"
        )

    def __init__(self, records: Sequence[xr.Dataset], labels: Sequence[str]) -> None:
        if len(labels) != len(records) or len(set(labels)) != len(labels):
            raise InputError(
                "one distinct label per record", f"{list(labels)}", "rename the runs", "comparison"
            )
        units = sorted({bands.unit(record) for record in records})
        if len(units) > 1:
            raise InputError(
                "records of one frequency unit",
                " and ".join(units),
                "compare runs on the same signal",
                "comparison",
            )
        out = []
        for record, label in zip(records, labels, strict=True):
            steps = LearningStep(record).data.isel(run=0)
            curves, power = PSNR(record).data, Spectra(record).data
            joined = xr.merge([steps, curves, power.drop_vars("frequency")], combine_attrs="drop")
            held_out = bool(np.isfinite(joined.held_out).any())
            attrs = {"label": label, "held_out": held_out, "frequency_title": bands.title(record)}
            attrs |= {name: curves.attrs[name] for name in ("levels", "network_step")}
            out.append(joined.assign_attrs(attrs, power_unit=power.attrs["power_unit"]))
        self.data = out

    def learning_steps(self) -> go.Figure:
        """Draw the learning step over frequency, one line per record; bands not learned are left out."""
        compared = self.data
        fig = style.canvas()
        shown = [np.array([1.0])]
        for i, d in enumerate(compared):
            steps = d.learning_step.values
            done = np.isfinite(steps)
            y = style.step_positions(steps[done])
            shown.append(steps[done])
            hover = "frequency %{x:.3g}: learned at step %{customdata}"
            fig.add_scatter(x=d.frequency.values[done], y=y, customdata=steps[done], **_line(d, i, hover))
        _frequency_axis(fig, compared)
        fig.update_yaxes(style.step_axis(np.unique(np.concatenate(shown)), "Learning step", pad=0.1))
        return fig

    def psnr_curves(self) -> go.Figure:
        """Draw PSNR over steps, one line a record.

        Held-out samples where every record has some, else training samples.
        """
        compared = self.data
        # One kind of samples for all records: a held-out PSNR and a training PSNR cannot be compared.
        fig, name = style.canvas(), self.psnr_shown()
        for i, d in enumerate(compared):
            x, y = style.step_positions(d.step.values), d[name].values
            known = np.isfinite(y)
            hover = "step %{customdata}: %{y:.2f} dB"
            fig.add_scatter(x=x[known], y=y[known], customdata=d.step.values[known], **_line(d, i, hover))
        fig.update_xaxes(style.step_axis(np.unique(np.concatenate([d.step.values for d in compared]))))
        kind = "held-out samples" if name == "held_out" else "training samples"
        fig.update_yaxes(title=f"PSNR, {kind} (dB)")
        return fig

    def figure(self, width: float | str = "double") -> Figure:
        """Draw all three as one Matplotlib figure, for papers: PSNR, learning steps, spectra, side by side.

        Args:
            width: "single", "double", or inches, as in `Plot.figure`.

        Raises:
            InputError: If Matplotlib is not installed, or the width is unknown.
        """
        return side_by_side([self.psnr_curves(), self.learning_steps(), self.final_spectra()], width)

    def save(self, path: str | Path, width: float | str = "double") -> Path:
        """Write that figure as PDF, PNG or SVG, whole or not at all.

        Args:
            path: Its suffix decides the format.
            width: As in `figure`.

        Returns:
            The path.

        Raises:
            InputError: If the suffix is another one, Matplotlib is not installed, or the width is unknown.
            OSError: If the file cannot be written.
        """
        return save_figure(self.figure(width), checked_path(path))

    def psnr_shown(self) -> str:
        """Return the variable that `psnr_curves` draws, the same for all records."""
        compared = self.data
        return "held_out" if all(d.attrs["held_out"] for d in compared) else "train"

    @staticmethod
    def final_psnr(d: xr.Dataset, name: str) -> float:
        """Return the PSNR in dB of the network that a run handed back; NaN if unknown.

        Args:
            d: One of `data`.
            name: "train" or "held_out".
        """
        return next((level.psnr for level in d.attrs["levels"] if level.name == name), np.nan)

    def final_spectra(self) -> go.Figure:
        """Draw the first record's target (grey) and the residual of every run's network, power per band."""
        compared = self.data
        fig, first = style.canvas(), compared[0]
        line = {"color": style.TARGET, "width": 3}
        fig.add_scatter(
            x=first.frequency.values,
            y=style.positive_only(first.target.values),
            name="target",
            mode="lines",
            line=line,
        )
        for i, d in enumerate(compared):
            hover = "frequency %{x:.3g}: residual %{y:.3g}"
            fig.add_scatter(
                x=d.frequency.values, y=style.positive_only(d.residual.values), **_line(d, i, hover)
            )
        _frequency_axis(fig, compared)
        shown = [first.target.values, *(d.residual.values for d in compared)]
        fig.update_yaxes(style.power_axis(shown, f"Residual power in the band ({first.attrs['power_unit']})"))
        return fig

    def describe(self) -> list[str]:
        """Describe the figures in one sentence each: learning steps, PSNR, spectra."""
        compared = self.data
        name = self.psnr_shown()
        on, learned = (
            "held-out" if name == "held_out" else "training",
            [
                f"{d.attrs['label']}: {int(np.isfinite(d.learning_step).sum())} of {d.sizes['band']}"
                for d in compared
            ],
        )
        level = [f"{d.attrs['label']}: {decibels(self.final_psnr(d, name))}" for d in compared]
        left = [f"{d.attrs['label']}: {percent(_left(d))}" for d in compared]
        return [
            f"Bands learned to a relative error below 0.5, and when. {'; '.join(learned)} bands.",
            f"PSNR over training on {on} samples. Of the returned networks: {'; '.join(level)}.",
            "Residual power of the returned networks, as a fraction of the target's power without its mean. "
            f"{'; '.join(left)}.",
        ]


def _left(d: xr.Dataset) -> float:
    whole = float(d.target.sum())
    return float(d.residual.sum(skipna=False)) / whole if whole > 0 else float("nan")


def _line(d: xr.Dataset, i: int, hover: str) -> dict[str, Any]:
    label = escaped(d.attrs["label"])
    # Colours repeat after eight runs; the dashes then tell them apart.
    line = {
        "color": style.RUNS[i % len(style.RUNS)],
        "width": 2,
        "dash": _DASHES[i // len(style.RUNS) % len(_DASHES)],
    }
    template = f"{label}<br>{hover}<extra></extra>"
    return {
        "name": label,
        "mode": "lines+markers",
        "line": line,
        "marker": {"size": 5},
        "hovertemplate": template,
    }


def _frequency_axis(fig: go.Figure, compared: Sequence[xr.Dataset]) -> None:
    frequency = np.concatenate([d.frequency.values for d in compared])
    fig.update_xaxes(
        style.log_axis(frequency.min(), frequency.max(), compared[0].attrs["frequency_title"], 0.03)
    )
