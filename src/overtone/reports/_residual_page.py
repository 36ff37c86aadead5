"""Page of a training on an equation: what is left of each term by frequency, what is settled, what holds it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from overtone._utils.text import count, number, percent, plural
from overtone.errors import InputError
from overtone.plots import LearningOrder, Loss, Spectra
from overtone.records import Snapshots, load
from overtone.records import snapshots as snapshots_of
from overtone.records.metrics import until_network
from overtone.records.metrics._bands import without_unmeasured
from overtone.reports._blocks import Answer, Block, Glossary, Page, PlotBlock, Section, TableBlock, Tile
from overtone.reports._equation_page import (
    EQUATION_ENTRIES,
    KERNEL_QUESTION,
    equation_advice,
    equation_facts,
    equation_tiles,
    fields_table,
    kernel_sentences,
    solution_section,
    terms_table,
    tried_table,
)
from overtone.reports._findings import Findings, gather
from overtone.reports._settings import plan_reasons, provenance_table, settings_table

RESIDUAL_QUESTIONS = (
    "What is left of each term?",
    "Which frequencies are settled, which are missing?",
    "What holds the training back?",
    "What should I do?",
)

UNEVEN = 10.0
"""Ratio between the parts that two terms have left, above which one of them holds the training back."""

MUCH = 0.01
"""Part of a term above which it counts as not yet learned."""

SMALL = 0.05
"""Part of a term below which its residual counts as small."""

FALLING = -0.05
"""Relative change since half the last step below which a residual still falls."""

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


def residual_records(path: Path, record: xr.Dataset) -> dict[str, xr.Dataset] | None:
    """Return the records of all terms of a training, and of the solution; None if a record is no residual of a term.

    Args:
        path: A run directory or a record.
        record: The record at this path.
    """
    if "term" not in record.attrs or "measured" in record.attrs:
        return None
    path = path.parent if path.name == "record.sqlite" and "equation" in record.attrs else path
    records = {str(record.attrs["term"]): record}
    if not path.is_dir():
        return records
    for file in sorted(path.glob("*.sqlite")):
        if file.name == "record.sqlite" or "~" in file.name:
            continue
        try:
            other = load(file)
        except InputError:
            continue
        name = "solution" if other.attrs.get("kind") == "solution" else other.attrs.get("term")
        if name is not None and other.sizes["step"]:
            records[str(name)] = other
    return records


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


def residual_answers(records: Mapping[str, xr.Dataset]) -> list[tuple[str, Answer]]:
    """Return questions on a training on residuals, with their answers.

    Args:
        records: As for `residual_page`.
    """
    clean = {name: without_unmeasured(record)[0] for name, record in records.items()}
    findings = {name: gather(record) for name, record in clean.items()}
    terms = [name for name in clean if name != "solution"]
    left = {name: _left(clean[name]) for name in terms}
    # The solution comes first: what is asked is what it still misses.
    order = sorted(clean, key=lambda name: name != "solution")
    facts = equation_facts(clean[terms[0]])
    answers: list[tuple[str, Answer]] = [
        (RESIDUAL_QUESTIONS[0], [_left_sentence(name, left[name], clean[name]) for name in terms]),
        (RESIDUAL_QUESTIONS[1], [*_compared(facts), *(_settled(name, findings[name]) for name in order)]),
        (RESIDUAL_QUESTIONS[2], _holds_back(left)),
    ]
    advice = None
    if facts is not None:
        answers.append((KERNEL_QUESTION, kernel_sentences(facts)))
        if not any(findings[name].diverged for name in terms):
            advice = equation_advice(facts, findings[terms[0]])
    return [*answers, (RESIDUAL_QUESTIONS[3], advice or _advice(left, findings, terms, facts))]


def residual_page(records: Mapping[str, xr.Dataset], title: str, snapshots: Sequence[Snapshots] = ()) -> Page:
    """Return the page of a training on residuals.

    Args:
        records: By term, that of the first view first; "solution" has the errors of the field.
        title: Of the page.
        snapshots: Of a fit of an equation: those of the first record and, where it is known, of the solution.
    """
    clean = {name: without_unmeasured(record)[0] for name, record in records.items()}
    terms = [name for name in clean if name != "solution"]
    left = {name: _left(clean[name]) for name in terms}
    first = clean[terms[0]]
    last = int(first.step[-1])
    facts = equation_facts(first)
    tiles = [Tile(f"Left of {name}", percent(left[name])) for name in terms if np.isfinite(left[name])]
    tiles += [Tile("Steps", count(last)), Tile("Terms", count(len(terms)))]
    if facts is not None:
        tiles = [*equation_tiles(facts), *tiles]
    shown = "solution" if "solution" in clean else terms[0]
    order = LearningOrder(clean[shown])
    name_of = f"{_capital(shown)}: error by band over training"
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
    """What a fit of an equation shows beside its terms."""
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


def _capital(name: str) -> str:
    return f"{name[:1].upper()}{name[1:]}"


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
    return Section(f"term-{anchor}", _capital(name), [*blocks, table], pair=len(blocks) > 1)


def _without(record: xr.Dataset, *names: str) -> xr.Dataset:
    """The record with some of its errors unknown."""
    return record.assign({name: record[name] * np.nan for name in names})


def _left(record: xr.Dataset) -> float:
    """Part of the mean square residual at the first row that is left at the last, or of the network handed back."""
    until = until_network(record)
    error = np.asarray(until.train_error, float)
    if not np.isfinite(error[[0, -1]]).all():
        error = np.asarray(until.residual_power.sum(("band", "channel")), float)
    scale = max(float(error[0]), float(record.target_power.sum()))
    return float(error[-1]) / scale if scale > 0 else float("nan")


def _left_sentence(name: str, left: float, record: xr.Dataset) -> str:
    if not np.isfinite(left):
        return f"{_capital(name)}: cannot tell, the residual is not finite."
    error = float(until_network(record).train_error[-1])
    size = f" (mean square {number(error, 2)})" if np.isfinite(error) else ""
    return f"{_capital(name)}: {percent(left)} of what the zero field or the untrained network leaves{size}."


def _compared(facts: Mapping[str, Any] | None) -> list[str]:
    if facts is None or facts.get("compared") == "reference":
        return []
    if facts.get("compared"):
        return ["The solution is compared with the kernel solution, since no reference was passed."]
    return [
        "Of the solution: cannot tell, since no reference was passed and the kernel solution is not trusted."
    ]


def _settled(name: str, f: Findings) -> str:
    head = _capital(name)
    if f.diverged:
        return f"{head}: the residual grew far above its start."
    if f.error.size == 0:
        return f"{head}: {'settled' if f.mean_error < 0.5 else 'not settled'}; its points have one band."
    settled = int(f.learned.sum())
    if settled == f.error.size:
        return (
            f"{head}: settled in all {plural(settled, 'band')}, up to {number(float(f.high[-1]))} {f.unit}."
        )
    low, high = float(f.low[~f.learned].min()), float(f.high[~f.learned].max())
    missing = f"missing from {number(low)} to {number(high)} {f.unit}"
    if f.highest_learned > 0:
        return f"{head}: settled up to {number(f.highest_learned)} {f.unit}, {missing}."
    return f"{head}: {settled} of {f.error.size} bands settled, {missing}."


def _slowest(left: Mapping[str, float]) -> tuple[str, str] | None:
    """The term of which far more is left than of another, and that other; None where none holds the others back."""
    known = {name: value for name, value in left.items() if np.isfinite(value)}
    if len(known) < 2:
        return None
    slow, fast = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    return (slow, fast) if known[slow] > max(MUCH, UNEVEN * known[fast]) else None


def _holds_back(left: Mapping[str, float]) -> str:
    pair = _slowest(left)
    if pair is not None:
        slow, fast = pair
        ratio = left[slow] / max(left[fast], 1e-300)
        return f"{_capital(slow)}: {percent(left[slow])} of it is left, {number(ratio, 2)} times as much as of {fast}."
    if len(left) == 1:
        return "There is one term alone."
    return "No single term: none has far more left than the others."


def _solved(findings: Mapping[str, Findings]) -> bool:
    """Whether the solution is known, and settled in all bands."""
    known = findings.get("solution")
    return known is not None and known.error.size > 0 and bool(known.learned.all())


def _advice(
    left: Mapping[str, float],
    findings: Mapping[str, Findings],
    terms: list[str],
    facts: Mapping[str, Any] | None,
) -> str:
    if any(findings[name].diverged for name in terms):
        return "Lower the learning rate, and train again."
    pair = _slowest(left)
    falling = any(np.isfinite(findings[name].trend) and findings[name].trend < FALLING for name in terms)
    if facts is not None and falling and not _solved(findings):
        return "Train longer: residuals are still falling."
    if pair is not None and facts is not None:
        # The weights are already those with which all terms fall at one rate, or the user's.
        weight = {str(term["name"]): float(term["weight"]) for term in facts["terms"]}.get(pair[0], 1.0)
        return f"Raise the weight of {pair[0]} above {number(weight, 3)}: operators.equation(weights=...) sets it."
    if pair is not None:
        return (
            f"Raise the weight of {pair[0]}: operators.choose_bandwidth says with which weights all terms fall at one "
            "rate (advice.weights)."
        )
    if _solved(findings):
        return "Keep it: the solution is settled in all bands."
    if "solution" in findings and all(left[name] < SMALL for name in terms):
        return (
            "Do not go by the residuals: they are small while the solution is still wrong. Take the kernel solution of "
            "operators.choose_bandwidth, or train far longer."
        )
    if falling:
        return "Train longer: residuals are still falling."
    if all(findings[name].learned.all() for name in terms):
        return "Keep it: the residuals are settled and no longer fall."
    return "Choose another bandwidth (operators.choose_bandwidth): residuals no longer fall, and bands are missing."
