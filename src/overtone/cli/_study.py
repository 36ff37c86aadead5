"""`overtone study`: the literature's claims, put to the test."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from overtone._utils.optional import require_extra
from overtone.cli._announcements import announce
from overtone.cli._completion import complete_study
from overtone.cli._durations import in_words
from overtone.cli._options import Verb, chain, examples, flag, json_flag
from overtone.cli._output import facts, paragraph, print_json
from overtone.errors import InputError, RunError

if TYPE_CHECKING:
    from overtone.studies import Study, StudyResult

SIZES = ["smoke", "quick", "full"]

DURATIONS = {"smoke": "seconds", "quick": "minutes on two cores", "full": "hours"}

size_flag = flag(
    "--size",
    type=click.Choice(SIZES),
    default="quick",
    show_default=True,
    section="Study",
    help="smoke: seconds; quick: minutes on two cores; full: the source's own dimensions.",
)
results_flag = flag(
    "--results",
    type=click.Path(file_okay=False),
    metavar="DIR",
    section="Study",
    help="Folder of the results. [default: those that come with overtone]",
)


@click.group(
    short_help="Test claims of the literature: list, run, show, report.",
    epilog=examples(
        "overtone study list", "overtone study run mlp-low-first", "overtone study run all --processes 2"
    ),
)
def study() -> None:
    """Put claims of the literature about spectral bias to the test.

    Each study states its criterion before it is run and has a control that must fail it. Its verdict is supported,
    refuted, not reproduced (in a run smaller than the source's), depends (on what) or undecided (why).
    """


@study.command("list", cls=Verb, short_help="Every claim with its last verdict.")
@chain(size_flag, results_flag, json_flag)
def list_studies(size: str, results: str | None, as_json: bool) -> None:
    """List every claim with its last verdict and its computing time."""
    announce("Reading the results of all studies.")
    from overtone.studies import catalogue

    results_by_study = [(entry, _load(entry, size, results)) for entry in catalogue().values()]
    if as_json:
        print_json({"studies": [_document(entry, result) for entry, result in results_by_study]})
        return
    for topic in dict.fromkeys(entry.topic for entry, _ in results_by_study):
        rows = {
            entry.name: _line(entry, result) for entry, result in results_by_study if entry.topic is topic
        }
        click.echo(f"{topic.value}\n{facts(rows)}\n")


@study.command("show", cls=Verb, short_help="One claim with its evidence.")
@click.argument("name", shell_complete=complete_study)
@chain(size_flag, results_flag, json_flag)
def show(name: str, size: str, results: str | None, as_json: bool) -> None:
    """Show the claim NAME, its test and the result."""
    announce(f"Reading the result of {name}.")
    from overtone.studies import find_study

    entry = find_study(name)
    result = _load(entry, size, results)
    if as_json:
        print_json({"studies": [_document(entry, result)]})
        return
    click.echo(_text(entry, result))


@study.command(
    "run",
    cls=Verb,
    short_help="Run studies.",
    epilog=examples(
        "overtone study run hat-conditioning",
        "overtone study run all --size quick --out studies",
        "overtone study run all --size full --ray 10.0.0.1:6379 --gpus 1",
    ),
)
@click.argument("names", nargs=-1, required=True, shell_complete=complete_study)
@size_flag
@flag(
    "--out",
    type=click.Path(file_okay=False),
    metavar="DIR",
    default="studies",
    show_default=True,
    section="Output",
    help="Folder of measurements and results; measurements stored there are not repeated.",
)
@flag(
    "--processes",
    type=click.IntRange(min=1),
    section="Workers",
    help="Worker processes on this machine. [default: one per core]",
)
@flag(
    "--ray",
    metavar="ADDRESS",
    section="Workers",
    help="Address of a Ray cluster, host:port; local starts one on this machine.",
)
@flag(
    "--gpus",
    type=float,
    default=0.0,
    show_default=True,
    section="Workers",
    help="Share of a GPU per measurement, with --ray.",
)
@json_flag
def study_run(
    names: tuple[str, ...],
    size: str,
    out: str,
    processes: int | None,
    ray: str | None,
    gpus: float,
    as_json: bool,
) -> None:
    """Run the studies NAMES, or all of them, and show their results.

    After an interruption the same command continues; finished measurements are not repeated.
    """
    announce("Loading the studies.")
    from overtone._sweeps import Local, Ray, Workers
    from overtone.studies import StudySize, catalogue, find_study, run_studies
    from overtone.studies._wording import SMOKE_CAVEAT

    if ray is not None and processes is not None:
        raise InputError("--ray or --processes", "both", "choose one")
    chosen = (
        list(catalogue().values()) if "all" in names else [find_study(name) for name in dict.fromkeys(names)]
    )
    announce(_duration(chosen, size))
    workers: Workers = Local(processes)
    if ray is not None:
        workers = Ray(None if ray == "local" else ray, gpus=gpus)
    results, failed = {}, []
    # Studies may print; with --json nothing but the document may reach stdout.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        for progress in run_studies(chosen, StudySize(size), Path(out), workers):
            ended = progress.finished
            if not ended.stored:
                click.echo(f"[{progress.done}/{progress.total}] {ended.task.name}", err=True)
            if ended.error is not None:
                failed.append(f"{ended.task.name}: {ended.error}")
                click.echo(f"overtone: {failed[-1]}", err=True)
            if progress.result is not None:
                results[progress.result.study] = progress.result
                if not as_json:
                    click.echo(_text(find_study(progress.result.study), progress.result) + "\n")
    if as_json:
        print_json(
            {"studies": [_document(entry, results.get(entry.name)) for entry in chosen], "failed": failed}
        )
    if StudySize(size) is StudySize.SMOKE:
        click.echo(f"note: {SMOKE_CAVEAT[0].lower()}{SMOKE_CAVEAT[1:]}", err=True)
    if failed:
        # Raised last, so that what was finished is printed and stored first.
        raise RunError(
            "every measurement to succeed",
            f"{len(failed)} that failed, the first with: {failed[0]}",
            "remove the cause, then run the same command again",
            "study",
        )


@study.command("report", cls=Verb, short_help="One page of all claims with their evidence.")
@chain(size_flag, results_flag)
@flag(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    default="studies.html",
    show_default=True,
    section="Output",
    help="The page to write.",
)
@json_flag
def report_studies(size: str, results: str | None, out: str, as_json: bool) -> None:
    """Write one self-contained HTML page: every claim with its verdict, opening into its evidence."""
    require_extra("reports")
    announce("Reading the results of all studies.")
    from overtone.studies import StudySize, catalogue
    from overtone.studies._page import write_study_page

    every = list(catalogue().values())
    results_by_study = {
        entry.name: result for entry in every if (result := _load(entry, size, results)) is not None
    }
    path = write_study_page(every, results_by_study, StudySize(size), out)
    if as_json:
        print_json({"report": str(path)})
    else:
        click.echo(f"Report: {path.resolve().as_uri()}")


def _duration(studies: Sequence[Study], size: str) -> str:
    """Say how long studies take, from the computing time of the results that come with overtone."""
    seconds = [result.seconds for entry in studies if (result := _load(entry, size, None)) is not None]
    head = f"Running {len(studies)} {'study' if len(studies) == 1 else 'studies'} of size {size}"
    if len(seconds) < len(studies):
        return f"{head}: {DURATIONS[size]}."
    return f"{head}: {in_words(sum(seconds))} of computing on one core, less where measurements are stored already."


def _document(entry: Study, result: StudyResult | None) -> dict[str, Any]:
    """Return a study for the JSON document: its claim, and its last result, None where it was not run.

    `statistic` and `interval` are those of the first condition; `conditions` has all.
    """
    from overtone.studies._wording import verdict_reason

    known: dict[str, Any] = {
        "name": entry.name,
        "family": entry.topic.value,
        "claim": entry.claim,
        "source": entry.source,
        "measured": entry.statistic,
        "criterion": str(entry.criterion),
    }
    unknown = ("verdict", "reason", "statistic", "interval", "control_failed", "seconds")
    if result is None:
        return known | dict.fromkeys(unknown) | {"conditions": []}
    first = next(iter(result.intervals.values()))
    positive: dict[str, Any] = {}
    if entry.positive_control is not None and result.positive is not None:
        name = entry.positive_control.name
        positive = {"positive_control": {"name": name, "statistic": result.positive.centre}}
    return (
        known
        | positive
        | {
            "verdict": result.judgement.verdict.value,
            "reason": verdict_reason(entry, result),
            "statistic": first.centre,
            "interval": [first.low, first.high],
            "control_failed": result.judgement.control_failed,
            "seconds": result.seconds,
            "conditions": [
                {"name": name, "statistic": i.centre, "interval": [i.low, i.high]}
                for name, i in result.intervals.items()
            ],
            "control": {"name": entry.control.name, "statistic": result.control.centre},
        }
    )


def _text(entry: Study, result: StudyResult | None) -> str:
    """Return a study and its result, if it has one, as paragraphs for a terminal."""
    from overtone.studies._wording import caveat_of, interval_wording, verdict_reason

    rows = {"Source": entry.source, "Statistic": entry.statistic, "Criterion": str(entry.criterion)}
    verdict = "not run"
    if result is not None:
        verdict = result.judgement.verdict.value
        rows |= {name[:1].upper() + name[1:]: str(interval) for name, interval in result.intervals.items()}
        rows[f"Control: {entry.control.name}"] = f"{result.control}"
        if entry.positive_control is not None and result.positive is not None:
            rows[f"Positive control: {entry.positive_control.name}"] = f"{result.positive}"
        rows["Tests"] = entry.tested.value
        rows["Interval"] = interval_wording(entry)
        rows["Reason"] = verdict_reason(entry, result)
    if caveat := "" if result is None else caveat_of(entry, result.size):
        rows["Caveat"] = caveat
    return f"{paragraph(f'{entry.name}: {verdict}', [entry.claim])}\n\n{facts(rows)}"


def _line(entry: Study, result: StudyResult | None) -> str:
    if result is None:
        return f"{'not run':14}  {entry.claim}"
    return f"{result.judgement.verdict.value:14}  {entry.claim} ({result.seconds:.3g} s)"


def _load(entry: Study, size: str, results: str | None) -> StudyResult | None:
    from overtone.studies import StudyResult, StudySize

    return StudyResult.load(entry, StudySize(size), None if results is None else Path(results))
