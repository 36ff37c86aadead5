"""Pages of the commands that also do other work: without the packages for reports the work is done all the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from overtone._utils.optional import install_command, missing_packages


def write_page_if_possible(write: Callable[[], Path], again: str) -> Path | None:
    """Write a page; if the packages for reports are not installed, say so on stderr and return None.

    Args:
        write: Writes the page and returns its path.
        again: The command that writes it once the packages are installed.
    """
    absent = missing_packages("reports")
    if not absent:
        return write()
    # On stderr: stdout may be the JSON document.
    click.echo(
        f"overtone: the report was not written, because packages are missing ({', '.join(absent)}); "
        f"run: {install_command('reports')}\nthen: {again}",
        err=True,
    )
    return None


def address(page: Path | None) -> dict[str, str]:
    """Return the row of facts with the address of a page; no row if there is no page."""
    return {} if page is None else {"Report": page.resolve().as_uri()}
