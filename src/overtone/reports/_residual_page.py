"""Page of a training on an equation: what is left of each term by frequency, what is settled, what holds it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.text import count, number, percent, plural
from overtone.plots import LearningOrder, Loss, Spectra
from overtone.records import Snapshots
from overtone.records import snapshots as snapshots_of
from overtone.records.metrics._bands import without_unmeasured
from overtone.reports._blocks import Block, Glossary, Page, PlotBlock, Section, TableBlock, Tile
from overtone.reports._equation_page import (
    EQUATION_ENTRIES,
    equation_tiles,
    fields_table,
    solution_section,
    terms_table,
    tried_table,
)
from overtone.reports._equation_verdict import equation_facts, part_left, residual_answers
from overtone.reports._measured_verdict import capitalised
from overtone.reports._settings import plan_reasons, provenance_table, settings_table

ENTRIES = (
    (
        "Residual",
        "What an equation or a condition gives for the network in place of 0. The solution leaves none.",
    ),
    (
        "Relative error of a band",
        "The root of the residual's power in a band over that of the zero field or of the network as training began, "
        "the larger of the two. Below 0.5 the band is settled.",
    ),
    (
        "Solution",
        "The field of the reference, else the kernel solution where it can be trusted; its errors are those of the "
        "field.",
    ),
)


def residual_snapshots(path: Path, records: Mapping[str, xr.Dataset]) -> list[Snapshots]:
    """Return the snapshots of a fit of an equation: of its first record, and of the solution where it is known.

    Args:
        path: A run directory or its record.
        records: Its records.
    """
    if equation_facts(next(iter(records.values()))) is None:
        return []
    beside = path / "solution.sqlite" if path.is_dir() else path.with_name("solution.sqlite")
    return [snapshots_of(path), *([snapshots_of(beside)] if "solution" in records else [])]


def residual_page(records: Mapping[str, xr.Dataset], title: str, snapshots: Sequence[Snapshots] = ()) -> Page:
    """Return the page of a training on residuals.

    Args:
        records: By term, that of the first view first; "solution" has the errors of the field.
        title: Of the page.
        snapshots: Of a fit of an equation: those of the first record and, where it is known, of the solution.
    """
    clean = {name: without_unmeasured(record)[0] for name, record in records.items()}
    terms = [name for name in clean if name != "solution"]
    left = {name: part_left(clean[name]) for name in terms}
    first = clean[terms[0]]
    last = int(first.step[-1])
    facts = equation_facts(first)
    tiles = [Tile(f"Residual left, {name}", percent(left[name])) for name in terms if np.isfinite(left[name])]
    tiles += [Tile("Steps", count(last)), Tile("Terms", count(len(terms)))]
    if facts is not None:
        tiles = [*equation_tiles(facts), *tiles]
    shown = "solution" if "solution" in clean else terms[0]
    order = LearningOrder(clean[shown])
    name_of = f"{capitalised(shown)}: error by band over training"
    lead = PlotBlock("learning-order", name_of, order.describe(), order.plotly())
    sections = [] if facts is None else _equation_sections(facts, first, snapshots)
    sections += [_section(name, clean[name], name == shown) for name in clean]
    sections += [
        Section("settings", "Settings", [settings_table(first)]),
        Section("provenance", "Provenance", [provenance_table(first)]),
        Section("glossary", "Glossary", [Glossary(ENTRIES if facts is None else EQUATION_ENTRIES + ENTRIES)]),
    ]
    line = f"{plural(len(terms), 'term')} · {first.attrs.get('network') or ''}".rstrip(" ·")
    why = [] if facts is None else plan_reasons(first)
    title = title if facts is None else str(first.attrs.get("signal") or title)
    return Page(title, line, residual_answers(records), tiles, lead, sections, why)


def _equation_sections(
    facts: Mapping[str, Any], record: xr.Dataset, snapshots: Sequence[Snapshots]
) -> list[Section]:
    """Sections of a fit of an equation, in addition to its terms."""
    step = int(record.attrs.get("kept", record.step[-1]))
    fields = solution_section(facts, snapshots, step) if snapshots else None
    tried = tried_table(facts, str(record.attrs.get("frequency_unit") or ""))
    losses = Loss(_without(record, "train_error", "clean_error"))
    training = PlotBlock("loss-all", "Loss and held-out loss", losses.describe(), losses.plotly())
    return [
        *([] if fields is None else [fields]),
        Section(
            "fields", "Network and kernel solution", [fields_table(facts), terms_table(facts)], pair=True
        ),
        Section(
            "training", "Training", [training, *([] if tried is None else [tried])], pair=tried is not None
        ),
    ]


def _section(name: str, record: xr.Dataset, leads: bool) -> Section:
    anchor = "".join(c if c.isalnum() else "-" for c in name)
    blocks: list[Block] = []
    single = record.sizes["band"] == 1
    if not leads and not single:
        order = LearningOrder(record)
        blocks.append(PlotBlock(f"order-{anchor}", "By band over training", order.describe(), order.plotly()))
    if not single:
        power = Spectra(record)
        blocks.append(PlotBlock(f"spectra-{anchor}", "Spectra", power.describe(), power.plotly()))
    if equation_facts(record) is not None:
        # The held-out loss is that of all terms together, which has a figure of its own.
        record = _without(record, "held_out_error")
    losses = Loss(record)
    if np.isfinite(record.loss).any() or np.isfinite(record.train_error).any():
        blocks.append(
            PlotBlock(f"loss-{anchor}", "Mean square over training", losses.describe(), losses.plotly())
        )
    error = record.residual_power.sum(("band", "channel")).values
    rows = [
        (count(float(step)), number(float(value), 3))
        for step, value in list(zip(record.step.values, error, strict=True))[:: max(1, len(error) // 8)]
    ]
    table = TableBlock(
        "Residual power over training, as a table", rows, ("Step", "Power"), numeric=True, folded=True
    )
    return Section(f"term-{anchor}", capitalised(name), [*blocks, table], pair=len(blocks) > 1)


def _without(record: xr.Dataset, *names: str) -> xr.Dataset:
    """The record with some of its errors unknown."""
    return record.assign({name: record[name] * np.nan for name in names})
