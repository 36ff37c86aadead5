"""`overtone fit --resume`: what the run began with, and that the command line asks for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from overtone.cli._options import READING, Numbers
from overtone.errors import InputError

if TYPE_CHECKING:
    from overtone.fitting._settings import Fields, RunSettings

BUDGET = ("steps", "seconds", "time")
"""What may differ from the run that is resumed."""


def origin(context: click.Context, settings: RunSettings, source: str | None, where: str) -> dict[str, Any]:
    """Where the run's samples came from: `path`, `clean` and `reading`.

    Args:
        context: The parsed command line.
        settings: The run's settings.
        source: SOURCE, if it was given.
        where: The run directory, for the message.

    Raises:
        InputError: If the run began in Python, where samples have no file, and no SOURCE is given; or if what is noted
            of the file is damaged.
    """
    from overtone.fitting._settings import Fields

    if settings.source is not None:
        known = Fields(settings.source, where, ("source",))
        for name in ("path", "clean"):
            known.maybe(name, known.path)
        reading = known.within("reading") if known.has("reading") else Fields({}, where)
        return settings.source | {"reading": _reading(context, reading)}
    if source is None:
        raise InputError("SOURCE, since the run began in Python", "none", "name the file", where)
    return {}


def _reading(context: click.Context, fields: Fields) -> dict[str, Any]:
    """The reading flags of a run, each of the type that the command line gives it."""
    known = {p.name: p for p in context.command.params if p.name in (*READING, "inputs", "quantities")}
    found: dict[str, Any] = {}
    for name in fields.names:
        flag = known.get(name)
        if flag is None:
            raise fields.wrong(name, "left out")
        if name == "inputs":
            found[name] = fields.texts(name)
        elif isinstance(flag.type, Numbers):
            found[name] = tuple(fields.numbers(name))
        elif isinstance(flag.type, type(click.INT)):
            found[name] = fields.integer(name)
        elif isinstance(flag, click.Option) and flag.is_flag:
            found[name] = fields.switch(name)
        else:
            found[name] = fields.text(name)
    return found


def check_same(context: click.Context, settings: RunSettings, where: str) -> None:
    """Whether the flags on the command line are those that the run began with; flags left out are.

    Args:
        context: The parsed command line.
        settings: The run's settings.
        where: The run directory, for the message.

    Raises:
        InputError: If a flag other than the budget asks for something else.
    """
    known = settings.source or {}
    begun = {name: v for part in ("network", "training") for name, v in settings.to_json()[part].items()}
    begun |= {name: settings.to_json()[name] for name in ("held_out", "stop", "controller")}
    reading = known.get("reading") or {}
    begun |= {name: reading.get(name) for name in READING} | {"clean": known.get("clean")}
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
