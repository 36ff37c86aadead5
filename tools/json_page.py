"""Write `docs/reference/json.md`, which shows the keys of every answer in JSON, from the schemas in the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from overtone.cli._schema import answer_schemas

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "json.md"
HEAD = """# Answers in JSON

With `--json` every command prints exactly one JSON document on stdout. This page lists the keys of each; it is written
from the JSON Schemas (draft 2020-12) that come with the package, and `overtone schema VERB` prints one of those.

Frequencies are in cycles per unit of the coordinate. Numbers that are not finite are `null`. A key in brackets may be
absent. A document has no other keys than those of its schema. A later version may add some, so check an answer against
the schema of the version that you run.

Errors are not in JSON: stdout stays empty, stderr has one sentence, and the [exit code](command-line.md) says what
kind of error it was. Progress and warnings go to stderr as well.

```console
$ overtone scan absent.npy --json
Reading absent.npy.
overtone: absent.npy: expected a file, got nothing at this path; check its spelling.
```

`overtone mcp` offers `scan`, `lint`, `convert`, `verify` and the choice of `scan --time` to programs that speak the
Model Context Protocol, with the same schemas; see [the command line](command-line.md).
"""


def page(schemas: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page.

    Args:
        schemas: Schema by verb, for instance "study-list".
    """
    return "\n".join([HEAD, *(_section(verb, schema) for verb, schema in schemas.items())])


def _section(verb: str, schema: Mapping[str, Any]) -> str:
    lines = [
        f"## {verb.replace('-', ' ')}",
        "",
        schema["description"],
        "",
        "| key | type | meaning |",
        "|---|---|---|",
    ]
    lines += [f"| `{key}` | {kind} | {text} |" for key, kind, text in _rows(schema, "", schema)]
    return "\n".join(lines) + "\n"


def _rows(part: Mapping[str, Any], above: str, whole: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield key, type and meaning of every property, those inside after the one that holds them."""
    for name, inner in part.get("properties", {}).items():
        key = f"{above}{name}" if name in part["required"] else f"[{above}{name}]"
        yield key, _kind(inner), _resolved(inner, whole)["description"].replace("|", "\\|")
        path, item = f"{above}{name}", _resolved(inner, whole)
        while "items" in item:
            path, item = f"{path}[]", _resolved(item["items"], whole)
        yield from _rows(item, f"{path}.", whole)


def _resolved(part: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the definition that a part refers to, or the part."""
    reference = part.get("$ref")
    return part if reference is None else whole["$defs"][reference.rpartition("/")[2]]


def _kind(part: Mapping[str, Any]) -> str:
    """Return the type of a part in words."""
    if "enum" in part:
        return ", ".join("null" if value is None else f"`{value}`" for value in part["enum"])
    kinds = part.get("type", "object")
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


if __name__ == "__main__":
    PAGE.write_text(page(answer_schemas()), encoding="utf-8")
