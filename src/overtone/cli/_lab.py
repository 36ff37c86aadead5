"""`overtone lab`: the page in which a network is trained and its spectrum watched."""

from __future__ import annotations

import tempfile
import webbrowser
from pathlib import Path

import click

from overtone.cli._announcements import announce_reading
from overtone.cli._options import Verb, chain, examples, flag


@click.command(
    "lab",
    cls=Verb,
    short_help="Open a page that trains a network in the browser.",
    epilog=examples(
        "overtone lab",
        "overtone lab --out lab.html",
        "overtone lab --signal sound.wav",
    ),
)
@chain(
    flag(
        "--out",
        type=click.Path(path_type=Path),
        metavar="FILE",
        section="Output",
        help="Write the page to FILE and print its path; no browser is opened.",
    ),
    flag(
        "--signal",
        "source",
        type=click.Path(),
        metavar="FILE",
        section="Signal",
        help="A recording, series or array to add to the signals of the page.",
    ),
)
def lab_command(out: Path | None, source: str | None) -> None:
    """Watch in the browser which frequencies a network learns, and when.

    The page is one file that needs no server and no network connection.
    """
    from overtone import lab

    values = None if source is None else _series(source)
    if out is not None:
        click.echo(str(lab.write(out, values).resolve()))
        return
    # The folder stays: the browser reads the file after this command has ended.
    path = lab.write(Path(tempfile.mkdtemp(prefix="overtone-lab-")) / "lab.html", values).resolve()
    if webbrowser.open(path.as_uri()):
        click.echo(f"The lab is open in the browser: {path}")
    else:
        click.echo(f"No browser could be opened. Open this file in one: {path}")


def _series(source: str) -> list[float]:
    """Read a signal with one axis; the mean of its channels."""
    announce_reading(source)
    from overtone.cli._source import read_source
    from overtone.errors import InputError

    signal = read_source(source, {})
    if len(signal.geometry.shape) != 1:
        shape = " x ".join(map(str, signal.geometry.shape))
        raise InputError(
            "a signal with one axis (a recording, a series or an array of numbers)",
            f"{shape} values",
            "pass one row of it as .npy",
            source,
        )
    values: list[float] = signal.grid_values.double().mean(-1).tolist()
    return values
