"""The page on the command line says what the command line does."""

import re
from pathlib import Path

import click
import numpy as np
import pytest

from overtone.cli._main import FAILED, INTERRUPTED, WRONG, cli
from tests.cli.calling import TINY, ask, waves

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")


def section(title):
    return re.search(rf"^(?:## |\*\*){title}(?:\*\*)?\n(.*?)(?=^## |^\*\*[a-z]+\*\*|\Z)", PAGE, re.S | re.M)[
        1
    ]


def rows(title):
    table = [
        re.split(r" *(?<!\\)\| *", line.strip("|\n ")) for line in section(title).splitlines() if "|" in line
    ]
    return [row for row in table if row[0].startswith("`")]


def flags(title):
    return {flag: row for row in rows(title) for flag in re.findall(r"--[a-z-]+", row[0])}


SHARED = flags("Flags of every command")
HELP = {"--help": SHARED["--help"]}
BOTH = flags("Flags of scan and fit")
FIT = flags("Flags of fit")
FIT_ONLY = (
    "--clean",
    "--controller",
    "--weight-decay",
    "--inputs",
    "--quantities",
    "--resume",
    "--overwrite",
)
KEPT = SHARED | flags("Flags of study list and show")
LISTED = {
    "scan": SHARED | BOTH | flags("Flags of scan"),
    "fit": SHARED | BOTH | FIT,
    "predict": SHARED
    | BOTH
    | {flag: row for flag, row in FIT.items() if flag not in FIT_ONLY}
    | flags("Flags of predict"),
    "compare": SHARED | BOTH | flags("Flags of compare"),
    "report": SHARED | flags("Flags of report"),
    "study list": KEPT,
    "study show": KEPT,
    "study run": SHARED | flags("Flags of study run"),
    "study report": SHARED | flags("Flags of study report"),
    "verify": SHARED | flags("Flags of verify"),
    "lint": SHARED
    | {flag: row for flag, row in BOTH.items() if flag not in ("--seed", "--device")}
    | flags("Flags of lint"),
    "convert": SHARED | flags("Flags of convert"),
    "schema": HELP,
    "lab": HELP | flags("Flags of lab"),
    "mcp": HELP | flags("Flags of mcp"),
}


ABOVE = click.Context(cli, info_name="overtone", **cli.context_settings)
"""Commands keep their help flags once made, so they are made as below the real group."""


def commands():
    """Every command by the words that call it."""
    for name, command in cli.commands.items():
        below = command.commands.items() if isinstance(command, click.Group) else ()
        yield from ((f"{name} {inner}", each) for inner, each in below)
        if not below:
            yield name, command


COMMANDS = dict(commands())


def options(verb):
    context = click.Context(COMMANDS[verb], info_name=verb, parent=ABOVE)
    found = [p for p in COMMANDS[verb].get_params(context) if isinstance(p, click.Option)]
    return {
        name: option
        for option in found
        for name in option.opts + option.secondary_opts
        if name.startswith("--")
    }


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_page_lists_exactly_the_flags_there_are(verb):
    assert set(LISTED[verb]) == set(options(verb))


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_page_gives_their_defaults(verb):
    for name, option in options(verb).items():
        default, stated = option.to_info_dict()["default"], LISTED[verb][name][1]
        if default not in (None, False) and "UNSET" not in str(default).upper():
            assert stated == str(default), name


def test_the_page_lists_the_verbs_and_exit_codes():
    told = re.findall(r"^\| `overtone (\w+)", PAGE, re.M)
    assert told == [
        *("scan", "fit", "predict", "compare", "study", "report"),
        *("verify", "lint", "convert", "schema", "mcp", "lab"),
    ]
    assert told == list(cli.commands)
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", section("Exit codes"), re.M)]
    assert codes == [0, FAILED, WRONG, INTERRUPTED]


def test_every_command_line_on_the_page_parses():
    lines = re.findall(r"^overtone (?!fit sensor)(.*)$", PAGE, re.M)
    lines = [line for line in lines if not line.startswith(("sensor", ":"))]
    assert len(lines) >= 6
    for line in lines:
        name, *words = line.partition("#")[0].split()
        if isinstance(cli.commands[name], click.Group):
            name, *words = f"{name} {words[0]}", *words[1:]
        assert COMMANDS[name].make_context(name, words, parent=ABOVE).params


def keys(title):
    return {
        re.search(r"`(\w+)`", row[0])[1]: set(re.findall(r"`(\w+)`", row[1])) - {"null"}
        for row in rows(title)
    }


def test_the_listed_keys_are_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())
    answers = {
        "scan": ask("scan", "waves.npy", "--json"),
        "fit": ask("fit", "waves.npy", *TINY, "--steps", 3, "--json"),
        "report": ask("report", "run", "--figures", "figures", "--json"),
    }
    for verb, answer in answers.items():
        document = answer.json
        assert set(keys(verb)) <= set(document)
        for key, inner in keys(verb).items():
            held = document[key][0] if isinstance(document[key], list) else document[key]
            if isinstance(held, dict):
                assert inner == set(held) & inner != set(), key
    assert list(keys("fit")) == [
        *("run", "record", "report", "steps", "kept", "seconds", "clock", "parameters"),
        *("psnr", "bands", "stop", "bandwidth", "verdict"),
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_the_errors_shown_are_those_given(tmp_path, monkeypatch, number):
    monkeypatch.chdir(tmp_path)
    Path("sensor.csv").write_text("t,v\n0,1\n1,two\n2,3\n")
    words, shown = re.findall(r"^\$ overtone (.*)\n((?:Reading .*\n)?.*\n)", PAGE, re.M)[number]
    answer = ask(*words.split())
    assert (answer.code, answer.err) == (2, shown)
