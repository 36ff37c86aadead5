import os
import re
import subprocess
import sys

import click
import pytest

import overtone
from overtone.cli._main import cli
from tests.cli.calling import ask

HEAVY = (
    "torch",
    "xarray",
    "plotly",
    "matplotlib",
    "pandas",
    "scipy",
    "skimage",
    "PIL",
    "numpy",
    "rich",
    "jinja2",
)
SCRIPT = """
import sys
from overtone.cli._main import run
code = run({words!r})
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def test_help_loads_nothing_heavy():
    words = [
        ["--help"],
        ["fit", "--help"],
        ["scan", "--help"],
        ["report", "--help"],
        ["--version"],
        ["fit", "--nope"],
    ]
    runs = "; ".join(f"run({w!r})" for w in words)
    script = SCRIPT.format(words=["--help"], heavy=HEAVY).replace("code =", f"{runs}; code =")
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert child.returncode == 0
    assert child.stderr.splitlines()[-1] == "[]"
    assert child.stdout.count("Usage: overtone") == 5


def test_the_check_above_would_notice_torch():
    script = SCRIPT.format(words=["--help"], heavy=HEAVY).replace("import sys", "import sys, numpy", 1)
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert child.stderr.splitlines()[-1] == "['numpy']"


@pytest.mark.parametrize("verb", ["", *cli.commands])
def test_help_fits_80_columns_and_shows_examples(monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "80")
    answer = ask(*verb.split(), "--help")
    assert answer.code == 0
    assert answer.err == ""
    assert max(map(len, answer.out.splitlines())) <= 80
    assert "Examples:\n    overtone " in answer.out
    assert ask(*verb.split(), "-h").out == answer.out


def leaves():
    """Every command that is no group."""
    for command in cli.commands.values():
        yield from command.commands.values() if isinstance(command, click.Group) else (command,)


@pytest.mark.parametrize("verb", list(leaves()), ids=lambda verb: verb.name)
def test_every_flag_is_explained(verb):
    for parameter in verb.params:
        if isinstance(parameter, click.Option):
            assert re.fullmatch(r"[^ ].{10,}[.\])]", parameter.help), parameter.name


def test_help_lists_flags_by_section():
    titles = re.findall(r"^(\S.*):$", ask("fit", "--help").out, re.M)
    assert titles == ["Network", "Training", "Reading SOURCE", "Output", "Other"]


def test_every_example_is_a_command_line_that_parses():
    verbs = [[], *([verb] for verb in cli.commands), ["study", "run"]]
    pages = [ask(*words, "--help").out for words in verbs]
    lines = re.findall(r"^    overtone (.*?)(?:   .*)?$", "\n".join(pages), re.M)
    assert len(lines) > 8
    for line in lines:
        name, *words = line.split()
        verb, above = cli.commands[name], click.Context(cli, **cli.context_settings)
        if isinstance(verb, click.Group):
            above = click.Context(verb, parent=above)
            name, *words = words
            verb = verb.commands[name]
        assert verb.make_context(name, words, parent=above).params


def test_version():
    assert ask("--version").out == f"overtone, version {overtone.__version__}\n"


def complete(*words):
    environment = {
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_OVERTONE_COMPLETE": "bash_complete",
    }
    child = subprocess.run(
        [sys.executable, "-m", "overtone.cli"], capture_output=True, text=True, env=os.environ | environment
    )
    return child.stdout.split()


def test_the_shell_completes_verbs_flags_choices_and_files():
    assert complete("overtone", "s") == ["plain,scan", "plain,schema", "plain,study"]
    assert complete("overtone", "fit", "--enc") == ["plain,--encoding"]
    assert complete("overtone", "fit", "--encoding", "ga") == ["plain,gaussian"]
    assert complete("overtone", "fit", "pho") == ["file,pho"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_learns_to_complete(shell):
    environment = os.environ | {"_OVERTONE_COMPLETE": f"{shell}_source"}
    child = subprocess.run(
        [sys.executable, "-m", "overtone.cli"], capture_output=True, text=True, env=environment
    )
    assert child.returncode == 0
    assert "_overtone_completion" in child.stdout
