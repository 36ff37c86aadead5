"""The entry point: dispatch to a verb, and turn every error into one sentence and an exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
import warnings
from collections.abc import Sequence

import click

import overtone
from overtone._utils.memory_errors import is_out_of_memory
from overtone.cli import STARTED
from overtone.cli._compare import compare_command
from overtone.cli._convert import convert_command
from overtone.cli._fit import fit_command
from overtone.cli._lab import lab_command
from overtone.cli._lint import lint_command
from overtone.cli._mcp import mcp_command
from overtone.cli._options import examples
from overtone.cli._predict import predict_command
from overtone.cli._report import report_command
from overtone.cli._scan import scan_command
from overtone.cli._schema import schema_command
from overtone.cli._study import study
from overtone.cli._usage import in_flags, wrong_usage
from overtone.cli._verify import verify_command
from overtone.errors import InputError, OvertoneError

FAILED, WRONG, INTERRUPTED = 1, 2, 130

EXAMPLES = examples(
    "overtone fit                               fit the example picture",
    "overtone scan photo.jpg                    look before training",
    "overtone fit photo.jpg --out run           train, observe, report",
    "overtone report run-a run-b --out ab.html  compare two runs",
)
EXIT_CODES = (
    f"Exit codes: 0 done, {FAILED} the run failed, {WRONG} the input was refused,\n"
    f"{INTERRUPTED} interrupted by Ctrl-C."
)
COMPLETION = (
    'Shell completion: eval "$(_OVERTONE_COMPLETE=bash_source overtone)", or\nzsh_source, fish_source.'
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=f"{EXAMPLES}\n\n\b\n{EXIT_CODES}\n\n\b\n{COMPLETION}",
)
@click.version_option(overtone.__version__, prog_name="overtone")
def cli() -> None:
    """See which frequencies a neural network learns, when, and where it begins to learn noise."""


verbs: tuple[click.Command, ...] = (
    scan_command,
    fit_command,
    predict_command,
    compare_command,
    study,
    report_command,
    verify_command,
    lint_command,
    convert_command,
    schema_command,
    mcp_command,
    lab_command,
)
for verb in verbs:
    cli.add_command(verb)


def run_and_exit(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 the run failed, 2 the input was wrong, 130 interrupted.

    Args:
        arguments: The words after the program's name; those of the process if None.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name in another encoding must not end the program while its answer is printed.
        sys.stdout.reconfigure(errors="replace")
    warnings.showwarning = _say
    sys.exit(run(arguments, STARTED))


def _say(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning as a sentence, without the place in the code that raised it."""
    click.echo(f"overtone: {' '.join(str(message).split())}", err=True)


def run(arguments: Sequence[str] | None = None, began: float | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: The words after the program's name; those of the process if None.
        began: When the command began, by `time.monotonic`; the present if None.

    Returns:
        The exit code.
    """
    words = list(arguments) if arguments is not None else None
    try:
        result = cli.main(
            args=words, prog_name="overtone", standalone_mode=False, obj=began or time.monotonic()
        )
        # Here, where a full disk or a closed pipe still becomes a sentence, and not while the program exits.
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as nothing:
        click.echo(nothing.format_message(), err=True)
        return WRONG
    except click.UsageError as wrong:
        return _fail(wrong_usage(wrong, cli), WRONG)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted.", INTERRUPTED)
    except OvertoneError as error:
        return _fail(in_flags(error, cli), WRONG if isinstance(error, InputError) else FAILED)
    except OSError as refused:
        _drop_output()
        return _fail(f"could not write the output: {refused.strerror or refused}.", FAILED)
    except (MemoryError, RuntimeError) as failure:
        if not is_out_of_memory(failure):
            raise
        return _fail(
            "expected enough memory, got less than this takes; make --width, --depth, --batch or SOURCE smaller.",
            FAILED,
        )
    return result if isinstance(result, int) else 0


def _fail(sentence: str, code: int) -> int:
    click.echo(f"overtone: {' '.join(sentence.splitlines())}", err=True)
    return code


def _drop_output() -> None:
    """Redirect a broken stdout, so that leaving the program does not fail on it again."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
