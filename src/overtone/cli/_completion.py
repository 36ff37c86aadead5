"""Completion of values in the shell: names of a list, studies, run directories and arrays of a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def complete_names(*names: str) -> list[CompletionItem]:
    """Return completions of the last of several names separated by commas.

    Args:
        *names: The word as typed, then the names that may stand in it.
    """
    incomplete, *known = names
    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in known if name.startswith(last)]


def complete_activation(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of activations, one or several separated by commas."""
    from overtone._config import Activation

    return complete_names(incomplete, *(member.value for member in Activation))


def complete_candidates(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of candidates of a comparison, one or several separated by commas."""
    from overtone.comparing._candidates import network_candidates

    return complete_names(incomplete, *network_candidates())


def complete_run(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete run directories: folders with settings or a record, and folders on the way to one."""
    folder, slash, start = incomplete.rpartition("/")
    base = Path(f"{folder}{slash}" or ".")
    items = []
    for path in sorted(base.iterdir()) if base.is_dir() else ():
        if path.is_dir() and path.name.startswith(start) and not path.name.startswith("."):
            run = (path / "run.json").is_file() or (path / "record.sqlite").is_file()
            nested = not run and any(path.glob("*/run.json"))
            if run or nested:
                items.append(CompletionItem(f"{folder}{slash}{path.name}{'/' * nested}"))
    # Nothing to offer: the shell completes files, such as records.
    return items or [CompletionItem(incomplete, type="file")]


def complete_key(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of the arrays in SOURCE, if it is a readable .npz file."""
    # With the value of a flag still missing, click leaves the words unparsed.
    source = context.params.get("source") or next((w for w in context.args if w.endswith(".npz")), "")
    try:
        # The names stand in the directory of the archive: no array is read, and NumPy is not imported.
        with zipfile.ZipFile(source) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (OSError, zipfile.BadZipFile):
        return []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def complete_study(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of studies that are not on the line yet."""
    from overtone.studies import catalogue

    named = context.params.get("names") or ()
    return [CompletionItem(name) for name in catalogue() if name.startswith(incomplete) and name not in named]
