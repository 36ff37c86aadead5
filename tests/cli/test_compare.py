import numpy as np
import pytest

from overtone._sweeps import Local
from tests.cli.calling import ask, waves

QUICK = ("--candidates", "gaussian", "--steps", 50, "--seeds", 1, "--parameters", 6000, "--processes", 1)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with a source."""
    monkeypatch.chdir(tmp_path)
    np.save("waves.npy", waves())
    return tmp_path


@pytest.fixture
def in_process(monkeypatch):
    """No processes of their own, for tests about something else."""
    from overtone.comparing._compare import SerialWorkers

    monkeypatch.setattr(Local, "run", lambda self, tasks: SerialWorkers().run(tasks))


def test_the_answer_in_json(here, in_process):
    answer = ask("compare", "waves.npy", *QUICK, "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert {"candidates", "winner", "verdict", "margins", "failed", "report"} <= set(document)
    first = document["candidates"][0]
    assert {"name", "psnr_held_out", "interval", "seconds", "parameters"} <= set(first)
    low, high = first["interval"]
    assert low <= first["psnr_held_out"] <= high
    assert document["winner"] in {c["name"] for c in document["candidates"]}
    assert (here / "comparison" / "report.html").is_file()
    assert "[8/8]" in answer.err


def test_people_get_a_verdict_and_a_table(in_process):
    answer = ask("compare", "waves.npy", *QUICK, "--noise", 0.1, "--blocks", 3)
    assert answer.code == 0, answer.err
    assert answer.out.startswith("Verdict\n")
    for name in ("linear", "kernel-twin", "gaussian", "Report"):
        assert name in answer.out
    assert max(map(len, answer.out.splitlines()[:-1])) <= 80


def test_strided_and_clean(in_process):
    np.save("noisy.npy", waves(noise=0.1))
    answer = ask("compare", "noisy.npy", *QUICK, "--clean", "waves.npy", "--strided", "--json")
    assert answer.json["samples"] == {"train": 120, "held_out": 120}
    assert answer.json["noisy"] is True


WRONG = {
    ("--noise", "0.1", "--clean", "waves.npy"): "expected --clean or --noise, got both; choose one.",
    ("--blocks", "3", "--strided"): "expected --blocks or --strided, got both; choose one.",
    ("--held-out", "0"): "expected held-out samples, which are needed to evaluate candidates, got none; "
    "hold out for instance a tenth.",
    ("--steps", "3"): "--steps: expected at least 50 steps, so that a network can learn, got 3; "
    "pass for instance 1000.",
    (
        "--noise",
        "-1",
    ): "--noise: expected noise of positive finite strength, got -1.0; pass a number above 0.",
    ("--blocks", "99"): "--blocks: expected boxes within the grid",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_what_is_wrong_is_said(here, words):
    answer = ask("compare", "waves.npy", *words)
    assert answer.code == 2
    assert WRONG[words] in answer.sentence
    assert not (here / "comparison").exists()
