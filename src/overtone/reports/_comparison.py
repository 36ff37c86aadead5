"""Page that compares several runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from overtone._utils.text import count, decibels, number
from overtone.plots import RunComparison
from overtone.plots import _bands as bands
from overtone.records import metrics
from overtone.records.metrics._bands import without_unmeasured
from overtone.reports._blocks import AnswersBlock, Block, Glossary, Page, PlotBlock, Section, TableBlock, Tile
from overtone.reports._findings import Findings, gather
from overtone.reports._sections import ENTRIES
from overtone.reports._verdict import answers, questions

_TIE, _WORSE = 0.1, 1.05


def comparison_page(records: Sequence[xr.Dataset], labels: Sequence[str]) -> Page:
    """Return the page of several runs: a table, overlaid figures, and each run's verdict.

    Args:
        records: Two or more records of one frequency unit.
        labels: Their names.

    Raises:
        InputError: If a record has no rows, or frequencies are in different units.
    """
    records = [without_unmeasured(record)[0] for record in records]
    findings = [gather(record) for record in records]
    compared = RunComparison(records, labels)
    steps, quality, power = compared.describe()
    lead = PlotBlock("compared-psnr", "PSNR", quality, compared.psnr_curves())
    figures = [
        PlotBlock("compared-steps", "Learning step", steps, compared.learning_steps()),
        PlotBlock("compared-spectra", "Residual spectra", power, compared.final_spectra()),
    ]
    sections = [
        Section("runs", "Run by run", [_table(records, labels, findings, compared)]),
        Section("frequencies", "Frequencies", figures, pair=True),
        Section("verdicts", "Verdicts", _verdicts(records, labels, findings), pair=True),
        Section("glossary", "Glossary", [Glossary(ENTRIES)]),
    ]
    signals = sorted({str(r.attrs.get("signal") or "unnamed") for r in records})
    return Page(
        f"{len(records)} runs compared",
        ", ".join(signals),
        _answers(labels, findings, compared),
        _tiles(labels, compared),
        lead,
        sections,
    )


def _answers(
    labels: Sequence[str], findings: Sequence[Findings], compared: RunComparison
) -> list[tuple[str, str]]:
    return [
        _best(labels, findings, compared),
        ("Which learned the highest frequencies without a gap?", _furthest(labels, findings)),
        ("Which learned noise?", _noisy(labels, findings)),
    ]


def _best(labels: Sequence[str], findings: Sequence[Findings], compared: RunComparison) -> tuple[str, str]:
    name = compared.psnr_shown()
    final = [compared.final_psnr(d, name) for d in compared.data]
    # Runs without a PSNR are ranked last instead of making the order undefined.
    level = [-np.inf if np.isnan(psnr) else psnr for psnr in final]
    held_out = name == "held_out"
    question = f"Which is best on {'held-out' if held_out else 'training'} samples?"
    first, second = sorted(range(len(labels)), key=lambda i: -level[i])[:2]
    if level[first] == -np.inf:
        return question, "Cannot tell: no run has a PSNR."
    gap = level[first] - level[second]
    if level[second] == -np.inf:
        answer = f"{labels[first]}: {decibels(level[first])}, the only run with a PSNR."
    # Two perfect runs differ by NaN (infinity minus infinity), which is a tie as well.
    elif not gap >= _TIE:
        tied = [label for label, value in zip(labels, level, strict=True) if not level[first] - value >= _TIE]
        answer = f"None: {', '.join(tied)} come within {_TIE:g} dB of each other, {decibels(level[first])}."
    else:
        above = f"{gap:.1f} dB above" if np.isfinite(gap) else "above"
        answer = f"{labels[first]}: {decibels(level[first])}, {above} {labels[second]}."
    stop = findings[first].stop
    if (
        held_out
        and gap >= _TIE
        and stop.step < findings[first].step
        and stop.last_error > _WORSE * stop.error
    ):
        answer += f" It was better earlier: stop it at step {count(stop.step)}."
    caution = " Not every run has held-out samples, so this comparison also rewards fitting noise."
    return question, answer if held_out else answer + caution


def _furthest(labels: Sequence[str], findings: Sequence[Findings]) -> str:
    highest = max(f.highest_learned for f in findings)
    if highest <= 0:
        return "None: no run has learned its lowest band."
    tied = [label for label, f in zip(labels, findings, strict=True) if f.highest_learned >= highest * 0.999]
    names = "All of them" if len(tied) == len(labels) else ", ".join(tied)
    return f"{names}, up to {number(highest)} {findings[0].unit}."


def _noisy(labels: Sequence[str], findings: Sequence[Findings]) -> str:
    noisy = [
        f"{label} from step {count(f.onset)}"
        for label, f in zip(labels, findings, strict=True)
        if f.onset is not None
    ]
    return f"{'; '.join(noisy)}." if noisy else "No record shows it."


def _table(
    records: Sequence[xr.Dataset],
    labels: Sequence[str],
    findings: Sequence[Findings],
    compared: RunComparison,
) -> TableBlock:
    rows = []
    for record, label, f, d in zip(records, labels, findings, compared.data, strict=True):
        seconds, size = metrics.training_seconds(record), record.attrs.get("parameters")
        rows.append(
            (
                label,
                *(_level(compared.final_psnr(d, name)) for name in ("train", "held_out")),
                count(f.step),
                number(f.highest_learned) if f.highest_learned > 0 else "–",
                f"{int(f.learned.sum())} of {f.error.size}",
                count(f.stop.step) if np.isfinite(f.stop.error) else "–",
                count(f.last),
                number(seconds) if np.isfinite(seconds) else "–",
                count(size) if isinstance(size, int | float) else "–",
            )
        )
    head = (
        "Run",
        "PSNR, training samples (dB)",
        "PSNR, held-out samples (dB)",
        "Step of the network",
        f"Learned up to ({bands.unit(records[0])})",
        "Bands learned",
        "Step of the lowest error",
        "Steps taken",
        "Training time (s)",
        "Parameters",
    )
    return TableBlock("The runs in numbers", rows, head, numeric=True)


def _level(psnr: float) -> str:
    return "–" if np.isnan(psnr) else decibels(psnr).removesuffix(" dB")


def _verdicts(
    records: Sequence[xr.Dataset], labels: Sequence[str], findings: Sequence[Findings]
) -> list[Block]:
    return [
        AnswersBlock(label, list(zip(questions(record), answers(f, record), strict=True)))
        for record, label, f in zip(records, labels, findings, strict=True)
    ]


def _tiles(labels: Sequence[str], compared: RunComparison) -> list[Tile]:
    name = compared.psnr_shown()
    samples = "held-out" if name == "held_out" else "training"
    return [
        Tile(
            label, decibels(level), f"on {samples} samples, network of step {count(d.attrs['network_step'])}"
        )
        for label, d in zip(labels, compared.data, strict=True)
        if not np.isnan(level := compared.final_psnr(d, name))
    ]
