"""The first minute of a command: a line at once, refusals before costly work, lengths of time as people write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from overtone.cli._durations import in_words, parse_duration
from overtone.cli._main import cli
from overtone.cli._study import _duration
from overtone.comparing._task import ComparisonTask
from overtone.errors import InputError
from overtone.studies import StudyResult, StudySize, catalogue, find_study
from tests.cli.calling import call, source, waves  # noqa: F401 - fixtures

WITHOUT_TORCH = (
    "import sys; sys.modules['torch'] = sys.modules['numpy'] = None; from overtone.cli import main; main()"
)


FIRST_LINES = {
    ("fit", "a.npy"): "Reading a.npy.",
    ("scan", "a.npy"): "Reading a.npy.",
    ("predict", "a.npy"): "Reading a.npy.",
    ("compare", "a.npy"): "Reading a.npy.",
    ("lint", "a.npy", "--library", "tancik", "--value", "1"): "Reading a.npy.",
    ("lab", "--signal", "a.npy", "--out", "lab.html"): "Reading a.npy.",
    ("report", "run"): "Reading 1 run.",
    ("verify", "a.npy", "b.npy"): "Comparing a.npy with b.npy.",
    ("study", "list"): "Reading the results of all studies.",
    ("study", "show", "mlp-low-first"): "Reading the result of mlp-low-first.",
    ("study", "run", "mlp-low-first"): "Loading the studies.",
    ("study", "report"): "Reading the results of all studies.",
}
QUICK_VERBS = {"convert", "schema", "mcp"}
"""Verbs that take less than a second, and the server, which only answers."""


@pytest.mark.parametrize(("words", "line"), FIRST_LINES.items(), ids=lambda words: " ".join(words[:2]))
def test_the_first_line_is_there_before_torch_is_imported(
    tmp_path: Path, words: tuple[str, ...], line: str
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert child.stderr.startswith(f"{line}\n")
    # Torch or NumPy was asked for afterwards, so that the line above cannot have come later.
    assert "import of" in child.stderr
    assert child.stdout == ""


def test_every_verb_that_takes_longer_than_a_second_has_a_first_line() -> None:
    assert {words[0] for words in FIRST_LINES} | QUICK_VERBS == set(cli.commands)


def test_the_time_of_large_fields_is_stated(call, monkeypatch) -> None:  # noqa: F811
    np.save("fields.npy", np.stack([waves((32, 32))] * 3)[:, None])
    bytes_of_both = 2 * Path("fields.npy").stat().st_size
    monkeypatch.setattr("overtone.cli._announcements.FIELD_BYTES", bytes_of_both / 10)
    answer = call("verify", "fields.npy", "fields.npy")
    assert answer.err == "Comparing fields.npy with fields.npy: about 10 s.\n"


def test_a_comparison_states_its_total_and_what_it_excludes(call, source, monkeypatch) -> None:  # noqa: F811
    def choose(*_: object) -> None:
        raise InputError("nothing", "that", "stop")

    monkeypatch.setattr(ComparisonTask, "choose_bandwidth", choose)
    words = ("compare", source, "--candidates", "gaussian,siren", "--time", "1m", "--processes", 2)
    line = call(*words).err.splitlines()[1]
    # A plain network and two others, three seeds each: five rounds of a minute on two processes.
    assert line.startswith(
        "9 trainings of 60 s, 2 at a time, take about 5 minutes. Choosing the bandwidth (about"
    )
    assert line.endswith(
        "the other candidates and the page take additional time; finished parts are not repeated."
    )
    single = call(*words[:-1], 1, "--seeds", 1).err.splitlines()[1]
    assert single.startswith("3 trainings of 60 s, take about 3 minutes.")
    assert (
        call("compare", source, "--steps", 100, "--processes", 1)
        .err.splitlines()[1]
        .startswith("9 trainings. ")
    )


def test_studies_state_their_computing_time(call) -> None:  # noqa: F811
    stored = StudyResult.load(find_study("hat-conditioning"), StudySize.QUICK)
    words = _duration([find_study("hat-conditioning")], "quick")
    assert stored is not None
    assert words == (
        f"Running 1 study of size quick: {in_words(stored.seconds)} of computing on one core, less where "
        "measurements are stored already."
    )
    assert _duration(list(catalogue().values()), "full").endswith("studies of size full: hours.")


@pytest.mark.parametrize("text", ["90", "90s", "1.5m", "1m30s", "0.025h", "1m30", " 90S"])
def test_lengths_of_time(text: str) -> None:
    expected = None if text == "1m30" else 90
    assert parse_duration(text) == expected


def test_hours_and_minutes() -> None:
    assert parse_duration("1h30m") == 5400
    assert parse_duration("0.5h") == 1800
    assert parse_duration("-1") == -1
    assert [parse_duration(bad) for bad in ("", "m", "1x", "1m1h", "ten")] == [None] * 5


def test_estimates_are_short() -> None:
    words = [in_words(s) for s in (0.2, 2.4, 11.0, 52.0, 400.0, 7200.0)]
    assert words == [
        "about a second",
        "about 2 s",
        "about 10 s",
        "about 45 s",
        "about 7 minutes",
        "about 2.0 hours",
    ]


@pytest.mark.parametrize("verb", ["fit", "scan", "compare", "predict"])
def test_a_bad_length_of_time_is_one_sentence(call, verb: str) -> None:  # noqa: F811
    answer = call(verb, "a.npy", "--time", "1 fortnight")
    assert answer.code == 2
    assert answer.err == (
        "overtone: --time: expected a length of time, got '1 fortnight'; write 90, 90s, 1m or 1h30m; "
        f"see overtone {verb} --help.\n"
    )


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["--parameters", "10"], "parameters"),
        (["--out", "other"], "an empty directory or an earlier comparison"),
        (["--candidates", "nope"], "candidates out of"),
        (["--steps", "3"], "at least 50 steps"),
    ],
)
def test_compare_refuses_before_it_chooses(call, source, monkeypatch, words, refusal) -> None:  # noqa: F811
    def choose(*_: object) -> None:
        raise AssertionError("the bandwidth is chosen before the refusal")

    monkeypatch.setattr(ComparisonTask, "choose_bandwidth", choose)
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    answer = call("compare", source, *words)
    assert (answer.code, refusal in answer.err) == (2, True), answer.err
    with pytest.raises(AssertionError, match="chosen before"):
        call("compare", source)


def test_fit_refuses_a_taken_directory_before_it_reads(call, source, monkeypatch) -> None:  # noqa: F811
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    monkeypatch.setattr("overtone.cli._fit.read_samples", lambda *_: pytest.fail("it read the file"))
    answer = call("fit", source, "--out", "other")
    assert (answer.code, "other files in it" in answer.err) == (2, True)


def test_a_long_choice_is_announced(call, monkeypatch) -> None:  # noqa: F811
    monkeypatch.setattr("overtone.planning._duration.machine_seconds", lambda: 10.0)
    monkeypatch.setattr("overtone.reports.report", lambda _, out: Path(out))
    np.save("a.npy", waves())
    small = ("fit", "a.npy", "--width", "8", "--features", "8")
    told = []
    for words in (("--steps", "1"), ("--steps", "1", "--choose", "quick"), ("--time", "0.5")):
        lines = call(*small, *words).err.splitlines()
        (line,) = [line for line in lines if line.startswith("Choosing the bandwidth: about ")]
        told.append(line.partition(",")[2])
    assert told == [
        " and short trainings of up to a quarter of the steps.",
        "",
        " and short trainings of up to a fifth of the time.",
    ]
