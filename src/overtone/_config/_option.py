"""Options: dataclass fields that are keyword arguments, command-line flags and documentation at once."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

_KEY = "overtone.option"

_WIDTH = 104
"""Columns of a docstring's text."""

Config = TypeVar("Config", bound=type[Any])


@dataclasses.dataclass(frozen=True)
class Option:
    """Documentation of a field for the command line and the reference, besides its type and default.

    Attributes:
        help: One or two sentences; `{name}` is replaced by the name of another option.
        flag: The flag, if it is not the field's name with dashes.
        metavar: Name of the value in the help; the name of its type if None.
        default: Description of a default that depends on other settings; the default itself if None.
    """

    help: str
    flag: str | None = None
    metavar: str | None = None
    default: str | None = None

    def text(self, name_of: Callable[[str], str]) -> str:
        """Return the help with its default.

        Args:
            name_of: Function from the name of another option to its spelling in the text.
        """
        default = "" if self.default is None else f" [default: {self.default}]"
        return re.sub(r"\{(\w+)\}", lambda match: name_of(match[1]), f"{self.help}{default}")


def option(
    value: Any, help: str, *, flag: str | None = None, metavar: str | None = None, default: str | None = None
) -> Any:
    """Return a dataclass field with a default and its documentation.

    Args:
        value: The default.
        help: One or two sentences, for the help of the command line and the class's docstring.
        flag: The flag, if it is not the field's name.
        metavar: Name of the value in the help.
        default: Description of a default that depends on other settings.
    """
    return dataclasses.field(default=value, metadata={_KEY: Option(help, flag, metavar, default)})


def options_of(config: type[Any]) -> dict[str, Option]:
    """Return the options of a class by field, in the order of their definition."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(config) if _KEY in f.metadata}


def documented(config: Config) -> Config:
    """Append the help of a dataclass's options to its docstring, as its attributes.

    A text that stands at the field is shown by `help()` and by the command line, and cannot differ between the two.
    """
    lines = []
    for name, known in options_of(config).items():
        lines.append(
            textwrap.fill(
                f"{name}: {known.text(lambda other: f'`{other}`')}",
                _WIDTH,
                initial_indent=" " * 8,
                subsequent_indent=" " * 12,
                break_on_hyphens=False,
            )
        )
    # Under `python -OO` there is no docstring to append to.
    if config.__doc__ is not None:
        text, heading = config.__doc__.rstrip(), "\n\n    Attributes:\n"
        before, _, after = text.partition(heading)
        # Attributes that are no options are documented in the docstring itself; the options follow them.
        listed, gap, more = after.partition("\n\n")
        entries = "\n".join([listed, *lines] if listed else lines)
        config.__doc__ = f"{before}{heading}{entries}{gap}{more}\n    "
    return config
