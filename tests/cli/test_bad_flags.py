"""Command lines that are wrong: one sentence, exit 2, nothing written."""

import pytest

from tests.cli.calling import TINY, ask, listing

VERBS = "compare, convert, fit, lab, lint, mcp, predict, report, scan, schema, study, verify"

FIT = [
    (["--bandwidth", "abc"], "--bandwidth: expected one number or several separated by commas, got 'abc'"),
    (["--bandwidth", "1,,2"], "--bandwidth: expected one number or several separated by commas, got '1,,2'"),
    (["--bandwidth", "1,2,3"], "--bandwidth: expected one bandwidth or one per axis (2), got 3"),
    (["--bandwidth", "-3"], "--bandwidth: expected a positive finite number, got -3.0"),
    (["--bandwidth", "nan"], "--bandwidth: expected a positive finite number, got nan"),
    (["--bandwidth", "3", "--encoding", "basic"], "--bandwidth: expected an encoding that has a bandwidth"),
    (
        ["--encoding", "fourier"],
        "--encoding: expected one of auto, none, basic, positional, gaussian, power-law, learned, periodic, "
        "hash-grid, dense-grid, triplane, got 'fourier'",
    ),
    (["--optimizer", "lion"], "--optimizer: expected one of adam, sgd, got 'lion'"),
    (["--activation", "relus"], "--activation: expected one of relu, leaky-relu, tanh"),
    (["--activation", ""], "--activation: expected one of relu"),
    (
        ["--activation", "relu,tanh,sine"],
        "--activation: expected one activation or one per hidden layer (2), got 3",
    ),
    (["--device", "cuda:99"], "--device: expected a device that is there, got 'cuda:99'"),
    (["--device", "abacus"], "--device: expected a device that is there, got 'abacus' (not one of cpu, cuda"),
    (["--steps", "0"], "--steps: expected a positive finite number, got 0"),
    (["--steps", "many"], "--steps: expected a whole number, got 'many'"),
    (["--time", "-1"], "--time: expected a positive finite number, got -1.0"),
    (["--lr", "nan"], "--lr: expected a positive finite number, got nan"),
    (["--lr", "1e300"], "--lr: expected a learning rate of at most 1e+30, got 1e+300"),
    (["--batch", "0"], "--batch: expected a positive finite number, got 0"),
    (["--momentum", "1"], "--momentum: expected a momentum in [0, 1), got 1.0"),
    (["--width", "0"], "--width: expected a whole number of at least 1, got 0"),
    (["--depth", "0"], "--depth: expected a whole number of at least 1, got 0"),
    (["--features", "0"], "--features: expected a whole number of at least 1, got 0"),
    (["--held-out", "1"], "--held-out: expected a fraction from 0 to below 1, got 1.0"),
    (
        ["--held-out", "0.0001"],
        "--held-out: expected a fraction that selects 1 to 479 of 480 samples, got 0 selected",
    ),
    (["--seed", "-1"], "--seed: expected a whole number of at least 0, got -1"),
    (["--clean", "gone.npy"], "gone.npy: expected a file, got nothing at this path"),
    (["--resume"], "run: expected a run to resume, got none; leave --resume out to begin one"),
    (["--resume", "--overwrite"], "expected --resume or --overwrite, got both; choose one"),
]


@pytest.mark.parametrize(
    ("flags", "text"), FIT, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_wrong_flags_of_a_fit(call, tmp_path, source, flags, text):
    answer = call("fit", source.name, *TINY, "--steps", 2, *flags)
    assert answer.code == 2
    assert answer.sentence.startswith(text)
    assert answer.out == ""
    assert listing(tmp_path) == ["waves.npy"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["nope"],
            f"expected one of {VERBS}, got 'nope'; see overtone --help.",
        ),
        (
            ["fti"],
            f"expected one of {VERBS}, got 'fti'; did you mean fit? (see overtone",
        ),
        (
            ["it's"],
            f'expected one of {VERBS}, got "it\'s"; see overtone --help.',
        ),
        (
            ["study", "rum"],
            "expected one of list, report, run, show, got 'rum'; did you mean run? (see overtone study",
        ),
        (
            ["study", "show", "a", "b"],
            "expected one NAME at most, got more (b); see overtone study show --help.",
        ),
        (["study", "list", "a"], "expected no argument that is not a flag, got more (a); see"),
        (["--widht"], "expected a flag of overtone, got --widht; see overtone --help."),
        (["fit", "--widht", "3"], "expected a flag of overtone fit, got --widht; did you mean --width? (see"),
        (["scan", "--steps", "3"], "expected a flag of overtone scan, got --steps"),
        (["scan", "a", "b"], "expected one SOURCE at most, got more (b)"),
        (["fit", "--out"], "--out: expected a value after it, got nothing"),
        (["fit", "--json=yes"], "--json: expected no value with it, got one"),
        (["report"], "expected RUNS..., got nothing; see overtone report --help."),
    ],
)
def test_wrong_command_lines(call, tmp_path, words, text):
    answer = call(*words)
    assert answer.code == 2
    assert answer.sentence.startswith(text)
    assert "Usage" not in answer.err
    assert answer.out == ""
    assert listing(tmp_path) == []


def test_no_words_at_all_shows_the_help():
    answer = ask()
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("Usage: overtone")


def test_too_large_a_network_says_so(call, tmp_path, source):
    answer = call("fit", source, "--width", 10**9, "--depth", 2, "--steps", 2)
    assert answer.code == 1
    assert "expected enough memory, got less than this takes; make --width" in answer.sentence
    assert listing(tmp_path) == ["waves.npy"]


def test_a_bug_is_not_dressed_up(call, monkeypatch, source):
    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("overtone.planning.scan", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        call("scan", source)
