"""`overtone study`: the literature's claims, put to the test."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from overtone.cli._options import Verb, chain, examples, flag, json_flag
from overtone.cli._output import facts, paragraph, print_json
from overtone.errors import InputError, RunError

if TYPE_CHECKING:
    from overtone.studies import Result, Study

SIZES = ["smoke", "quick", "full"]

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
    help="Where results lie. [default: those that come with overtone]",
)


@click.group(
    short_help="Settle claims of the literature: list, run, show, report.",
    epilog=examples(
        "overtone study list", "overtone study run mlp-low-first", "overtone study run all --processes 2"
    ),
)
def study() -> None:
    """Put claims of the literature about spectral bias to the test.

    Each study states its criterion before it is run and has a control that must fail it. Its verdict is supported,
    refuted, depends (on what) or undecided (why).
    """


@study.command("list", cls=Verb, short_help="Every claim with its last verdict.")
@chain(size_flag, results_flag, json_flag)
def list_studies(size: str, results: str | None, as_json: bool) -> None:
    """List every claim with its last verdict and what it cost."""
    from overtone.studies import studies

    results_by_study = [(entry, _load(entry, size, results)) for entry in studies().values()]
    if as_json:
        print_json({"studies": [_document(entry, result) for entry, result in results_by_study]})
        return
    for family in dict.fromkeys(entry.family for entry, _ in results_by_study):
        rows = {
            entry.name: _line(entry, result) for entry, result in results_by_study if entry.family is family
        }
        click.echo(f"{family.value}\n{facts(rows)}\n")


@study.command("show", cls=Verb, short_help="One claim with its evidence.")
@click.argument("name")
@chain(size_flag, results_flag, json_flag)
def show(name: str, size: str, results: str | None, as_json: bool) -> None:
    """Show the claim NAME, how it was tested and what was found."""
    from overtone.studies import find

    entry = find(name)
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
@click.argument("names", nargs=-1, required=True)
@size_flag
@flag(
    "--out",
    type=click.Path(file_okay=False),
    metavar="DIR",
    default="studies",
    show_default=True,
    section="Output",
    help="Where measurements and results are kept; what lies there is not measured again.",
)
@flag(
    "--processes",
    type=click.IntRange(min=1),
    section="Workers",
    help="On this machine. [default: one per core]",
)
@flag(
    "--ray",
    metavar="ADDRESS",
    section="Workers",
    help="A Ray cluster, host:port; local makes one of this machine.",
)
@flag(
    "--gpus",
    type=float,
    default=0.0,
    show_default=True,
    section="Workers",
    help="With --ray: share of a GPU that each measurement takes.",
)
@json_flag
def run_studies(
    names: tuple[str, ...],
    size: str,
    out: str,
    processes: int | None,
    ray: str | None,
    gpus: float,
    as_json: bool,
) -> None:
    """Run the studies NAMES, or all of them, and say what they found.

    Interrupted, the same command goes on; measurements that had ended are not repeated.
    """
    from overtone._sweeps import Local, Ray, Workers
    from overtone.studies import Size, find, run, studies

    if ray is not None and processes is not None:
        raise InputError("--ray or --processes", "both", "choose one")
    chosen = list(studies().values()) if "all" in names else [find(name) for name in dict.fromkeys(names)]
    workers: Workers = Local(processes)
    if ray is not None:
        workers = Ray(None if ray == "local" else ray, gpus=gpus)
    results, failed = {}, []
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        for progress in run(chosen, Size(size), Path(out), workers):
            ended = progress.finished
            if not ended.stored:
                click.echo(f"[{progress.done}/{progress.total}] {ended.task.name}", err=True)
            if ended.error is not None:
                failed.append(f"{ended.task.name}: {ended.error}")
                click.echo(f"overtone: {failed[-1]}", err=True)
            if progress.result is not None:
                results[progress.result.study] = progress.result
                if not as_json:
                    click.echo(_text(find(progress.result.study), progress.result) + "\n")
    if as_json:
        print_json(
            {"studies": [_document(entry, results.get(entry.name)) for entry in chosen], "failed": failed}
        )
    if Size(size) is Size.SMOKE:
        click.echo("note: a smoke run shows that a study runs; its verdict means nothing.", err=True)
    if failed:
        raise RunError(
            "every measurement to succeed",
            f"{len(failed)} that did not, first {failed[0]}",
            "look at it, then run the same command again",
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
    from overtone.studies import Size, studies
    from overtone.studies.page import write

    every = list(studies().values())
    results_by_study = {
        entry.name: result for entry in every if (result := _load(entry, size, results)) is not None
    }
    path = write(every, results_by_study, Size(size), out)
    if as_json:
        print_json({"report": str(path)})
    else:
        click.echo(f"Report: {path.resolve().as_uri()}")


def _document(entry: Study, result: Result | None) -> dict[str, Any]:
    """A study in the JSON document: its claim, and what its last run found, None where it was not run.

    `statistic` and `interval` are those of the first condition; `conditions` has all.
    """
    known: dict[str, Any] = {
        "name": entry.name,
        "family": entry.family.value,
        "claim": entry.claim,
        "source": entry.source,
        "measured": entry.statistic,
        "criterion": str(entry.criterion),
    }
    unknown = ("verdict", "reason", "statistic", "interval", "control_failed", "seconds")
    if result is None:
        return known | dict.fromkeys(unknown) | {"conditions": []}
    first = next(iter(result.intervals.values()))
    return known | {
        "verdict": result.judgement.verdict.value,
        "reason": result.judgement.reason,
        "statistic": first.mean,
        "interval": [first.low, first.high],
        "control_failed": result.control_failed,
        "seconds": result.seconds,
        "conditions": [
            {"name": name, "statistic": i.mean, "interval": [i.low, i.high]}
            for name, i in result.intervals.items()
        ],
        "control": {"name": entry.control.name, "statistic": result.control.mean},
    }


def _text(entry: Study, result: Result | None) -> str:
    """A study for people.

    Args:
        entry: The study.
        result: Its result, or None.
    """
    rows = {"Source": entry.source, "Measured": entry.statistic, "Asked": str(entry.criterion)}
    verdict = "not run"
    if result is not None:
        verdict = result.judgement.verdict.value
        rows |= {name.capitalize(): str(interval) for name, interval in result.intervals.items()}
        rows[f"Control: {entry.control.name}"] = f"{result.control}"
        rows["Because"] = result.judgement.reason
    if caveat := "" if result is None else entry.care(result.size):
        rows["Caveat"] = caveat
    return f"{paragraph(f'{entry.name}: {verdict}', [entry.claim])}\n\n{facts(rows)}"


def _line(entry: Study, result: Result | None) -> str:
    if result is None:
        return f"not run     {entry.claim}"
    return f"{result.judgement.verdict.value:10}  {entry.claim} ({result.seconds:.3g} s)"


def _load(entry: Study, size: str, results: str | None) -> Result | None:
    from overtone.studies import Result, Size
    from overtone.studies.result import PACKAGED

    return Result.load(entry, Size(size), PACKAGED if results is None else Path(results))
