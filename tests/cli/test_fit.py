import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from overtone import records
from overtone.records import metrics
from tests.cli.calling import TINY, ask, waves

KEYS = {
    "run",
    "record",
    "report",
    "steps",
    "seconds",
    "parameters",
    "psnr",
    "bands",
    "stop",
    "bandwidth",
    "verdict",
}


def same_record(one, two):
    one, two = (records.load(path).drop_vars("time").drop_attrs() for path in (one, two))
    return one.identical(two)


def same_weights(one, two):
    one, two = (load_file(Path(run) / "checkpoint.safetensors") for run in (one, two))
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted")
    np.save(folder / "waves.npy", waves())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, ask("fit", "waves.npy", *TINY, "--steps", 60, "--out", "run", "--json")


@pytest.fixture
def fitted(once, monkeypatch):
    """A finished run in the present folder."""
    monkeypatch.chdir(once[0])
    return once[1]


def test_every_stable_key_and_its_meaning(fitted):
    found = fitted.json
    assert fitted.code == 0
    assert set(found) >= KEYS
    assert [Path(found[name]).exists() for name in ("run", "record", "report")] == [True] * 3
    assert Path(found["report"]).read_text(encoding="utf-8")[:15].lower() == "<!doctype html>"
    assert found["steps"] == 60
    assert 0 < found["seconds"] < 600
    assert found["parameters"] == (16 + 1) * 64 + (64 + 1) * 64 + (64 + 1)
    assert len(found["bandwidth"]) == 2
    assert len(found["verdict"]) == 4
    assert all(re.search(r"[.?!]$", sentence) for sentence in found["verdict"])


def test_psnr_and_bands_are_those_of_the_record(fitted):
    found, record = fitted.json, records.load("run")
    assert set(found["psnr"]) == {"train", "held_out", "held_out_clean"}
    assert found["psnr"]["held_out_clean"] is None
    for name in ("train", "held_out"):
        error = record.attrs["final_errors"][name]
        assert found["psnr"][name] == pytest.approx(10 * np.log10(record.attrs["peak"] ** 2 / error))
    last = record.isel(step=-1, channel=0)
    for band, row in enumerate(found["bands"]):
        assert (row["low"], row["high"]) == (record.band_low[band], record.band_high[band])
        if row["relative_error"] is None:
            continue
        target = float(last.target_power[band])
        assert row["relative_error"] == pytest.approx(float(last.residual_power[band] / target) ** 0.5)
        assert row["learned_fraction"] == pytest.approx(float(last.cross_power[band] / target))
    steps = [row["learning_step"] for row in found["bands"]]
    expected = metrics.learning_step(record)[:, 0].values
    assert steps == [None if np.isnan(step) else step for step in expected]
    assert found["stop"] in record.step.values


def test_progress_goes_to_stderr_and_names_the_frequency(fitted):
    lines = fitted.err.splitlines()
    assert lines[0] == "Reading waves.npy."
    assert len(lines) <= 12
    lines = lines[1:]
    assert re.fullmatch(r"fit waves\.npy: bandwidth .+ cycles per array, 60 steps -> run", lines[0])
    assert lines[1].startswith("warning: 60 steps learn little but the mean; 100 steps would be enough")
    assert lines[2] == "  0%  step 0      loss -         learned nothing yet"
    told = (
        r"learned (nothing yet|(nothing any more|to [\d.]+ cycles per array)( \(before: to [\d.]+\))?)"
        r"(, \d+ (s|min) left)?$"
    )
    assert all(re.search(told, line) for line in lines[2:])
    assert len(lines) <= 12


@pytest.mark.usefixtures("no_page")
def test_a_clean_reference_is_measured_against(call, tmp_path):
    np.save(tmp_path / "noisy.npy", waves(noise=0.2))
    np.save(tmp_path / "clean.npy", waves())
    found = call("fit", "noisy.npy", "--clean", "clean.npy", *TINY, "--steps", 30, "--json").json
    assert found["psnr"]["held_out_clean"] > found["psnr"]["held_out"]


@pytest.mark.usefixtures("no_page")
def test_nothing_held_out_is_null(call, source):
    found = call("fit", source, *TINY, "--steps", 2, "--held-out", 0, "--encoding", "none", "--json").json
    assert found["psnr"]["held_out"] is None
    assert found["bandwidth"] is None


@pytest.mark.usefixtures("no_page")
def test_the_text_answers_and_points_to_the_report(call, source):
    answer = call("fit", source, *TINY, "--steps", 60, "--out", "run")
    lines = answer.out.splitlines()
    questions = [line for line in lines if line.endswith("?")]
    assert len(questions) == 4
    assert all(lines[lines.index(q) + 1].startswith("  ") for q in questions)
    assert max(map(len, lines[:-1])) <= 80
    assert re.match(r"PSNR       [\d.]+ dB \(training samples\), [\d.]+ dB \(held-out samples\)$", lines[-5])
    assert re.match(r"Training   60 steps in [\d.]+ s, 5,313 parameters$", lines[-4])
    assert re.match(r"Time       [\d.]+ s", lines[-2])
    assert lines[-1] == f"Report     {Path('run/report.html').resolve().as_uri()}"


