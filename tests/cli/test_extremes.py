"""Every numeric flag of every verb at its extremes: a result, or one sentence and exit 2; never a traceback.

Flags are found by asking the command line, so that new ones are tried by themselves. Here a part of all values is
tried; OVERTONE_TRIES=2000 tries all.
"""

from __future__ import annotations

import os
import random
import warnings

import click
import pytest

from overtone._training import _loop as loop
from overtone.cli._main import cli
from overtone.cli._options import Numbers
from overtone.comparing._compare import SerialWorkers
from overtone.probes import ProbeWarning
from tests.cli.calling import SENTENCE, TINY, ask

TRIES = int(os.environ.get("OVERTONE_TRIES", "70"))

ONE = (
    *(
        "0",
        "-0.0",
        "1",
        "-1",
        "0.5",
        "-1e-300",
        "1e-300",
        "5e-324",
        "1e-40",
        "1e40",
        "1e300",
        "-1e300",
        "1e309",
    ),
    *("nan", "-nan", "inf", "-inf", "1e", "", " ", "0x10", "1_0", "١", "1,2", "True", "2147483648"),
    *(
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
    ),
    *("9" * 400, "9" * 5000, "0." + "0" * 400 + "1", "--help-me"),
)
SEVERAL = (
    "1,2",
    "1,2,3",
    "1,",
    ",1",
    "1,,2",
    "0,0",
    "-1,1",
    "nan,1",
    "1,inf",
    "1e-300,1e300",
    "1e300,1e300",
    "1;2",
)

BASES = {
    "scan": ["waves.npy"],
    "fit": ["waves.npy", *TINY, "--bandwidth", 2, "--steps", 2, "--overwrite"],
    "predict": ["waves.npy", *TINY, "--bandwidth", 2, "--steps", 3],
    "compare": ["waves.npy", "--candidates", "siren", "--steps", 2, "--seeds", 1, "--parameters", 300],
    "verify": ["waves.npy", "waves.npy"],
    "lint": ["waves.npy", "--library", "siren", "--value", 30],
    "convert": [10, "--from", "siren", "--to", "tancik", "--inputs", 2],
    "study run": ["hat-conditioning", "--size", "smoke"],
}
"""Short command lines to add a flag to; those of --time go without --steps."""


def commands(group: click.Group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


def is_numeric(flag):
    return isinstance(flag, click.Option) and isinstance(
        flag.type, click.types.IntParamType | click.types.FloatParamType | Numbers
    )


def lines():
    """Every command line: words of the verb, the flag and its value."""
    found = []
    for path, command in commands(cli):
        if path == ("mcp",):  # a server, which ends with its input; tests/cli/test_mcp.py starts it
            continue
        for flag in filter(is_numeric, command.params):
            values = (*ONE, *SEVERAL) if isinstance(flag.type, Numbers) else ONE
            found += [(path, flag.opts[0], value) for value in values]
    return found


def test_every_verb_with_a_numeric_flag_has_a_short_command_line():
    assert {" ".join(path) for path, *_ in lines()} == set(BASES)


@pytest.fixture
def quick(monkeypatch, no_page):
    """Nothing in other processes, no pages, no studies, and no training of more than forty steps."""
    ending = loop._ending

    def soon(options, step, *more):
        return ending(options, step, *more) or (loop.Ending.STEPS if step >= 40 else None)

    monkeypatch.setattr(loop, "_ending", soon)
    monkeypatch.setattr("overtone._sweeps.Local", lambda processes: SerialWorkers())
    monkeypatch.setattr("overtone.studies.run_studies", lambda *_: iter(()))
    monkeypatch.setattr("overtone.comparing.ComparisonResult.report", lambda self: self.path / "report.html")


def without(words, flag):
    words = list(words)
    for name in (flag, *(["--steps"] if flag == "--time" else [])):
        if name in words:
            place = words.index(name)
            del words[place : place + 2]
    return words


@pytest.mark.usefixtures("quick")
def test_numbers_at_their_extremes(call, source):
    every = lines()
    draw = random.Random(0)
    chosen = every if len(every) <= TRIES else draw.sample(every, TRIES)
    wrong = []
    for number, (path, flag, value) in enumerate(chosen):
        verb = " ".join(path)
        out = ["--out", f"out-{number}"] if verb == "compare" else []
        words = [*path, *without(BASES[verb], flag), *out, f"{flag}={value}"]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter(
                    "ignore", ProbeWarning
                )  # of a training that diverges, which ends in a sentence
                answer = ask(*words)
        except BaseException as error:  # noqa: BLE001
            wrong.append(f"{verb} {flag}={value[:40]}: {type(error).__name__}: {error}"[:300])
            continue
        last = answer.err.splitlines(keepends=True)[-1:] or [""]
        if answer.code and not (SENTENCE.fullmatch(last[0]) and answer.code in (1, 2)):
            wrong.append(f"{verb} {flag}={value[:40]}: {answer.code}, {answer.err[-300:]}")
    assert not wrong, "\n".join(wrong)
