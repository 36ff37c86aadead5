"""Page of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import xarray

from overtone._utils.text import count, decibels, number
from overtone.comparing._statistics import Score
from overtone.comparing._wording import budget_words
from overtone.planning._reasons import sentences
from overtone.plots import _encode as encode
from overtone.plots import _style as style
from overtone.reports._blocks import (
    Block,
    Page,
    PictureBlock,
    PicturesBlock,
    PlotBlock,
    Section,
    TableBlock,
    Tile,
)
from overtone.reports._page import render, write_html

if TYPE_CHECKING:
    from overtone.comparing._comparison import ComparisonResult

SHOWN = 6
"""Number of plotted candidates, best first; the best without a network is always among them."""

MAX_SAMPLES = 400
"""Maximum number of plotted samples of a line."""


def reconstructions(comparison: ComparisonResult) -> Block:
    """Return a block with reference, samples and reconstructions: curves for a line, pictures for other signals."""
    axes = len(comparison.task.signal.geometry.shape)
    return _curves(comparison) if axes == 1 else _pictures(comparison, axes)


def _names(comparison: ComparisonResult) -> list[str]:
    names = [score.name for score in comparison.scores]
    return list(dict.fromkeys([comparison.winner, *names]))[:SHOWN]


def _quality(score: Score) -> str:
    """Return the quality of the plotted prediction, which is from the first seed."""
    which = ", first seed" if len(score.psnr) > 1 else ""
    return f"PSNR {decibels(score.psnr[0])} on held-out samples{which}"


def _pictures(comparison: ComparisonResult, axes: int) -> PicturesBlock:
    signal = comparison.task.signal
    shape = signal.geometry.shape
    reference = comparison.task.reference.cpu().double().numpy()
    low, high = (0.0, 1.0) if signal.kind == "picture" else (float(reference.min()), float(reference.max()))

    def pixels(values: np.ndarray) -> np.ndarray:
        field = values.reshape(*shape, -1)
        # Of a volume the middle slice; of channels other than colours the first.
        field = field if axes == 2 else field[shape[0] // 2]
        field = field if field.shape[-1] == 3 else field[..., :1].repeat(3, -1)
        return encode.grey(field, low, high)

    def one(title: str, note: str, values: np.ndarray) -> PictureBlock:
        image = pixels(values)
        return PictureBlock(
            encode.picture_uri(image), image.shape[1], image.shape[0], title, note, f"{title}, {note}"
        )

    training = np.full_like(reference, low)
    train = signal.train_index.cpu().numpy()
    training[train] = signal.values.cpu().double().numpy()[train]
    levels = {score.name: score for score in comparison.scores}
    shown = [
        one("Reference", "target of the comparison", reference),
        one("Samples", "gaps are black", training),
    ]
    shown += [one(name, _quality(levels[name]), comparison.predictions[name]) for name in _names(comparison)]
    part = "" if axes == 2 else " The middle slice of the first axis."
    return PicturesBlock("reconstructions", "Reconstructions", f"Each of the first seed.{part}", shown)


def _curves(comparison: ComparisonResult) -> PlotBlock:
    signal = comparison.task.signal
    grid = signal.geometry
    held = signal.held_out_index.cpu().numpy()
    # A window around the median held-out sample, so that held-out samples are visible in it.
    begin = int(np.clip(held[len(held) // 2] - MAX_SAMPLES // 2, 0, max(0, grid.samples - MAX_SAMPLES)))
    part = slice(begin, min(begin + MAX_SAMPLES, grid.samples))
    x = grid.coords().numpy()[part, 0]
    fig = style.canvas(380)
    reference = comparison.task.reference.cpu().numpy()[part, 0]
    fig.add_scatter(x=x, y=reference, name="reference", line={"color": style.TARGET, "width": 3})
    for name, colour in zip(_names(comparison)[:3], style.RUNS, strict=False):
        fig.add_scatter(
            x=x, y=comparison.predictions[name][part, 0], name=name, line={"color": colour, "width": 1.5}
        )
    inside = held[(held >= part.start) & (held < part.stop)]
    fig.add_scatter(
        x=x[inside - part.start],
        y=reference[inside - part.start],
        name="held out",
        mode="markers",
        marker={"color": "#d9542b", "symbol": "x", "size": 6},
    )
    fig.update_xaxes(title={"text": grid.units[0]})
    fig.update_yaxes(
        title={"text": f"{signal.channels[0]} {f'({signal.value_unit})' if signal.value_unit else ''}"}
    )
    caption = f"The first channel on {part.stop - part.start} samples, each candidate's first seed."
    return PlotBlock("reconstructions", "Reconstructions", caption, fig)


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


def quality_figure(shown: xarray.Dataset) -> go.Figure:
    """Return a figure with a dot and an interval per candidate, best on top.

    Args:
        shown: From `scores_dataset`.
    """
    fig = style.canvas(130 + 30 * shown.sizes["candidate"])
    for name, trained, colour, symbol in KINDS:
        one = shown.isel(candidate=np.flatnonzero(shown.trained.values == trained))
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
    fig.update_xaxes(title={"text": "PSNR on held-out samples (dB)"})
    order = shown.candidate.values.tolist()[::-1]
    fig.update_yaxes(categoryorder="array", categoryarray=order, ticks="")
    return fig


def cost_figure(shown: xarray.Dataset) -> go.Figure:
    """Return a figure of quality over time, one dot per candidate.

    Args:
        shown: From `scores_dataset`.
    """
    fig = style.canvas(400)
    # A time of 0 has no position on a log axis.
    seconds = np.maximum(shown.seconds.values, 1e-3)
    sides = label_sides(seconds, shown.psnr.values)
    for name, trained, colour, symbol in KINDS:
        index = np.flatnonzero(shown.trained.values == trained)
        one = shown.isel(candidate=index)
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
    fig.update_yaxes(title={"text": "PSNR on held-out samples (dB)"})
    return fig


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


QUESTIONS = ("Which is best?", "By how much?", "Is a network recommended?")


def write_page(comparison: ComparisonResult, out: Path) -> Path:
    """Write one self-contained page.

    Args:
        comparison: The comparison.
        out: The page's path.

    Returns:
        The page's path.

    Raises:
        InputError: If `out` is a folder.
        RunError: If it cannot be written.
    """
    return write_html(out, render(candidates_page(comparison)))


def candidates_page(comparison: ComparisonResult) -> Page:
    """Return the content of the page."""
    signal, shown = comparison.task.signal, scores_dataset(comparison.scores)
    noisy = "noisy samples" if comparison.task.noisy else "samples"
    subtitle = (
        f"{count(len(signal.train_index))} {noisy} for training, {count(len(signal.held_out_index))} held out. "
        f"Each network and seed has {budget_words(comparison.budget)}."
    )
    # If no candidate is better than the mean, one sentence answers all questions.
    if len(comparison.verdict) == len(QUESTIONS):
        answers = list(zip(QUESTIONS, comparison.verdict, strict=True))
    else:
        answers = [("What to do?", " ".join(comparison.verdict))]
    caption = "Intervals of 90 % over seeds; candidates without a seed have none."
    lead = PlotBlock("quality", "Held-out quality", caption, quality_figure(shown))
    table = TableBlock(
        "Candidates in numbers",
        [_row(score) for score in comparison.scores],
        (
            "Candidate",
            "PSNR on held-out samples, mean over seeds (dB)",
            "90 % interval",
            "Time (s)",
            "Parameters",
        ),
        numeric=True,
    )
    price = PlotBlock(
        "cost", "Quality and time", "Time to fit and predict, mean over seeds.", cost_figure(shown)
    )
    sections = [
        Section("pictures", "Reconstructions", [reconstructions(comparison)]),
        Section("numbers", "In numbers", [table, price], pair=True),
        Section(
            "how",
            "Settings of the comparison",
            [TableBlock("Settings", _settings_rows(comparison), folded=True)],
        ),
    ]
    best = next(score for score in comparison.scores if score.name == comparison.winner)
    tiles = [
        Tile("Winner", comparison.winner),
        Tile(
            "PSNR on held-out samples" + (", mean over seeds" if len(best.psnr) > 1 else ""),
            decibels(best.mean),
        ),
    ]
    return Page(f"{signal.name}: candidates compared", subtitle, answers, tiles, lead, sections)


def _row(score: Score) -> tuple[str, str, str, str, str]:
    ends = f"{score.low:.1f} to {score.high:.1f}" if score.high > score.low else "–"
    size = "–" if score.parameters is None else count(score.parameters)
    return score.name, f"{score.mean:.1f}", ends, number(score.seconds), size


def _settings_rows(comparison: ComparisonResult) -> list[tuple[str, str]]:
    unit = comparison.task.signal.geometry.frequency_unit
    bandwidth = " x ".join(number(b) for b in comparison.task.bandwidth)
    rows = [("Budget", budget_words(comparison.budget)), ("Bandwidth", f"{bandwidth} {unit}")]
    rows += [("Because", " ".join(sentences(comparison.task.reasons)))]
    rows += [(score.name, score.note) for score in comparison.scores if score.note]
    rows += [(name, f"failed: {why}") for name, why in comparison.failed.items()]
    return rows
