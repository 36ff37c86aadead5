"""`overtone schema`: the JSON Schema of the answer of each verb."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import click

from overtone.cli._options import Verb, examples
from overtone.cli._output import facts
from overtone.errors import InputError

ENDING = ".schema.json"


def answer_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every answer by its verb, for instance "scan" or "study-list".

    Example:
        >>> answer_schemas()["report"]["required"]
        ['report', 'runs']
    """
    folder = files("overtone.cli") / "schemas"
    texts = {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir() if p.name.endswith(ENDING)}
    return {name.removesuffix(ENDING): json.loads(texts[name]) for name in sorted(texts)}


@click.command(
    "schema",
    cls=Verb,
    short_help="Print the JSON Schema of a verb's answer.",
    epilog=examples("overtone schema", "overtone schema scan", "overtone schema study list"),
)
@click.argument("verb", nargs=-1)
def schema_command(verb: tuple[str, ...]) -> None:
    """Print the JSON Schema (draft 2020-12) of what VERB prints with --json; without VERB, list them."""
    schemas = answer_schemas()
    if not verb:
        click.echo(facts({name.replace("-", " "): one["description"] for name, one in schemas.items()}))
        return
    name = "-".join(verb)
    if name not in schemas:
        known = ", ".join(one.replace("-", " ") for one in schemas)
        raise InputError(f"a verb with --json ({known})", repr(" ".join(verb)), "run overtone schema")
    click.echo(json.dumps(schemas[name], indent=2))
