import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from overtone.cli._schema import answer_schemas
from tests.cli.calling import TINY, ask

QUICK = (*TINY, "--bandwidth", 0.1)


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """A folder with k-space of a small picture."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:12, :12] - 6
    picture = np.exp(-(x**2 + y**2) / 8)
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(picture), norm="ortho"))
    mask = np.random.default_rng(0).random((12, 12)) < 0.6
    np.savez("scan.npz", kspace=full, mask=mask, real=True, reference=picture)
    return tmp_path


def test_a_file_is_fitted_reported_and_resumed(scan):
    answer = ask("fit", "scan.npz", *QUICK, "--steps", 20, "--json")
    document = answer.json
    jsonschema.Draft202012Validator(answer_schemas()["fit"]).validate(document)
    assert document["measured"]["kind"] == "k-space"
    assert document["psnr"] == {"train": None, "held_out": None, "held_out_clean": None}
    assert json.loads(Path("run/run.json").read_text())["source"]["path"] == str(scan / "scan.npz")
    page = Path(document["report"]).read_text(encoding="utf-8")
    assert "Is a classical reconstruction better?" in page
    assert "Total variation" in page
    resumed = ask("fit", "--resume", "--out", "run", "--steps", 40)
    assert resumed.code == 0
    assert (
        "Use it as it is" in resumed.out or "Train longer" in resumed.out or "Take the picture" in resumed.out
    )
    assert "Zero-filled" in resumed.out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--spacing", 2), "--spacing"),
        (("--clean", "scan.npz"), "save the clean picture in the file, as reference"),
        (("--controller",), "controller"),
        (("--batch", 4), "batch"),
    ],
)
def test_flags_that_do_not_apply_are_refused_before_a_file_is_written(scan, flags, words):
    answer = ask("fit", "scan.npz", *QUICK, "--steps", 5, *flags)
    assert answer.code == 2
    assert words in answer.sentence
    assert not Path("run").exists()


@pytest.mark.parametrize("verb", ["scan", "predict"])
def test_other_verbs_name_those_that_take_measurements(scan, verb):
    assert "overtone fit" in ask(verb, "scan.npz").sentence


def test_a_comparison_of_measurements_is_continued(scan):
    words = ("compare", "scan.npz", "--candidates", "", "--steps", 50, "--seeds", 1)
    first = ask(*words, "--json")
    document = first.json
    jsonschema.Draft202012Validator(answer_schemas()["compare"]).validate(document)
    names = {one["name"] for one in document["candidates"]}
    assert names == {"mean", "zero-filled", "total variation", "mlp"}
    again = ask(*words)
    assert again.code == 0
    assert "from an earlier run" in again.err
    assert "scored on the picture" in again.out
    page = (scan / "comparison" / "report.html").read_text(encoding="utf-8")
    assert "PSNR on the picture" in page
    assert "Reference" in page
    for flag in ("--strided", "--processes=2"):
        assert flag.partition("=")[0].lstrip("-") in ask(*words, flag).sentence
