"""Flags: those that verbs share, and those generated from the settings of a fit."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, final, get_args, get_type_hints

import click

from overtone._config import Activation, FitConfig, ModelConfig, StoppingConfig, TrainingConfig
from overtone._config._option import options_of
from overtone.cli._completion import complete_activation, complete_key
from overtone.cli._durations import Duration

OTHER = "Other"


@final
class Flag(click.Option):
    """A flag that belongs to a section of the help.

    Args:
        section: The section's title.
    """

    def __init__(self, *names: Any, section: str = OTHER, **options: Any) -> None:
        super().__init__(*names, **options)
        self.section = section


@final
class Verb(click.Command):
    """A command that lists its flags by section, in the order in which they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one definition list per section, the other flags last."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if row is not None:
                sections.setdefault(getattr(parameter, "section", OTHER), []).append(row)
        for title, rows in sorted(sections.items(), key=lambda section: section[0] == OTHER):
            with formatter.section(title):
                formatter.write_dl(rows)


flag = functools.partial(click.option, cls=Flag)
"""`click.option` with a `section`."""


def examples(*lines: str) -> str:
    """Return an epilog that shows command lines as they are typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


Command = TypeVar("Command", bound=Callable[..., Any])

READING = (
    "spacing",
    "unit",
    "channel_axis",
    "periodic",
    "alpha",
    "full_range",
    "key",
    "time_column",
    "columns",
)
"""Names of the flags of `reading_flags`."""


class Numbers(click.ParamType):
    """One number, or several separated by commas (one per axis)."""

    name = "number[,number]"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse "10" or "10,20" into a tuple of floats."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(
                f"expected one number or several separated by commas, got {str(value)!r}; "
                "write 10 or 10,20 (no spaces)",
                param,
                ctx,
            )


def chain(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Apply several decorators, the first one outermost."""

    def apply(command: Command) -> Command:
        # As stacked decorators, the last one is applied first: Click lists the outermost one's flag first.
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return apply


def json_flag(command: Command) -> Command:
    """Add `--json`."""
    return flag(
        "--json",
        "as_json",
        is_flag=True,
        section="Output",
        help="Print one JSON document on stdout and nothing else there.",
    )(command)


def flags_of(
    config: type[Any], section: str, names: Sequence[str] | None = None, **help: str
) -> Callable[[Any], Any]:
    """Return a decorator that adds the flags of a dataclass's options.

    Args:
        config: A class of `overtone._config`.
        section: Section of the help in which they are listed.
        names: Options to add; all if None.
        **help: Other words for the help of single options.
    """
    # Type, default, help and name of a flag come from the field, so that Python and the shell cannot differ.
    options, types = options_of(config), get_type_hints(config)
    fields = {f.name: f for f in dataclasses.fields(config)}
    added = [
        flag(
            _declaration(name, types[name], fields[name].default),
            name,
            help=help.get(name) or options[name].text(_called),
            metavar=options[name].metavar,
            section=section,
            **_kind(types[name], fields[name].default, name),
        )
        for name in names or options
    ]
    return chain(*added)


def _called(name: str) -> str:
    """Return the flag of an option."""
    flags = {n: o.flag for part in CONFIGS for n, o in options_of(part).items()}
    return flags.get(name) or "--" + name.replace("_", "-")


def _declaration(name: str, kind: Any, default: Any) -> str:
    """Return the declaration of a flag; a switch that is not off by default can be turned on and off."""
    # A default of None or True needs both forms, as leaving the flag out means neither.
    called = _called(name)
    return (
        f"{called}/--no-{called[2:]}" if bool in (kind, *get_args(kind)) and default is not False else called
    )


