"""`overtone mcp`: scan, choose, convert, lint and verify for programs that speak the Model Context Protocol."""

from __future__ import annotations

from pathlib import Path

import click

from overtone._utils.optional import require_extra
from overtone.cli._options import Verb, examples, flag
from overtone.errors import InputError


@click.command(
    "mcp",
    cls=Verb,
    short_help="Serve scan, lint and convert to AI assistants.",
    epilog=examples("overtone mcp", "overtone mcp --root data --limit 60"),
)
@flag(
    "--root",
    type=click.Path(),
    metavar="DIR",
    default=".",
    show_default=True,
    section="Server",
    help="Files are read below this folder only; nothing is written.",
)
@flag(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    default=120.0,
    show_default=True,
    section="Server",
    help="Time limit of one call; a longer one is ended.",
)
def mcp_command(root: str, limit: float) -> None:
    """Serve the tools scan, choose, convert, lint and verify over stdin and stdout, until stdin ends.

    Answers are those of the verbs with --json, described by the same schemas (overtone schema). For instance
    `claude mcp add overtone -- overtone mcp --root data` makes it known to an assistant.
    """
    require_extra("mcp")
    if not Path(root).is_dir():
        raise InputError("a folder", f"{root!r}", "pass one that exists", "--root")
    from overtone.cli._mcp_server import serve

    serve(root, limit)
