"""One page of all claims with their verdicts, each opening into its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from overtone.reports._blocks import Block, FoldedBlock, Page, PlotBlock, Section, TableBlock, Tile
from overtone.reports._page import render, write_html
from overtone.studies.figure import data, figure
from overtone.studies.interval import Interval
from overtone.studies.result import Result
from overtone.studies.size import Size
from overtone.studies.study import Effort, Family, Study
from overtone.studies.verdict import Verdict

MISSING = "not run"

MEANINGS = (
    ("Supported", "the whole interval of every condition meets the criterion that was fixed beforehand."),
    ("Refuted", "no part of any interval meets it."),
    ("Depends", "some conditions meet it, others miss it; the sentence says which."),
    ("Undecided", "the seeds disagree, or the control, where the claim must fail, did not fail."),
)


def write(studies: Sequence[Study], results: Mapping[str, Result], size: Size, out: str | Path) -> Path:
    """Write one self-contained page.

    Args:
        studies: What is shown, in order.
        results: By name; studies without one are shown as not run.
        size: Of the results.
        out: The page's path.

    Returns:
        It.

    Raises:
        InputError: If `out` is a folder.
        RunError: If it cannot be written.
    """
    return write_html(Path(out), render(page(studies, results, size)))


def page(studies: Sequence[Study], results: Mapping[str, Result], size: Size) -> Page:
    """The page's content; see `write`."""
    counts = {v: sum(r.judgement.verdict is v for r in results.values()) for v in Verdict}
    tiles = [Tile(verdict.value.capitalize(), str(number)) for verdict, number in counts.items()]
    if len(studies) > len(results):
        tiles.append(Tile(MISSING.capitalize(), str(len(studies) - len(results))))
    table = TableBlock(
        "All claims", [_row(s, results.get(s.name)) for s in studies], ("Verdict", "Claim", "Asked", "Found")
    )
    sections = [Section("claims", "Every claim and its verdict", [table])]
    for family in Family:
        members = [study for study in studies if study.family is family]
        if members:
            blocks = [_evidence(study, results.get(study.name), size) for study in members]
            sections.append(Section(family.name.lower(), family.value, blocks))
    return Page(
        "Claims about spectral bias, settled",
        f"{len(studies)} studies, size {size.value}. Each states its criterion before it is run and has a control "
        "that must fail it.",
        MEANINGS,
        tiles,
        None,
        sections,
    )


def _row(study: Study, result: Result | None) -> tuple[str, str, str, str]:
    if result is None:
        return MISSING, study.claim, str(study.criterion), ""
    found = "; ".join(f"{name}: {interval}" for name, interval in result.intervals.items())
    return result.judgement.verdict.value, study.claim, str(study.criterion), found


def _evidence(study: Study, result: Result | None, size: Size) -> FoldedBlock:
    told = [f"Source: {study.source}.", f"Measured: {study.statistic}. Asked: {study.criterion}."]
    if result is None:
        again = f"overtone study run {study.name} --size {size.value}"
        return FoldedBlock(study.name, study.claim, MISSING, [*told, f"Not run yet: {again}"], [])
    seeds = study.seeds(size)
    told += [result.judgement.reason]
    told += [f"Read with care: {care}"] if (care := study.care(size)) else []
    blocks: list[Block] = []
    if any(row["curves"] for rows in result.measurements.values() for row in rows):
        caption = (
            f"Lines are means over {len(seeds)} seeds and bands their range; the control is dashed."
            if len(seeds) > 1
            else "No seed enters. The control is dashed."
        )
        drawn = figure(data(result), study.axes, study.control.name)
        blocks.append(PlotBlock(f"{study.name}-figure", study.axes.y, caption, drawn))
    rows = [_interval(name, interval, "") for name, interval in result.intervals.items()]
    rows.append(_interval(study.control.name, result.control, "control"))
    blocks.append(TableBlock("Statistic", rows, ("Condition", "Mean", "90 % interval", ""), numeric=True))
    blocks.append(TableBlock("How it was run", _how(study, study.efforts[size], result), folded=True))
    return FoldedBlock(study.name, study.claim, result.judgement.verdict.value, told, blocks)


def _interval(name: str, interval: Interval, note: str) -> tuple[str, str, str, str]:
    ends = f"{interval.low:.3g} to {interval.high:.3g}" if interval.high > interval.low else ""
    return name, f"{interval.mean:.3g}", ends, note


def _how(study: Study, effort: Effort, result: Result) -> list[tuple[str, str]]:
    conditions = [(f"Condition: {c.name}", _settings(c.settings)) for c in (*study.conditions, study.control)]
    notes = dict.fromkeys(n for rows in result.measurements.values() for row in rows for n in row["notes"])
    return [
        *conditions,
        ("Settings", _settings(effort.settings)),
        ("Seeds", ", ".join(map(str, study.seeds(result.size)))),
        ("Time", f"{result.seconds:.3g} s"),
        ("Machine", result.machine),
        ("Versions", ", ".join(f"{name} {version}" for name, version in result.versions.items())),
        ("Run", result.created),
        *((("Notes", " ".join(notes)),) if notes else ()),
        ("Again", f"overtone study run {study.name} --size {result.size.value}"),
    ]


def _settings(settings: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items()) or "none"
