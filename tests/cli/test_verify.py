"""`overtone verify` on arrays: table, sentences, JSON, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.calling import call  # noqa: F401
from tests.verification import fields


@pytest.fixture(autouse=True)
def arrays(call):  # noqa: F811
    truth = fields.truth(12)
    np.save("truth.npy", truth)
    np.save("blurred.npy", fields.blurred(truth).astype(np.float32))
    np.savez("truth.npz", a=truth[:, 0], b=truth[:, 0])
    np.savez("forecast.npz", a=truth[:, 0], b=0.5 * truth[:, 0])


def test_it_prints_a_table_and_sentences(call):  # noqa: F811
    answer = call("verify", "blurred.npy", "truth.npy", "--spacing", "10", "--unit", "km", "--periodic")
    assert answer.code == 0
    assert "12 samples of 64 x 64 values; time mean kept; spectra: periodic" in answer.out
    assert "wavelength in km" in answer.out
    assert "effective resolution is" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 80


def test_json_is_one_document(call):  # noqa: F811
    answer = call("verify", "forecast.npz", "truth.npz", "--var", "b", "--periodic", "--json")
    assert answer.code == 0
    (score,) = answer.json["scores"]
    assert score["variable"] == "b"
    assert score["bands"][3]["power_ratio"] == pytest.approx(0.25)
    assert answer.json["wavelength_unit"] == "samples"


def test_ensembles_other_forecasts_and_baselines(call):  # noqa: F811
    truth = fields.truth(12)
    np.save("members.npy", np.stack([fields.blurred(truth), fields.noisy(truth, 0.01)], axis=1))
    words = ("verify", "members.npy", "truth.npy", "--member", "1", "--against", "blurred.npy", "--periodic")
    words += ("--baselines", "climatology", "--memory", "300kB")
    answer = call(*words)
    assert answer.code == 0
    assert "12 samples and 2 members of 64 x 64 values" in answer.out
    assert "error than climatology" in answer.out
    document = call(*words, "--json").json
    assert [comparison["other"] for comparison in document["comparisons"]] == ["blurred", "climatology"]
    assert document["ensembles"][0]["members"] == 2
    assert document["time_mean"] == "kept"
    refused = call(*words[:-4], "--baselines", "persistence")
    assert "xarray data with lead times" in refused.sentence


def test_out_writes_a_page_to_a_free_folder(call):  # noqa: F811
    words = ("verify", "blurred.npy", "truth.npy", "--periodic", "--out", "page")
    answer = call(*words, "--json")
    assert answer.json["report"] == str(Path("page") / "report.html")
    assert [path.name for path in Path("page").iterdir()] == ["report.html"]
    again = call(*words)
    assert again.code == 2
    assert "expected a new or empty folder" in again.err
    assert "Report: file://" in call(*words[:-1], "other").out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("nothing.npy", "truth.npy"), "no such file"),
        (("truth.npy", "."), "a folder"),
        (("truth.npy", "truth.npz"), "one of each"),
        (("forecast.npz", "truth.npz", "--var", "c"), "one of the variables a, b"),
        (("broken.npy", "truth.npy"), "complete file"),
        (("notes.txt", "truth.npy"), "convert it"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(call, words, part):  # noqa: F811
    with open("truth.npy", "rb") as file:
        whole = file.read()
    with open("broken.npy", "wb") as file:
        file.write(whole[:1000])
    with open("notes.txt", "w") as file:
        file.write("x")
    answer = call("verify", *words)
    assert answer.code == 2
    assert part in answer.sentence
