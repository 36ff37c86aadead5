"""`overtone report`: one HTML page from one or more records."""

from __future__ import annotations

from pathlib import Path

import click

from overtone.cli.output import print_json


@click.command()
@click.argument("runs", nargs=-1, required=True)
@click.option("--out", default="report.html", show_default=True, help="The page to write.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there.")
def report(runs: tuple[str, ...], out: str, as_json: bool) -> None:
    """Write one self-contained HTML page from the records of RUNS (run directories or record files).

    Several runs are compared on one page.
    """
    from overtone import records
    from overtone import report as pages

    path = pages.write([Path(run) for run in runs], Path(out))
    if as_json:
        verdicts = {run: pages.verdict(records.load(run)) for run in runs}
        print_json({"report": str(path), "runs": list(runs), "verdict": verdicts})
    else:
        click.echo(f"Report: {path.resolve().as_uri()}")
