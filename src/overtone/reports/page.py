"""One HTML page from one or more records."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from overtone.errors import InputError
from overtone.records import load, snapshots
from overtone.reports.atomic import write_html
from overtone.reports.blocks import Page
from overtone.reports.bundle import plotly_script
from overtone.reports.comparing import comparison_page
from overtone.reports.sections import run_page, title_of


def write(paths: str | Path | Sequence[str | Path], out: str | Path) -> Path:
    """Write one self-contained HTML page that works offline: of one run, or, given several, of their comparison.

    Args:
        paths: Run directories, `.sqlite` or `.nc` records; one or several.
        out: The page's path, by custom ending in `.html`. Written whole or not at all.

    Returns:
        The path of the page.

    Raises:
        InputError: If there are no paths, a record is missing, damaged or without rows, or `out` is a folder.
        RunError: If the page cannot be written.
    """
    given = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not given:
        raise InputError("at least one record", "none", "pass the directory of a run", "report")
    records = [load(path) for path in given]
    if len(given) == 1:
        page = run_page(records[0], snapshots(given[0]), title_of(given[0]))
    else:
        page = comparison_page(records, distinct([title_of(path) for path in given]))
    return write_html(Path(out), render(page))


def distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number after those that occur more than once."""
    seen: dict[str, int] = {}
    out: list[str] = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(f"{name} ({seen[name]})" if names.count(name) > 1 else name)
    return out if len(set(out)) == len(out) else [f"{i}: {name}" for i, name in enumerate(names, 1)]


def render(page: Page) -> str:
    """The page as HTML. Whatever comes from a record is escaped; style, script and library are overtone's own."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("overtone.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = {name: Markup(_source(environment, f"page.{name}")) for name in ("css", "js")}
    template = environment.get_template("page.html")
    return template.render(
        page=page, plotly=plotly_script(), version=importlib.metadata.version("overtone"), **own
    )


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]