def _kind(kind: Any, default: Any, name: str) -> dict[str, Any]:
    """Return the arguments of `click.option` that follow from a field's type and default."""
    (inner,) = {kind} if not isinstance(kind, UnionType) else set(get_args(kind)) - {type(None)}
    shown = {"default": default, "show_default": default is not None}
    if inner is bool:
        return {"is_flag": True} if default is False else shown
    if inner == tuple[float, ...]:
        return {"type": Numbers()}
    if inner == tuple[Activation, ...]:
        shown = {"default": ",".join(one.value for one in default), "show_default": True}
        return shown | {"shell_complete": complete_activation}
    if issubclass(inner, Enum):
        choice = click.Choice([member.value for member in inner])
        shown_value = None if default is None else default.value
        return {"type": choice, "default": shown_value, "show_default": default is not None}
    if name == "seconds":
        return shown | {"type": Duration()}
    # A seed is checked here already, since every verb takes one.
    return shown | {"type": click.IntRange(min=0) if name == "seed" else inner}


CONFIGS = (ModelConfig, TrainingConfig, StoppingConfig, FitConfig)

NETWORK = flags_of(ModelConfig, "Network")
"""Flags of the network."""


def training_flags(without: Sequence[str] = ()) -> Callable[[Any], Any]:
    """Return a decorator that adds the flags of the training and of stopping, but for the seed of every verb.

    Args:
        without: Options that a verb does not have.
    """
    names = [name for name in options_of(TrainingConfig) if name not in ("seed", *without)]
    stopping = [name for name in options_of(StoppingConfig) if name not in without]
    return chain(flags_of(TrainingConfig, "Training", names), flags_of(StoppingConfig, "Training", stopping))


def common_flags(command: Command) -> Command:
    """Add `--json`, `--seed` and `--device`."""
    return chain(
        json_flag, flags_of(TrainingConfig, OTHER, ["seed"]), flags_of(FitConfig, OTHER, ["device"])
    )(command)


def words(text: str) -> list[str]:
    """Return the words of a list separated by commas."""
    return [word.strip() for word in text.split(",")]


def reading_flags(command: Command) -> Command:
    """Add the flags of reading a source file; every flag fits some kinds of files only."""
    section = "Reading SOURCE"
    return chain(
        flag(
            "--spacing",
            type=Numbers(),
            section=section,
            help="Arrays and volumes: distance of neighbouring samples, one or one per axis, in --unit. "
            "Pictures: in mm.",
        ),
        flag(
            "--unit",
            metavar="NAME",
            section=section,
            help="Unit of --spacing, or of a series' times. Seconds (s) give Hz.",
        ),
        flag("--channel-axis", type=int, section=section, help="Arrays: the axis that holds channels."),
        flag("--periodic", is_flag=True, section=section, help="Arrays: the borders wrap around."),
        flag(
            "--alpha",
            type=click.Choice(["composite", "drop"]),
            section=section,
            help="Pictures: blend transparent pixels with white, or ignore transparency.",
        ),
        flag(
            "--full-range",
            type=Numbers(),
            section=section,
            help="Pictures: the stored values of black and white, such as 0,4095 or -1000,1000.",
        ),
        flag(
            "--key",
            metavar="NAME",
            section=section,
            help="Arrays: name of the array in a .npz file of several.",
            shell_complete=complete_key,
        ),
        flag(
            "--time-column",
            metavar="NAME",
            section=section,
            help="Series: the column of times. [default: first]",
        ),
        flag(
            "--columns",
            metavar="NAME[,NAME]",
            section=section,
            help="Series: the columns of values. [default: all others]",
        ),
    )(command)


def reading_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Take the flags of `reading_flags` out of a verb's options.

    Args:
        options: The verb's options; those flags are removed from it.

    Returns:
        What the user gave of them, without those left out.
    """
    arguments = {name: options.pop(name) for name in READING}
    return {name: value for name, value in arguments.items() if value is not None and value is not False}


def as_flags(arguments: dict[str, Any]) -> list[str]:
    """The words that give the flags of `reading_flags` again.

    Args:
        arguments: From `reading_arguments`.
    """
    words = []
    for name, value in arguments.items():
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            words.append(",".join(f"{v!r}" for v in value) if isinstance(value, tuple) else str(value))
    return words
