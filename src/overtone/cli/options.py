"""Flags that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


class Numbers(click.ParamType):
    """One number, or several separated by commas (one per axis)."""

    name = "number[,number...]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse "10" or "10,20" into a tuple of floats."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"expected one number or several separated by commas, got {value!r}", param, ctx)


def chain(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Apply several decorators, the first one outermost."""

    def apply(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


def common(command: Command) -> Command:
    """`--json`, `--seed` and `--device`."""
    return chain(
        click.option(
            "--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else there."
        ),
        click.option(
            "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of every draw."
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."),
    )(command)


def reading(command: Command) -> Command:
    """How a source file is read."""
    return chain(
        click.option(
            "--spacing", type=Numbers(), help="Distance of samples, one or one per axis, in --unit."
        ),
        click.option(
            "--unit", help="Unit of the coordinates (with --spacing; of the time column for a series)."
        ),
        click.option("--channel-axis", type=int, help="Which axis of an array holds channels."),
        click.option("--periodic", is_flag=True, help="The signal wraps around at its borders."),
        click.option(
            "--alpha",
            type=click.Choice(["composite", "drop"]),
            help="A picture's transparency: over white, or ignored.",
        ),
        click.option("--time-column", help="A series' time column; the first one unless said."),
        click.option("--columns", help="A series' value columns, separated by commas; all unless said."),
    )(command)


def reading_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Take the flags of `reading` out of a verb's options.

    Args:
        options: The verb's options; those flags are removed from it.

    Returns:
        What the user gave of them, without those left out.
    """
    names = ("spacing", "unit", "channel_axis", "periodic", "alpha", "time_column", "columns")
    given = {name: options.pop(name) for name in names}
    return {name: value for name, value in given.items() if value not in (None, False)}
