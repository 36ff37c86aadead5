"""The page that compares several runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from overtone.plots import bands, comparison
from overtone.plots.text import count, number
from overtone.report.blocks import Glossary, Page, Plot, Section, Table
from overtone.report.findings import Findings, gather
from overtone.report.glossary import ENTRIES
from overtone.report.sentences import QUESTIONS, verdict


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
        Section("verdicts", "Verdicts", [_verdicts(records, labels)]),
        Section("glossary", "Glossary", [Glossary(ENTRIES)]),
    ]
    signals = sorted({str(r.attrs.get("signal") or "unnamed") for r in records})
    return Page(
        f"{len(records)} runs compared",
        ", ".join(signals),
        _answers(labels, found, compared),
        [],
        lead,
        sections,
    )


def _answers(
    labels: Sequence[str], found: Sequence[Findings], compared: Sequence[xr.Dataset]
) -> list[tuple[str, str]]:
    name = comparison.psnr_shown(compared)
    best = [
        float(np.max(v)) if (v := d[name].values[np.isfinite(d[name].values)]).size else -np.inf
        for d in compared
    ]
    what = "held-out" if name == "held_out" else "training"
    out = []
    ranked = sorted(range(len(labels)), key=lambda i: -best[i])
    if np.isfinite(best[ranked[0]]):
        first, second = ranked[0], ranked[1]
        ahead = (
            f", {number(best[first] - best[second])} dB above {labels[second]}"
            if np.isfinite(best[second])
            else ""
        )
        out.append(
            (
                f"Which is best on {what} samples?",
                f"{labels[first]}: {best[first]:.1f} dB at its best{ahead}.",
            )
        )
    reach = max(range(len(labels)), key=lambda i: found[i].reach)
    far = f"{labels[reach]}, up to {number(found[reach].reach)} {found[reach].unit}."
    out.append(
        ("Which learned the highest frequencies without a gap?", far if found[reach].reach > 0 else "None.")
    )
    noisy = [
        f"{label} from step {count(f.onset)}"
        for label, f in zip(labels, found, strict=True)
        if f.onset is not None
    ]
    out.append(
        ("Which learned noise?", f"{'; '.join(noisy)}." if noisy else "None of which it can be shown.")
    )
    if name == "train":
        caution = "Not every run has held-out samples, so the figures show how well training samples are fitted, noise included."
        out.append(("Can I rely on this?", caution))
    return out


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


def _verdicts(records: Sequence[xr.Dataset], labels: Sequence[str]) -> Table:
    rows = [(label, *verdict(record)) for record, label in zip(records, labels, strict=True)]
    return Table("Verdicts", rows, ("Run", *QUESTIONS))
