"""One page of a comparison."""

from __future__ import annotations

from pathlib import Path

from overtone.comparing.budget import described
from overtone.comparing.comparison import Comparison
from overtone.comparing.figure import cost, data, quality
from overtone.comparing.looks import looks
from overtone.comparing.score import Score
from overtone.plots.text import count, decibels, number
from overtone.reports import render
from overtone.reports.atomic import write_text
from overtone.reports.blocks import Page, Plot, Section, Table, Tile

QUESTIONS = ("Which is best?", "By how much?", "Is a network worth it?")


def write(found: Comparison, out: Path) -> Path:
    """Write one self-contained page.

    Args:
        found: The comparison.
        out: The page's path.

    Returns:
        It.

    Raises:
        InputError: If `out` is a folder.
        RunError: If it cannot be written.
    """
    return write_text(out, render(page(found)))


def page(found: Comparison) -> Page:
    """The page's content."""
    signal, shown = found.problem.signal, data(found.scores)
    noisy = "noisy samples" if found.problem.noisy else "samples"
    subtitle = (
        f"{count(len(signal.train_index))} {noisy} to learn from, {count(len(signal.held_out_index))} held out. "
        f"Each network and seed has {described(found.budget)}."
    )
    if len(found.verdict) == len(QUESTIONS):
        answers = list(zip(QUESTIONS, found.verdict, strict=True))
    else:
        answers = [("What to do?", " ".join(found.verdict))]
    caption = "Intervals of 90 % over seeds; where no seed enters there is none."
    lead = Plot("quality", "Held-out quality", caption, quality(shown))
    table = Table(
        "Candidates in numbers",
        [_row(score) for score in found.scores],
        (
            "Candidate",
            "PSNR on held-out samples, mean over seeds (dB)",
            "90 % interval",
            "Time (s)",
            "Parameters",
        ),
        numeric=True,
    )
    price = Plot("cost", "Quality and time", "Time to learn and predict, mean over seeds.", cost(shown))
    sections = [
        Section("pictures", "What they make of it", [looks(found)]),
        Section("numbers", "In numbers", [table, price], pair=True),
        Section("how", "How it was done", [Table("Settings", _how(found), folded=True)]),
    ]
    best = next(score for score in found.scores if score.name == found.winner)
    tiles = [
        Tile("Winner", found.winner),
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


def _how(found: Comparison) -> list[tuple[str, str]]:
    unit = found.problem.signal.geometry.frequency_unit
    reach = " x ".join(number(b) for b in found.problem.bandwidth)
    rows = [("Budget", described(found.budget)), ("Bandwidth", f"{reach} {unit}")]
    rows += [("Because", " ".join(found.problem.reasons))]
    rows += [(score.name, score.note) for score in found.scores if score.note]
    rows += [(name, f"failed: {why}") for name, why in found.failed.items()]
    return rows
