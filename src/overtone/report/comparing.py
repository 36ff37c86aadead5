"""The page that compares several runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from overtone.plots import bands, comparison
from overtone.plots.text import count, decibels, number
from overtone.report.blocks import Answers, Block, Glossary, Page, Plot, Section, Table, Tile
from overtone.report.findings import Findings, gather
from overtone.report.glossary import ENTRIES
from overtone.report.sentences import QUESTIONS, answers

_TIE = 0.1


def comparison_page(records: Sequence[xr.Dataset], labels: Sequence[str]) -> Page:
    """The page of several runs: a table, overlaid figures, and each run's verdict.

    Args:
        records: Two or more records of one frequency unit.
        labels: Their names.

    Raises:
        InputError: If a record has no rows, or frequencies are in different units.
    """
    found = [gather(record) for record in records]
    compared = comparison.data(records, labels)
    steps, quality, power = comparison.describe(compared)
    lead = Plot("compared-psnr", "PSNR", quality, comparison.psnr_curves(compared))
    figures = [
        Plot("compared-steps", "Learning step", steps, comparison.learning_steps(compared)),
        Plot("compared-spectra", "What is left", power, comparison.final_spectra(compared)),
    ]
    sections = [
        Section("runs", "Run by run", [_table(records, labels, found, compared)]),
        Section("frequencies", "Frequencies", figures, pair=True),
        Section("verdicts", "Verdicts", _verdicts(records, labels, found), pair=True),
        Section("glossary", "Glossary", [Glossary(ENTRIES)]),
    ]
    signals = sorted({str(r.attrs.get("signal") or "unnamed") for r in records})
    return Page(
        f"{len(records)} runs compared",
        ", ".join(signals),
        _answers(labels, found, compared),
        _tiles(labels, compared),
        lead,
        sections,
    )


def _answers(
    labels: Sequence[str], found: Sequence[Findings], compared: Sequence[xr.Dataset]
) -> list[tuple[str, str]]:
    return [
        _best(labels, found, compared),
        ("Which learned the highest frequencies without a gap?", _furthest(labels, found)),
        ("Which learned noise?", _noisy(labels, found)),
    ]


def _best(
    labels: Sequence[str], found: Sequence[Findings], compared: Sequence[xr.Dataset]
) -> tuple[str, str]:
    name = comparison.psnr_shown(compared)
    curves = [d[name].values[np.isfinite(d[name].values)] for d in compared]
    best = [float(v.max()) if v.size else -np.inf for v in curves]
    held_out = name == "held_out"
    question = f"Which is best on {'held-out' if held_out else 'training'} samples?"
    first, second = sorted(range(len(labels)), key=lambda i: -best[i])[:2]
    if not np.isfinite(best[first]):
        return question, "Cannot tell: no run has a PSNR."
    gap = best[first] - best[second]
    if not np.isfinite(gap):
        answer = f"{labels[first]}: {best[first]:.1f} dB at its best, alone in having a PSNR."
    elif gap < _TIE:
        tied = [label for label, value in zip(labels, best, strict=True) if best[first] - value < _TIE]
        answer = f"None: {', '.join(tied)} come within {_TIE:g} dB of each other, {best[first]:.1f} dB at their best."
    else:
        answer = f"{labels[first]}: {best[first]:.1f} dB at its best, {gap:.1f} dB above {labels[second]}."
    stop = found[first].stop
    if held_out and gap >= _TIE and stop.step < found[first].step:
        answer += f" Stop it at step {count(stop.step)}."
    caution = " Not every run held samples out, so this says how well the noise is fitted, too."
    return question, answer if held_out else answer + caution


def _furthest(labels: Sequence[str], found: Sequence[Findings]) -> str:
    reach = max(f.reach for f in found)
    if reach <= 0:
        return "None: no run has learned its lowest band."
    tied = [label for label, f in zip(labels, found, strict=True) if f.reach >= reach * 0.999]
    return f"{'All of them' if len(tied) == len(labels) else ', '.join(tied)}, up to {number(reach)} {found[0].unit}."


def _noisy(labels: Sequence[str], found: Sequence[Findings]) -> str:
    noisy = [
        f"{label} from step {count(f.onset)}"
        for label, f in zip(labels, found, strict=True)
        if f.onset is not None
    ]
    return f"{'; '.join(noisy)}." if noisy else "None of which it can be shown."


def _table(
    records: Sequence[xr.Dataset],
    labels: Sequence[str],
    found: Sequence[Findings],
    compared: Sequence[xr.Dataset],
) -> Table:
    rows = []
    for record, label, f, d in zip(records, labels, found, compared, strict=True):
        decibels = [f"{float(d[n][-1]):.1f}" if np.isfinite(d[n][-1]) else "–" for n in ("train", "held_out")]
        seconds, size = float(record.time[-1]), record.attrs.get("parameters")
        rows.append(
            (
                label,
                *decibels,
                number(f.reach),
                f"{int(f.learned.sum())} of {f.error.size}",
                count(f.stop.step) if np.isfinite(f.stop.error) else "–",
                count(f.step),
                number(seconds) if np.isfinite(seconds) else "–",
                count(size) if isinstance(size, int | float) else "–",
            )
        )
    head = (
        "Run",
        "Training PSNR (dB)",
        "Held-out PSNR (dB)",
        f"Learned up to ({bands.unit(records[0])})",
        "Bands learned",
        "Best step",
        "Steps",
        "Time (s)",
        "Parameters",
    )
    return Table("The runs in numbers", rows, head, numeric=True)


def _verdicts(records: Sequence[xr.Dataset], labels: Sequence[str], found: Sequence[Findings]) -> list[Block]:
    return [
        Answers(label, list(zip(QUESTIONS, answers(f, record), strict=True)))
        for record, label, f in zip(records, labels, found, strict=True)
    ]


def _tiles(labels: Sequence[str], compared: Sequence[xr.Dataset]) -> list[Tile]:
    name, out = comparison.psnr_shown(compared), []
    for label, d in zip(labels, compared, strict=True):
        values = d[name].values
        if np.isfinite(values).any():
            best = int(np.nanargmax(np.where(np.isfinite(values), values, np.nan)))
            out.append(
                Tile(label, decibels(float(values[best])), f"best, at step {count(float(d.step[best]))}")
            )
    return out