@pytest.mark.usefixtures("no_page")
def test_a_time_budget_ends_a_run(call, source):
    found = call("fit", source, *TINY, "--time", 0.2, "--json").json
    # Reading, choosing and the report take the most of so short a time, and training gets at least a tenth.
    assert found["seconds"] >= 0.02


@pytest.mark.usefixtures("no_page")
def test_an_earlier_run_is_resumed_or_replaced_but_never_mixed(call, source):
    assert call("fit", source, *TINY, "--steps", 3).code == 0
    before = Path("run/record.sqlite").read_bytes()
    answer = call("fit", source, *TINY, "--steps", 3, "--out", "run")
    assert answer.code == 2
    assert "a directory without a run, got an earlier run in it; go on with it by --resume" in answer.sentence
    assert Path("run/record.sqlite").read_bytes() == before
    assert call("fit", source, *TINY, "--steps", 4, "--overwrite", "--json").json["steps"] == 4


@pytest.mark.usefixtures("no_page")
def test_a_longer_budget_needs_no_source_and_equals_one_run(call, source):
    # The bandwidth that is chosen depends on the steps, so that it is set here.
    fixed = (*TINY, "--bandwidth", 2, "--batch", 50)
    call("fit", source, *fixed, "--steps", 7)
    assert call("fit", "--resume", "--steps", 20, "--json").json["steps"] == 20
    call("fit", source, *fixed, "--steps", 20, "--out", "whole")
    assert same_record("run", "whole")
    assert same_weights("run", "whole")


@pytest.mark.usefixtures("no_page")
def test_resuming_keeps_how_the_source_was_read_from_anywhere(call, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", waves())
    flags = ("--spacing", "0.5", "--unit", "mm")
    call("fit", "a.npy", *flags, *TINY, "--steps", 3, "--out", tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = call("fit", "--resume", "--out", "../run", "--steps", 5, "--json").json
    assert (found["steps"], found["unit"]) == (5, "cycles per mm")
    again = call("fit", "../a.npy", *flags, *TINY, "--resume", "--out", "../run", "--steps", 6, "--json")
    assert again.json["steps"] == 6


@pytest.mark.usefixtures("no_page")
@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--lr", "0.5"], "run: expected the --lr that the run began with (0.01), got 0.5; leave it out"),
        (["--activation", "sine"], "expected the --activation that the run began with (relu), got sine"),
        (["--bandwidth", "3"], "expected the --bandwidth that the run began with (none), got 3.0"),
        (["--spacing", "2"], "expected the --spacing that the run began with (none), got 2.0"),
        (["--seed", "1"], "expected the --seed that the run began with (0), got 1"),
        (["--clean", "waves.npy"], "expected the --clean that the run began with (none), got"),
        (["other.npy"], "expected the samples that the run began with, got others in other.npy"),
    ],
)
def test_resuming_refuses_to_become_another_run(call, source, tmp_path, flags, text):
    np.save(tmp_path / "other.npy", waves(noise=0.1))
    call("fit", source, *TINY, "--steps", 3)
    before = Path("run/record.sqlite").read_bytes()
    answer = call("fit", "--resume", "--steps", 5, *flags)
    assert answer.code == 2
    assert text in answer.sentence
    assert Path("run/record.sqlite").read_bytes() == before


@pytest.mark.usefixtures("no_page")
def test_resuming_a_run_that_began_in_python_asks_for_its_source(call, source):
    import overtone as ot

    ot.fit(ot.signals.read(source), "run", steps=2, width=16, depth=2, features=8)
    assert (
        "expected a SOURCE, because the run was started from Python, got none"
        in call("fit", "--resume").sentence
    )
    assert call("fit", source, "--resume", "--steps", 4, "--json").json["steps"] == 4


def test_a_table_is_fitted_by_the_names_of_its_columns(call, tmp_path):
    x = np.random.default_rng(0).random((120, 2))
    rows = "\n".join(f"{a},{b},{np.sin(6 * a) + b}" for a, b in x)
    (tmp_path / "t.csv").write_text("depth,age,yield\n" + rows)
    found = call("fit", "t.csv", "--inputs", "depth,age", *TINY, "--steps", 20, "--json").json
    assert len(found["bandwidth"] or (0, 0)) == 2
    assert found["unit"] == "cycles per extent"
    assert found["bandwidth_unit"].startswith("cycles per unit")
    wrong = call("fit", "t.csv", "--inputs", "depth,weight", *TINY, "--steps", 20, "--out", "other")
    assert wrong.code == 2
    assert "expected columns among depth, age, yield, got 'weight'" in wrong.sentence
