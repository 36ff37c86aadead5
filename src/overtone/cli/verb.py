"""A verb whose help lists its flags in sections."""

from __future__ import annotations

import functools
from typing import Any, final

import click

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
        """Write one definition list per section, what belongs nowhere last."""
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
    """An epilog that shows command lines as they are typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
