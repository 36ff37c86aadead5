"""The entry point: dispatch to a verb, and turn every error into one sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

import overtone
from overtone.cli.fit import fit
from overtone.cli.report import report
from overtone.cli.scan import scan
from overtone.errors import InputError, OvertoneError

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(overtone.__version__, prog_name="overtone")
def cli() -> None:
    """See which frequencies a neural network learns, when, and where it begins to learn noise.

    Shell completion: eval "$(_OVERTONE_COMPLETE=bash_source overtone)" (or zsh_source, fish_source).
    """


for verb in (scan, fit, report):
    cli.add_command(verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted.

    Args:
        arguments: The words after the program's name; those of the process if None.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: The words after the program's name; those of the process if None.

    Returns:
        The exit code.
    """
    try:
        result = cli.main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as nothing:
        click.echo(nothing.format_message(), err=True)
        return 2
    except click.UsageError as wrong:
        command = wrong.ctx.command_path if wrong.ctx else "overtone"
        return _fail(f"{wrong.format_message().rstrip('.')}; see {command} --help.", 2)
    except (click.Abort, KeyboardInterrupt):
        return _fail("Interrupted.", INTERRUPTED)
    except OvertoneError as error:
        return _fail(str(error), 2 if isinstance(error, InputError) else 1)
    except BrokenPipeError:
        return 1
    return result if isinstance(result, int) else 0


def _fail(sentence: str, code: int) -> int:
    click.echo(f"overtone: {sentence}", err=True)
    return code
