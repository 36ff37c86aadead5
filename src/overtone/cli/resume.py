"""`overtone fit --resume`: what the run began with, and that the command line asks for nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from click.core import ParameterSource

from overtone.cli.options import READING
from overtone.errors import InputError

BUDGET = ("steps", "seconds", "time")
"""What may differ from the run that is resumed."""


def origin(settings: Mapping[str, Any], source: str | None, where: str) -> dict[str, Any]:
    """Where the run's samples came from: `path`, `clean` and `reading`.

    Args:
        settings: The run's settings.
        source: SOURCE, if it was given.
        where: The run directory, for the message.

    Raises:
        InputError: If the run began in Python, where samples have no file, and no SOURCE is given.
    """
    known = settings.get("source")
    if isinstance(known, dict):
        return known
    if source is None:
        raise InputError("SOURCE, since the run began in Python", "none", "name the file", where)
    return {}


def check_same(context: click.Context, settings: Mapping[str, Any], where: str) -> None:
    """Whether the flags on the command line are those that the run began with; flags left out are.

    Args:
        context: The parsed command line.
        settings: The run's settings.
        where: The run directory, for the message.

    Raises:
        InputError: If a flag other than the budget asks for something else.
    """
    known = settings.get("source") or {}
    begun = {**settings["network"], **settings["training"], "held_out": settings.get("held_out")}
    begun["stop"], begun["controller"] = settings.get("stop", False), settings.get("controller", False)
    begun |= {name: known.get("reading", {}).get(name) for name in READING} | {"clean": known.get("clean")}
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in BUDGET or name not in begun:
            continue
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        asked = _plain(name, context.params[name])
        if asked != begun[name]:
            raise InputError(
                f"the {parameter.opts[0]} that the run began with ({_words(begun[name])})",
                _words(asked),
                "leave it out, or begin a new run in another --out",
                where,
            )


def _plain(name: str, value: Any) -> Any:
    """A flag's value as it stands in `run.json`."""
    if name == "activation":
        return [part.strip() for part in value.split(",")]
    return list(value) if isinstance(value, tuple) else value


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
