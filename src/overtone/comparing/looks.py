"""What candidates made of a signal, to look at: pictures, a slice of a volume, or curves."""

from __future__ import annotations

import numpy as np

from overtone.comparing.comparison import Comparison
from overtone.comparing.score import Score
from overtone.plots import encode, style
from overtone.plots.text import decibels
from overtone.reports.blocks import Block, Picture, Pictures, Plot

SHOWN = 6
"""Candidates that are shown, best first; the best without a network is always among them."""

LONGEST = 400
"""Samples of a line that are drawn."""


def looks(found: Comparison) -> Block:
    """Reference, samples and reconstructions."""
    axes = len(found.problem.signal.geometry.shape)
    return _curves(found) if axes == 1 else _pictures(found, axes)


def _names(found: Comparison) -> list[str]:
    names = [score.name for score in found.scores]
    return list(dict.fromkeys([found.winner, *names]))[:SHOWN]


def _quality(score: Score) -> str:
    """The quality of what is shown, which is one seed's."""
    which = ", first seed" if len(score.psnr) > 1 else ""
    return f"PSNR {decibels(score.psnr[0])} on held-out samples{which}"


def _pictures(found: Comparison, axes: int) -> Pictures:
    signal = found.problem.signal
    shape = signal.geometry.shape
    reference = found.problem.reference.cpu().double().numpy()
    low, high = (0.0, 1.0) if signal.kind == "picture" else (float(reference.min()), float(reference.max()))

    def pixels(values: np.ndarray) -> np.ndarray:
        field = values.reshape(*shape, -1)
        field = field if axes == 2 else field[shape[0] // 2]
        field = field if field.shape[-1] == 3 else field[..., :1].repeat(3, -1)
        return encode.grey(field, low, high)

    def one(title: str, note: str, values: np.ndarray) -> Picture:
        drawn = pixels(values)
        return Picture(encode.picture(drawn), drawn.shape[1], drawn.shape[0], title, note, f"{title}, {note}")

    seen = np.full_like(reference, low)
    train = signal.train_index.cpu().numpy()
    seen[train] = signal.values.cpu().double().numpy()[train]
    levels = {score.name: score for score in found.scores}
    shown = [one("Reference", "what is compared with", reference), one("Samples", "gaps are black", seen)]
    shown += [one(name, _quality(levels[name]), found.predictions[name]) for name in _names(found)]
    part = "" if axes == 2 else " The middle slice of the first axis."
    return Pictures("reconstructions", "Reconstructions", f"Each of the first seed.{part}", shown)


def _curves(found: Comparison) -> Plot:
    signal = found.problem.signal
    grid = signal.geometry
    held = signal.held_out_index.cpu().numpy()
    begin = int(np.clip(held[len(held) // 2] - LONGEST // 2, 0, max(0, grid.samples - LONGEST)))
    part = slice(begin, min(begin + LONGEST, grid.samples))
    x = grid.coords().numpy()[part, 0]
    fig = style.canvas(380)
    reference = found.problem.reference.cpu().numpy()[part, 0]
    fig.add_scatter(x=x, y=reference, name="reference", line={"color": style.TARGET, "width": 3})
    for name, colour in zip(_names(found)[:3], style.RUNS, strict=False):
        fig.add_scatter(
            x=x, y=found.predictions[name][part, 0], name=name, line={"color": colour, "width": 1.5}
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
    return Plot("reconstructions", "Reconstructions", caption, fig)
