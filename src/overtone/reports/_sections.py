"""Page of one run, from its record and snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.text import count, decibels, number, percent
from overtone.plots import PSNR, LearningOrder, LearningStep, Loss, Spectra
from overtone.plots import _bands as bands
from overtone.plots import _snapshots as reconstruction
from overtone.plots._wording import level_samples
from overtone.records import Snapshots, metrics
from overtone.records.metrics._bands import UnmeasuredRows, without_unmeasured
from overtone.records.metrics._errors import PROBABILITY
from overtone.records.metrics._field_runs import FieldRun, field_run
from overtone.reports._blocks import Block, Glossary, Page, PlotBlock, Section, TableBlock, Tile
from overtone.reports._candidates import candidates_section
from overtone.reports._coverage import coverage_sentences, row_margin
from overtone.reports._field_page import glossary_entries
from overtone.reports._field_run import (
    field_answer_entries,
    field_lead,
    field_pictures,
    field_sections,
    resolution_tiles,
)
from overtone.reports._findings import Findings, gather
from overtone.reports._measured_page import (
    MEASURED_ENTRIES,
    classical_table,
    coverage_block,
    measured_blocks,
    measured_tiles,
)
from overtone.reports._measured_verdict import measured_facts
from overtone.reports._media import media_blocks
from overtone.reports._settings import (
    plan_reasons,
    provenance_table,
    settings_table,
    stored_sentences,
    training_notes,
)
from overtone.reports._verdict import answers, noise_level, questions

ENTRIES = (
    (
        "Frequency",
        "How often a pattern repeats per unit of the coordinate: cycles per picture height, Hz for recordings. "
        "Low frequencies are the broad shapes, high ones the fine detail.",
    ),
    (
        "Band",
        "A range of frequencies that is measured as one. All bands together hold the whole signal; the last one "
        "may be the corner beyond the Nyquist frequency that only diagonal patterns reach.",
    ),
    (
        "Power",
        "The mean square of the part of a signal that lies in a band. The powers of all bands add up to the mean "
        "square of the values.",
    ),
    (
        "Relative error of a band",
        "The square root of residual power over target power in the band: 1 when nothing is learned, "
        "0 when it is learned exactly.",
    ),
    (
        "Learned fraction",
        "How much of the target's pattern in a band the prediction contains: 0 untouched, 1 learned, above 1 "
        "overshoot.",
    ),
    ("Learning step", "The first recorded step after which the relative error of a band stays below 0.5."),
    (
        "Nyquist frequency",
        "Half the sampling rate: the highest frequency the samples can hold along an axis.",
    ),
    (
        "Noise floor",
        "The part of the target's power that is measurement noise, estimated from the signal or given. A residual at "
        "the noise floor means that all signal in the band is learned; a lower one means that noise is.",
    ),
    (
        "Best step",
        "The step with the lowest expected error on clean data; stopping there avoids learning noise.",
    ),
    (
        "Held-out samples",
        "Samples excluded from training, which show how well the network predicts between its training samples.",
    ),
    (
        "PSNR",
        "Peak signal-to-noise ratio in dB: 10 log10 of peak² over the mean square error. 20 dB more "
        "means a tenth of the typical error.",
    ),
    (
        "Bandwidth",
        "The frequency below which 90% of the spectral power of an encoding or a network lies.",
    ),
)
"""Word and meaning, in reading order."""


def run_page(record: xr.Dataset, snapshots: Snapshots, name: str) -> Page:
    """Return the page of one run.

    Args:
        record: A record with at least one row.
        snapshots: Its snapshots; there may be none.
        name: A title if the record names no signal.

    Raises:
        InputError: If the record has no rows, or holds several runs.
    """
    record, unmeasured = without_unmeasured(record)
    findings = gather(record)
    run = field_run(record, snapshots.find)
    if run is not None:
        return _field_page(record, snapshots, name, unmeasured, findings, run)
    facts = measured_facts(record)
    if facts is not None:
        return _measured_page(record, snapshots, name, unmeasured, findings, facts)
    verdict = list(zip(questions(record), answers(findings, record), strict=True))
    order = LearningOrder(record)
    lead = PlotBlock("learning-order", "Learning order", order.describe(), order.plotly())
    shown = media_blocks(record, snapshots)
    sections = [
        *([Section("reconstruction", "Reconstruction", shown)] if shown else []),
        Section("frequencies", "Frequencies", _frequencies(record), coverage_sentences(record), pair=True),
        Section("errors", "Errors over training", _errors(record), pair=True),
        Section("bands", "Band by band", [band_table(record)]),
        *candidates_section(record),
        *_provenance_sections(record, unmeasured),
        Section("glossary", "Glossary", [Glossary(ENTRIES)]),
    ]
    title = str(record.attrs.get("signal") or name)
    return Page(
        title, subtitle(record), verdict, _numbers(record, findings), lead, sections, plan_reasons(record)
    )


def _field_page(
    record: xr.Dataset,
    snapshots: Snapshots,
    name: str,
    unmeasured: UnmeasuredRows | None,
    findings: Findings,
    run: FieldRun,
) -> Page:
    """Return the page of a run whose targets are fields."""
    shown = field_pictures(record, snapshots)
    if len(run.geometry.shape) != 2:
        shown = [*media_blocks(record, snapshots), *shown]
    sections = [
        *([Section("reconstruction", "Target, prediction and difference", shown)] if shown else []),
        *field_sections(run),
        Section("frequencies", "Frequencies", _frequencies(record), coverage_sentences(record), pair=True),
        Section("errors", "Errors over training", _errors(record), pair=True),
        Section("bands", "Band by band", [band_table(record)]),
        *_provenance_sections(record, unmeasured),
        Section("glossary", "Glossary", [Glossary([*glossary_entries(run.pair), *ENTRIES])]),
    ]
    parts = (
        "fields",
        " × ".join(count(float(n)) for n in run.geometry.shape) + " values",
        f"spectra: {run.estimator}",
    )
    network, created = record.attrs.get("network"), str(record.attrs.get("created") or "")[:10]
    line = " · ".join(str(part) for part in (*parts, network, created) if part)
    shared = [tile for tile in _numbers(record, findings) if tile.name not in ("Noise", "Nyquist")]
    tiles = [*resolution_tiles(run), *shared]
    answers = field_answer_entries(run, findings, record)
    return Page(name, line, answers, tiles, field_lead(record), sections, plan_reasons(record))


def _measured_page(
    record: xr.Dataset,
    snapshots: Snapshots,
    name: str,
    unmeasured: UnmeasuredRows | None,
    findings: Findings,
    facts: Mapping[str, Any],
) -> Page:
    """Return the page of a fit of measurements."""
    shown = measured_blocks(record, snapshots, facts, findings)
    coverage = coverage_block(record) if facts["kind"] == "k-space" else None
    order = LearningOrder(record)
    lead = PlotBlock("learning-order", "Residual by band over training", order.describe(), order.plotly())
    losses = Loss(record)
    sections = [
        *([Section("reconstruction", "Reconstruction", shown)] if shown else []),
        Section("classical", "Network and classical reconstructions", [classical_table(facts)]),
        Section("frequencies", "Frequencies", _frequencies(record), pair=True),
        Section(
            "errors",
            "Errors over training",
            [
                PlotBlock("loss", "Loss and mean square residual", losses.describe(), losses.plotly()),
                *([] if coverage is None else [coverage]),
            ],
            pair=True,
        ),
        Section("bands", "Band by band", [band_table(record)]),
        *_provenance_sections(record, unmeasured),
        Section("glossary", "Glossary", [Glossary([*MEASURED_ENTRIES, *ENTRIES])]),
    ]
    verdict = list(zip(questions(record), answers(findings, record), strict=True))
    shared = [tile for tile in _numbers(record, findings) if not tile.name.startswith(("PSNR", "Noise"))]
    title = str(record.attrs.get("signal") or name)
    tiles = [*measured_tiles(facts), *shared]
    return Page(title, subtitle(record), verdict, tiles, lead, sections, plan_reasons(record))


def subtitle(record: xr.Dataset) -> str:
    """Return kind, size and network in one line."""
    lattice = reconstruction.snapshot_geometry(record).get("shape", ())
    parts = (
        record.attrs.get("kind"),
        " × ".join(count(float(n)) for n in lattice) + " samples" if len(lattice) else None,
        record.attrs.get("network"),
        str(record.attrs.get("created") or "")[:10],
    )
    return " · ".join(str(part) for part in parts if part)


def _frequencies(record: xr.Dataset) -> list[Block]:
    steps, power = LearningStep(record), Spectra(record)
    return [
        PlotBlock("learning-step", "Learning step", steps.describe(), steps.plotly()),
        PlotBlock("spectra", "Spectra", power.describe(), power.plotly()),
    ]


def _errors(record: xr.Dataset) -> list[Block]:
    quality, losses = PSNR(record), Loss(record)
    out: list[Block] = []
    if any(np.isfinite(v).any() for v in quality.data.data_vars.values()):
        out.append(PlotBlock("psnr", "PSNR", quality.describe(), quality.plotly()))
    return [*out, PlotBlock("loss", "Loss and mean square error", losses.describe(), losses.plotly())]


def _provenance_sections(record: xr.Dataset, unmeasured: UnmeasuredRows | None) -> list[Section]:
    notes = stored_sentences(record.attrs.get("notes"))
    faults = stored_sentences(record.attrs.get("salvaged"))
    sentences = [
        *notes,
        *([] if unmeasured is None else [_unmeasured(unmeasured)]),
        *training_notes(record),
        *(f"Lost from a damaged record: {fault}" for fault in faults),
    ]
    return [
        Section("settings", "Settings", [settings_table(record)], sentences),
        Section("provenance", "Provenance", [provenance_table(record)]),
    ]


def _unmeasured(rows: UnmeasuredRows) -> str:
    steps = f"after step {rows.after}, up to step {rows.until}"
    return f"The rows {steps}, could not be measured: {rows.error.rstrip('.')}."


def _numbers(record: xr.Dataset, findings: Findings) -> list[Tile]:
    out = [
        Tile(f"PSNR, {level_samples(level).removeprefix('the ')}", decibels(level.psnr))
        for level in metrics.levels(record)
    ]
    out += _of_labels(record)
    if findings.step < findings.last:
        out.append(Tile("Step of the restored network", count(findings.step)))
    out.append(Tile("Steps", count(findings.last)))
    seconds, parameters = metrics.training_seconds(record), record.attrs.get("parameters")
    if np.isfinite(seconds):
        out.append(Tile("Training time", f"{number(seconds)} s"))
    if isinstance(parameters, int | float):
        out.append(Tile("Parameters", count(parameters)))
    if findings.error.size and not findings.diverged:
        out.append(Tile("Power in learned bands", percent(findings.learned_share)))
        out.append(_highest_learned(findings))
    out += _noise(record)
    if findings.nyquist:
        out.append(Tile("Nyquist", number(findings.nyquist), findings.unit))
    return out


def _of_labels(record: xr.Dataset) -> list[Tile]:
    """Return the errors of class probabilities, for records of labels, which have no PSNR."""
    if record.attrs.get("value_unit") != PROBABILITY:
        return []
    row = metrics.until_network(record).isel(step=-1)
    errors = {"training samples": float(row.train_error), "held-out samples": float(row.held_out_error)}
    name = "Mean square error of probabilities"
    return [Tile(f"{name}, {samples}", number(e)) for samples, e in errors.items() if np.isfinite(e)]


def _highest_learned(findings: Findings) -> Tile:
    if findings.learned.all() or not findings.highest_learned > 0:
        return Tile("Bands learned", f"{int(findings.learned.sum())} of {findings.learned.size}")
    return Tile("Learned up to", number(findings.highest_learned), findings.unit)


def _noise(record: xr.Dataset) -> list[Tile]:
    noise, level = record.attrs.get("noise_verdict"), noise_level(record)
    if noise == "noise" and level:
        return [Tile("Noise (std)", level)]
    return [Tile("Noise", "none found" if noise == "clean" else "cannot tell")] if noise else []


def band_table(record: xr.Dataset) -> TableBlock:
    """Return the table of all bands: their power, and error, fraction and learning step of the network handed back."""
    together = metrics.until_network(metrics.combine_channels(record))
    last = together.isel(step=[-1])
    error = metrics.relative_error(last).isel(step=0).values
    fraction = metrics.learned_fraction(last).isel(step=0).values
    steps, power = metrics.learning_step(together).values, together.target_power.values
    margin = row_margin(last)
    edges = zip(record.band_low.values, record.band_high.values, strict=True)
    rows = [
        (
            f"{number(float(low))} to {number(float(high))}",
            number(float(power[i])),
            _cell(error[i]),
            *(() if margin is None else (_interval(error[i], margin[i]),)),
            _cell(fraction[i]),
            count(float(steps[i]))
            if np.isfinite(steps[i])
            else "not learned"
            if np.isfinite(error[i])
            else "empty",
        )
        for i, (low, high) in enumerate(edges)
    ]
    unit = Spectra(record).data.attrs["power_unit"]
    head = (
        bands.title(record),
        f"Target power ({unit})",
        "Relative error",
        *(() if margin is None else ("95 % interval",)),
        "Learned fraction",
        "Learning step",
    )
    title = f"Every band at step {count(float(last.step[-1]))}, as a table"
    return TableBlock(title, rows, head, numeric=True, folded=True)


def _interval(error: float, margin: float) -> str:
    """Format the interval of a relative error whose square has a known margin."""
    if not np.isfinite(error) or not np.isfinite(margin):
        return "–"
    # The margin is that of relative power, the square of the relative error.
    low, high = (float(np.sqrt(max(error**2 + end, 0.0))) for end in (-margin, margin))
    return f"{low:.3f} to {high:.3f}"


def _cell(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "–"


def title_of(path: Path) -> str:
    """Return a run's title from its path: the folder's name for a run directory, else the file's."""
    whole = path.resolve()
    return (
        whole.parent.name if whole.name == "record.sqlite" else whole.stem if whole.is_file() else whole.name
    )
