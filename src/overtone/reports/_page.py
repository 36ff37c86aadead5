"""One HTML page from one or more records."""

from __future__ import annotations

import base64
import functools
import gzip
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from overtone._utils.files import write_atomic
from overtone.errors import InputError, RunError
from overtone.records import load, snapshots
from overtone.reports._blocks import Page
from overtone.reports._comparison import comparison_page
from overtone.reports._equation_verdict import residual_records
from overtone.reports._residual_page import residual_page, residual_snapshots
from overtone.reports._sections import run_page, title_of


def write_html(path: Path, content: str) -> Path:
    """Write UTF-8 text to `path`, all of it or nothing.

    Args:
        path: Where it goes; its folder is made as needed.
        content: The text.

    Returns:
        `path`.

    Raises:
        InputError: If `path` is a folder.
        RunError: If the folder cannot be made or written to, or the disk is full. An older file at `path` is untouched.
    """
    if path.is_dir():
        raise InputError("a file name for the report", "a folder", f"pass {path / 'report.html'}", str(path))
    try:
        write_atomic(path, content)
    except OSError as refused:
        raise RunError(
            "a place the report can be written to",
            f"{refused.strerror or refused}",
            "free some space or choose another path",
            str(path),
        ) from refused
    return path


@functools.cache
def plotly_script() -> str:
    """Return plotly.js compressed by gzip, as base64: 4.8 MB become about 1.9 MB. Browsers inflate it themselves."""
    # Without a time stamp the same record gives the same page, byte by byte.
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)).decode("ascii")


def report(paths: str | Path | Sequence[str | Path], out: str | Path) -> Path:
    """Write a self-contained HTML page of one run, or of the comparison of several, that works offline.

    Args:
        paths: Run directories, `.sqlite` or `.nc` records; one or several.
        out: The page's path, by custom ending in `.html`. Written whole or not at all.

    Returns:
        The path of the page.

    Raises:
        InputError: If there are no paths, a record is missing, damaged or without rows, or `out` is a folder.
        RunError: If the page cannot be written.

    Example:
        >>> import tempfile
        >>> from overtone import records, reports
        >>> header = records.Header([0, 1], [1, 2], ["value"], {"target_power": [[0], [1]]})
        >>> folder = tempfile.mkdtemp()
        >>> with records.Writer.create(folder + "/record.sqlite", header) as writer:
        ...     writer.append(0, {"residual_power": [[0], [1]]})
        >>> reports.report(folder, folder + "/report.html").name
        'report.html'
    """
    sources = record_paths(paths, "report")
    records = [load(path) for path in sources]
    terms = residual_records(sources[0], records[0]) if len(sources) == 1 else None
    if terms is not None:
        page = residual_page(terms, title_of(sources[0]), residual_snapshots(sources[0], terms))
    elif len(sources) == 1:
        page = run_page(records[0], snapshots(sources[0]), title_of(sources[0]))
    else:
        page = comparison_page(records, distinct([title_of(path) for path in sources]))
    return write_html(Path(out), render(page))


def record_paths(paths: str | Path | Sequence[str | Path], argument: str) -> list[Path]:
    """Return one or several paths of records as a list.

    Args:
        paths: A path or several.
        argument: What an error names.

    Raises:
        InputError: If there are none.
    """
    sources = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not sources:
        raise InputError("at least one record", "none", "pass the directory of a run", argument)
    return sources


def distinct(names: Sequence[str]) -> list[str]:
    """Return the names, with a number after those that occur more than once."""
    counts: dict[str, int] = {}
    out: list[str] = []
    for name in names:
        counts[name] = counts.get(name, 0) + 1
        out.append(f"{name} ({counts[name]})" if names.count(name) > 1 else name)
    return out if len(set(out)) == len(out) else [f"{i}: {name}" for i, name in enumerate(names, 1)]


def render(page: Page) -> str:
    """Render a page as HTML. Content of records is escaped; style, script and library are overtone's own."""
    # Autoescape covers all content of records; StrictUndefined turns a misspelt name in a template into an error.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("overtone.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    assets = {name: Markup(_source(environment, f"page.{name}")) for name in ("css", "js")}
    template = environment.get_template("page.html")
    return template.render(
        page=page, plotly=plotly_script(), version=importlib.metadata.version("overtone"), **assets
    )


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
