"""Figures of a comparison: the quality of each candidate, and quality over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import final

import numpy as np
import plotly.graph_objects as go
import xarray

from overtone._utils.text import decibels, number
from overtone.comparing._statistics import Score
from overtone.comparing._truth import TrueErrors
from overtone.plots import Plot
from overtone.plots import _style as style
from overtone.plots._bands import centres, title

KINDS = (("network", True, style.PREDICTION, "circle"), ("no network", False, style.RESIDUAL, "diamond"))


def scores_dataset(scores: Sequence[Score]) -> xarray.Dataset:
    """Return the data of the figures: `psnr`, `low`, `high` in dB, `seconds`, `trained` (candidate), in their order."""
    columns = {
        "psnr": [s.mean for s in scores],
        "low": [s.low for s in scores],
        "high": [s.high for s in scores],
        "seconds": [s.seconds for s in scores],
        "trained": [s.trained for s in scores],
    }
    return xarray.Dataset(
        {key: ("candidate", np.asarray(value)) for key, value in columns.items()},
        {"candidate": [s.name for s in scores]},
    )


@final
class CandidateQuality(Plot):
    """A dot and an interval per candidate, best on top.

    Args:
        scores: Scores, best first.
        judged: What the candidates are judged by.

    Attributes:
        data: `psnr` and the interval `low` to `high` in dB, `seconds`, `trained` (whether it is a network), over
            `candidate`.
    """

    def __init__(self, scores: Sequence[Score], judged: str = "held-out samples") -> None:
        self.data, self._judged = scores_dataset(scores), judged

    def plotly(self) -> go.Figure:
        """Draw the candidates with their intervals."""
        fig = style.canvas(130 + 30 * self.data.sizes["candidate"])
        for name, trained, colour, symbol in KINDS:
            one = self.data.isel(candidate=np.flatnonzero(self.data.trained.values == trained))
            fig.add_scatter(
                x=one.psnr.values,
                y=one.candidate.values.tolist(),
                name=name,
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 10},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": (one.high - one.psnr).values,
                    "arrayminus": (one.psnr - one.low).values,
                    "color": colour,
                },
            )
        fig.update_xaxes(title={"text": f"PSNR on {self._judged} (dB)"})
        order = self.data.candidate.values.tolist()[::-1]
        fig.update_yaxes(categoryorder="array", categoryarray=order, ticks="")
        return fig

    def describe(self) -> str:
        """Name the best and the last candidate with their PSNR."""
        best, last = self.data.isel(candidate=0), self.data.isel(candidate=-1)
        return (
            f"PSNR on {self._judged} with its interval, best on top: {best.candidate.item()} "
            f"{decibels(float(best.psnr))}, last {last.candidate.item()} {decibels(float(last.psnr))}."
        )


@final
class CandidateCost(Plot):
    """Quality over time, one dot per candidate.

    Args:
        scores: Scores, best first.
        judged: What the candidates are judged by.

    Attributes:
        data: As for `CandidateQuality`; `seconds` is the time to fit and predict, the mean over seeds.
    """

    def __init__(self, scores: Sequence[Score], judged: str = "held-out samples") -> None:
        self.data, self._judged = scores_dataset(scores), judged

    def plotly(self) -> go.Figure:
        """Draw quality over time, the time on a logarithmic axis."""
        fig = style.canvas(400)
        # A time of 0 has no position on a log axis.
        seconds = np.maximum(self.data.seconds.values, 1e-3)
        sides = label_sides(seconds, self.data.psnr.values)
        for name, trained, colour, symbol in KINDS:
            index = np.flatnonzero(self.data.trained.values == trained)
            one = self.data.isel(candidate=index)
            fig.add_scatter(
                x=seconds[index],
                y=one.psnr.values,
                text=one.candidate.values.tolist(),
                name=name,
                mode="markers+text",
                textposition=[sides[i] for i in index],
                marker={"color": colour, "symbol": symbol, "size": 10},
            )
        fig.update_xaxes(**style.log_axis(float(seconds.min()), float(seconds.max()), "Time (s)", 0.4))
        fig.update_yaxes(title={"text": f"PSNR on {self._judged} (dB)"})
        return fig

    def describe(self) -> str:
        """Name the best candidate with its time, and the fastest one."""
        best, fastest = (
            self.data.isel(candidate=0),
            self.data.isel(candidate=int(np.argmin(self.data.seconds.values))),
        )
        return (
            f"PSNR over the time to fit and predict: {best.candidate.item()} takes {number(float(best.seconds))} s, "
            f"the fastest, {fastest.candidate.item()}, {number(float(fastest.seconds))} s."
        )


@final
class ErrorsByBand(Plot):
    """Amplitude of each candidate's error by frequency, beside that of the known solution.

    Args:
        truth: Residuals and errors.
        names: Candidates that are shown.

    Attributes:
        data: As `TrueErrors.dataset`.
    """

    def __init__(self, truth: TrueErrors, names: Sequence[str]) -> None:
        self.data = truth.dataset.sel(candidate=list(names))
        # By the rank among all candidates, so that a candidate keeps its colour whichever others are shown.
        self._colours = dict(zip((one.name for one in truth.candidates), cycle(style.RUNS), strict=False))

    def plotly(self) -> go.Figure:
        """Draw amplitudes on logarithmic axes."""
        fig = style.canvas(400)
        x = centres(self.data)
        lines = {"solution": (self.data.solution.values, style.TARGET, 3.0)}
        for name in self.data.candidate.values.tolist():
            lines[name] = (self.data.error.sel(candidate=name).values, self._colours[name], 1.5)
        for name, (values, colour, width) in lines.items():
            fig.add_scatter(
                x=x,
                y=style.positive_only(values),
                name=name,
                mode="lines",
                line={"color": colour, "width": width},
            )
        fig.update_xaxes(**style.log_axis(float(x[0]), float(x[-1]), title(self.data)))
        shown = np.concatenate([values for values, _, _ in lines.values()])
        high = float(np.nanmax(shown, initial=SMALLEST))
        low = float(np.nanmin(shown[shown > SMALLEST * high], initial=high))
        fig.update_yaxes(**style.log_axis(low, high, "Amplitude, part of the solution's", 0.1))
        return fig

    def describe(self) -> str:
        """Name the best candidate's band of the largest error."""
        best = self.data.isel(candidate=0)
        worst = int(np.argmax(best.error.values))
        low, high = (number(float(edge[worst])) for edge in (best.band_low, best.band_high))
        name = best.candidate.item()
        return (
            f"Error by frequency: that of {name} is largest from {low} to {high} {self.data.frequency_unit}."
        )


