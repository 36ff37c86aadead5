"""Page of a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from overtone._utils.text import count, decibels, number
from overtone.comparing._measured import MeasuredTask
from overtone.comparing._statistics import MEAN, Score
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
from overtone.reports._measured_page import reconstruction_block
from overtone.reports._page import render, write_html

if TYPE_CHECKING:
    from overtone.comparing._comparison import ComparisonResult
    from overtone.comparing._task import ComparisonTask
    from overtone.comparing._truth import TrueErrors

SHOWN = 6
"""Number of plotted candidates, best first; the best without a network is always among them."""

MAX_SAMPLES = 400
"""Maximum number of plotted samples of a line."""


def reconstructions(comparison: ComparisonResult) -> Block:
    """Return a block with reference, samples and reconstructions: curves for a line, pictures for other signals."""
    if isinstance(comparison.task, MeasuredTask):
        return measured_pictures(comparison, comparison.task)
    axes = len(comparison.task.signal.geometry.shape)
    return _curves(comparison, comparison.task) if axes == 1 else _pictures(comparison, comparison.task, axes)


def _names(comparison: ComparisonResult) -> list[str]:
    names = [score.name for score in comparison.scores]
    return list(dict.fromkeys([comparison.winner, *names]))[:SHOWN]


def _quality(score: Score, judged: str) -> str:
    """Return the quality of the plotted prediction, which is from the first seed."""
    which = ", first seed" if len(score.psnr) > 1 else ""
    return f"PSNR {decibels(score.psnr[0])} on {judged}{which}"


def _pictures(comparison: ComparisonResult, task: ComparisonTask, axes: int) -> PicturesBlock:
    signal = task.signal
    shape = signal.geometry.shape
    reference = task.reference.cpu().double().numpy()
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
    shown += [
        one(name, _quality(levels[name], comparison.judged), comparison.predictions[name])
        for name in _names(comparison)
    ]
    part = "" if axes == 2 else " The middle slice of the first axis."
    return PicturesBlock("reconstructions", "Reconstructions", f"Each of the first seed.{part}", shown)


def _curves(comparison: ComparisonResult, task: ComparisonTask) -> PlotBlock:
    signal = task.signal
    grid = signal.geometry
    held = signal.held_out_index.cpu().numpy()
    # A window around the median held-out sample, so that held-out samples are visible in it.
    begin = int(np.clip(held[len(held) // 2] - MAX_SAMPLES // 2, 0, max(0, grid.samples - MAX_SAMPLES)))
    part = slice(begin, min(begin + MAX_SAMPLES, grid.samples))
    x = grid.coords().numpy()[part, 0]
    fig = style.canvas(380)
    reference = task.reference.cpu().numpy()[part, 0]
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


def measured_pictures(comparison: ComparisonResult, task: MeasuredTask) -> Block:
    """Return the pictures of a comparison on measurements.

    Args:
        comparison: The comparison.
        task: Its task.
    """
    levels = {score.name: score for score in comparison.scores}
    shown = [
        (name, _quality(levels[name], comparison.judged), comparison.predictions[name])
        for name in _names(comparison)
    ]
    if "reference" in comparison.predictions:
        shown.insert(0, ("Reference", "never trained on", comparison.predictions["reference"]))
    grid = task.grid
    fields = "The solution of each candidate, its first seed." if task.noun == "points" else None
    return reconstruction_block(shown, grid.spacing[0], grid.origin[0], grid.units[0], fields)


QUESTIONS = ("Which is best?", "By how much?", "Is a network recommended?")
TRUTH = "Do residuals rank as true errors do?"


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
    task, signal = comparison.task, comparison.task.signal
    if isinstance(task, MeasuredTask):
        train, held_out = task.sizes
        noisy = task.noun
    else:
        train, held_out = len(task.signal.train_index), len(task.signal.held_out_index)
        noisy = "noisy samples" if task.noisy else "samples"
    subtitle = (
        f"{count(train)} {noisy} for training, {count(held_out)} held out. "
        f"Each network and seed has {budget_words(comparison.budget)}."
    )
    verdict, ranking = comparison.verdict, []
    if comparison.truth is not None:
        *verdict, last = verdict
        ranking = [(TRUTH, last)]
    # If no candidate is better than the mean, one sentence answers all questions.
    if len(verdict) == len(QUESTIONS):
        answers = list(zip(QUESTIONS, verdict, strict=True)) + ranking
    else:
        answers = [("What to do?", " ".join(verdict)), *ranking]
    caption = "Intervals of 90 % over seeds; candidates without a seed have none."
    lead = PlotBlock("quality", "Held-out quality", caption, comparison.quality_figure())
    table = TableBlock(
        "Candidates in numbers",
        [_row(score) for score in comparison.scores],
        (
            "Candidate",
            f"PSNR on {comparison.judged}, mean over seeds (dB)",
            "90 % interval",
            "Time (s)",
            "Parameters",
        ),
        numeric=True,
    )
    price = PlotBlock(
        "cost", "Quality and time", "Time to fit and predict, mean over seeds.", comparison.cost_figure()
    )
    sections = [
        Section("pictures", "Reconstructions", [reconstructions(comparison)]),
        *([] if comparison.truth is None else [truth_section(comparison, comparison.truth)]),
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
            f"PSNR on {comparison.judged}" + (", mean over seeds" if len(best.psnr) > 1 else ""),
            decibels(best.mean),
        ),
    ]
    return Page(f"{signal.name}: candidates compared", subtitle, answers, tiles, lead, sections)


def truth_section(comparison: ComparisonResult, truth: TrueErrors) -> Section:
    """Return errors by band and regrets of candidates whose solution is known, beside their residuals.

    Args:
        comparison: The comparison.
        truth: Residuals and errors.
    """
    order = sorted(truth.candidates, key=lambda one: one.residual)
    rows = [
        (one.name, f"{order.index(one) + 1}", number(one.error), number(one.regret), number(one.residual))
        for one in truth.candidates
    ]
    head = ("Candidate", "Rank by residual", "Relative error", "Over the least error", "Held-out residual")
    table = TableBlock("Errors and residuals, least error first", rows, head, numeric=True)
    # All of the solution is left by the zero field.
    shown = [one.name for one in truth.candidates if one.name != MEAN][:SHOWN]
    caption = (
        "Where a line is below the solution's, this frequency is learned; a line that is missing is below the axis. "
        "Root mean square over seeds."
    )
    fig = comparison.errors_plot(shown).plotly()
    return Section(
        "truth",
        "Against the known solution",
        [PlotBlock("errors", "Error by frequency", caption, fig), table],
    )


def _row(score: Score) -> tuple[str, str, str, str, str]:
    ends = f"{score.low:.1f} to {score.high:.1f}" if score.high > score.low else "–"
    size = "–" if score.parameters is None else count(score.parameters)
    return score.name, f"{score.mean:.1f}", ends, number(score.seconds), size


def _settings_rows(comparison: ComparisonResult) -> list[tuple[str, str]]:
    unit = comparison.task.signal.geometry.frequency_unit
    bandwidth = " x ".join(number(b) for b in comparison.task.bandwidth)
    rows = [("Budget", budget_words(comparison.budget)), ("Bandwidth", f"{bandwidth} {unit}")]
    rows += [("Because", " ".join(sentences(comparison.task.reasons)))]
    rows += [
        (f"Bandwidth of {name}", f"{' x '.join(map(number, value))} {unit}")
        for name, value in comparison.task.bandwidths.items()
    ]
    rows += [(score.name, score.note) for score in comparison.scores if score.note]
    rows += [(name, f"failed: {why}") for name, why in comparison.failed.items()]
    return rows
