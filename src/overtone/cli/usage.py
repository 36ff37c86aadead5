"""What was wrong with a command line, in one sentence."""

from __future__ import annotations

import click

from overtone.errors import OvertoneError

INDIRECT = {"fraction": "--held-out"}
"""Arguments of the library that a flag reaches under another name."""


def wrong_usage(error: click.UsageError) -> str:
    """A click error in one sentence, without the usage.

    Args:
        error: What click raised.
    """
    command = error.ctx.command_path if error.ctx else "overtone"
    look = f"see {command} --help"
    if isinstance(error, click.NoSuchOption):
        meant = f"; did you mean {error.possibilities[0]}? ({look})" if error.possibilities else f"; {look}."
        return f"expected a flag of {command}, got {error.option_name}{meant}"
    if isinstance(error, click.MissingParameter) and error.param is not None and error.ctx is not None:
        return f"expected {error.param.make_metavar(error.ctx)}, got nothing; {look}."
    if isinstance(error, click.BadParameter) and error.param is not None:
        return f"{error.param.opts[0]}: {error.message.rstrip('.')}; {look}."
    return f"{error.format_message().rstrip('.')}; {look}."


def in_flags(error: OvertoneError, group: click.Group) -> str:
    """An error's sentence with the flag in place of the argument that it stands for.

    Args:
        error: From the library, where `--time` is `seconds`.
        group: The command line.
    """
    names = dict(INDIRECT)
    for verb in group.commands.values():
        names |= {p.name: p.opts[0] for p in verb.params if isinstance(p, click.Option) and p.name}
    if error.where not in names:
        return str(error)
    return str(type(error)(error.expected, error.got, error.do, names[error.where]))