SMALLEST = 1e-8
"""Smallest amplitude that is drawn, as a part of the largest."""

SIDES = ("top center", "bottom center", "middle right", "middle left")
"""Positions of a label, in order of preference."""


def label_sides(seconds: np.ndarray, psnr: np.ndarray) -> list[str]:
    """Choose the side of each dot on which its label overlaps the fewest dots and earlier labels.

    Distances are measured in parts of the figure: a label is about 0.12 wide and 0.06 high.

    Args:
        seconds: (candidate,) positive, drawn on a log scale.
        psnr: (candidate,) in dB.
    """
    x, y = (_parts(values) for values in (np.log(seconds), psnr))
    taken: list[tuple[float, float]] = []
    sides = []
    for a, b in zip(x, y, strict=True):
        places = {
            "top center": (a, b + 0.06),
            "bottom center": (a, b - 0.06),
            "middle right": (a + 0.09, b),
            "middle left": (a - 0.09, b),
        }

        # Greedy: labels placed earlier are fixed, later ones avoid them.
        def crowded(side: str, places: dict[str, tuple[float, float]] = places) -> int:
            u, v = places[side]
            dots = sum(abs(u - p) < 0.08 and abs(v - q) < 0.035 for p, q in zip(x, y, strict=True))
            return dots + sum(abs(u - p) < 0.14 and abs(v - q) < 0.05 for p, q in taken)

        side = min(SIDES, key=crowded)
        sides.append(side)
        taken.append(places[side])
    return sides


def _parts(values: np.ndarray) -> np.ndarray:
    """Return values as parts of their range."""
    width = float(values.max() - values.min())
    return (values - values.min()) / (width if width > 0 else 1.0)
