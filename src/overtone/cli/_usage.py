"""Errors of a command line in one sentence."""

from __future__ import annotations

import difflib
import re

import click

from overtone.errors import OvertoneError

INDIRECT = {"fraction": "--held-out", "size": "--blocks", "add_noise": "--noise"}
"""Flags whose argument of the library has another name."""

ARGUMENT = re.compile(r"\b([a-z_]+)=(?:True\b)?")
RANGE = re.compile(r"=\((\w+), (\w+)\)")
"""A pair as a keyword argument's value, which the command line writes without parentheses."""
COMMAND = re.compile(r"No such command (.*)\.", re.DOTALL)
"""Click's message on an unknown verb, quoted as `repr` does."""
EXTRA = re.compile(r"unexpected extra arguments? \((.*)\)")


def wrong_usage(error: click.UsageError, group: click.Group) -> str:
    """Return an error of click in one sentence, "expected ..., got ...; do", without the usage.

    Args:
        error: The error that click raised.
        group: The command line.
    """
    command = error.ctx.command_path if error.ctx else "overtone"
    look = f"see {command} --help"
    if isinstance(error, click.NoSuchOption):
        meant = f"; did you mean {error.possibilities[0]}? ({look})" if error.possibilities else f"; {look}."
        return f"expected a flag of {command}, got {error.option_name}{meant}"
    if isinstance(error, click.BadOptionUsage):
        bare = "requires" in error.message
        expected, got = ("a value after it", "nothing") if bare else ("no value with it", "one")
        return f"{error.option_name}: expected {expected}, got {got}; {look}."
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx is not None:
        return f"expected {error.param.make_metavar(error.ctx)}, got nothing; {look}."
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{error.param.opts[0]}: {_bad_value(error.message, error.param.type)}; {look}."
    if unknown := COMMAND.fullmatch(error.message):
        return _no_such_verb(unknown[1], error.ctx.command if error.ctx else group, look)
    message = error.format_message()
    if extra := EXTRA.search(message):
        return f"expected {_most_words(error.ctx)}, got more ({extra[1]}); {look}."
    return f"{message.rstrip('.')}; {look}."


def _no_such_verb(quoted: str, command: click.Command, look: str) -> str:
    verbs = sorted(command.commands) if isinstance(command, click.Group) else []
    near = difflib.get_close_matches(quoted[1:-1], verbs, 1)
    meant = f"; did you mean {near[0]}? ({look})" if near else f"; {look}."
    return f"expected one of {', '.join(verbs)}, got {quoted}{meant}"


def _most_words(context: click.Context | None) -> str:
    """Return the arguments that a verb takes, by their names."""
    taken = [p for p in context.command.params if isinstance(p, click.Argument)] if context else []
    if context is None or not taken:
        return "no argument that is not a flag"
    names = ", ".join(p.make_metavar(context).strip("[]") for p in taken)
    return f"one {names} at most"


def in_flags(error: OvertoneError, group: click.Group) -> str:
    """Return an error's sentence with flags in place of arguments: --key for `key=`.

    Args:
        error: From the library, where `--time` is `seconds`.
        group: The command line.
    """
    names = dict(INDIRECT)
    # A library error knows no verb: the flags of all verbs are searched, where a name means the same in each.
    for verb in group.commands.values():
        names |= {p.name: p.opts[0] for p in verb.params if isinstance(p, click.Option) and p.name}
    do = ARGUMENT.sub(lambda match: _as_flag(match, names), RANGE.sub(r"=\1,\2", error.do))
    # Subclasses may take other arguments; the sentence is that of the four parts.
    return str(OvertoneError(error.expected, error.got, do, names.get(error.source or "", error.source)))


def _as_flag(match: re.Match[str], names: dict[str, str]) -> str:
    """Return the flag of a keyword argument, with a space before a value that follows."""
    flag = names.get(match[1])
    if flag is None:
        return match[0]
    value_follows = match.string[match.end() : match.end() + 1].strip(" ,;:.")
    return f"{flag} " if value_follows else flag


def _bad_value(message: str, kind: click.ParamType) -> str:
    """Return the sentence on a value that click refused; the types of overtone word theirs themselves."""
    if isinstance(kind, click.Path):
        return "expected a directory, got a file"
    value, wrong, _ = message.rstrip(".").partition(" is not ")
    if not wrong:
        return value
    if isinstance(kind, click.Choice):
        expected = f"one of {', '.join(kind.choices)}"
    elif isinstance(kind, click.IntRange):
        expected = f"a whole number of at least {kind.min}"
    else:
        expected = "a whole number" if isinstance(kind, type(click.INT)) else "a number"
    return f"expected {expected}, got {value}"
