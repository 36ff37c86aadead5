"""`overtone report`: one HTML page from one or more records."""

from __future__ import annotations

from pathlib import Path

import click

from overtone._utils.optional import require_extra
from overtone._utils.text import plural
from overtone.cli._announcements import announce
from overtone.cli._completion import complete_run
from overtone.cli._options import Verb, examples, flag, json_flag
from overtone.cli._output import print_json
from overtone.errors import InputError, RunError


@click.command(
    "report",
    cls=Verb,
    short_help="Write one HTML page from one or more runs.",
    epilog=examples(
        "overtone report run",
        "overtone report run --figures figures",
        "overtone report run-a run-b --out compare.html",
        "overtone report seeds.nc",
    ),
)
@click.argument("runs", nargs=-1, required=True, type=click.Path(), shell_complete=complete_run)
@flag(
    "--out",
    type=click.Path(),
    metavar="FILE",
    default="report.html",
    show_default=True,
    section="Output",
    help="The page to write.",
)
@flag(
    "--figures",
    type=click.Path(),
    metavar="DIR",
    section="Output",
    help="Also write each figure as a file for papers.",
)
@flag(
    "--format",
    "file_format",
    type=click.Choice(["pdf", "png", "svg"]),
    default="pdf",
    show_default=True,
    section="Output",
    help="Format of the files of --figures.",
)
@json_flag
def report_command(
    runs: tuple[str, ...], out: str, figures: str | None, file_format: str, as_json: bool
) -> None:
    """Write one self-contained HTML page from the records of RUNS.

    Each of RUNS is a run directory, also one that is still written or has failed, or a record file (.sqlite, .nc).
    Several runs are compared on one page.
    """
    announce(f"Reading {plural(len(runs), 'run')}.")
    from overtone import records
    from overtone import reports as pages
    from overtone.reports._verdict import run_answers

    _check_apart(runs, Path(out))
    if figures is not None:
        require_extra("figures")
    verdicts = [
        {"run": run, "verdict": [answer for _, answer in run_answers(Path(run), records.load(run))]}
        for run in runs
    ]
    try:
        path = pages.report([Path(run) for run in runs], Path(out))
        files = (
            [] if figures is None else pages.save_figures([Path(run) for run in runs], figures, file_format)
        )
    except RunError as refused:
        raise InputError(refused.expected, refused.got, refused.do, refused.source) from refused
    if as_json:
        # The key is absent without --figures, as it was before there were any.
        written = {} if figures is None else {"figures": [str(file) for file in files]}
        print_json({"report": str(path), "runs": verdicts} | written)
    else:
        for file in files:
            click.echo(f"Figure: {file}")
        click.echo(f"Report: {path.resolve().as_uri()}")


def _check_apart(runs: tuple[str, ...], out: Path) -> None:
    """Refuse to write the page over a record."""
    records = [path / "record.sqlite" if path.is_dir() else path for path in map(Path, runs)]
    if any(out.exists() and record.exists() and out.samefile(record) for record in records):
        raise InputError(
            "a file that is not one of the records", "one of them", "pass for instance report.html", "--out"
        )
