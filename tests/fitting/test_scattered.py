"""Fits of scattered samples and tables, through Python and the command line."""

import json

import numpy as np
import pytest
import torch

import overtone as ot
from overtone import signals
from overtone.errors import InputError
from overtone.nn.encodings import Identity

SMALL = {"width": 32, "depth": 2, "features": 32, "lr": 1e-2}


def striped(samples=300):
    x = np.random.default_rng(0).random((samples, 2))
    return signals.points(x, np.cos(2 * np.pi * 3 * x[:, 0]))


def parameters(run):
    return torch.cat([p.detach().flatten() for p in run.network.parameters()])


def test_labels_are_not_fitted_by_squared_error_unless_they_are_quantities():
    x = np.random.default_rng(0).random((60, 2))
    with pytest.raises(
        InputError, match=r"got 3 values alone \(0, 1, 2\), which look like labels; pass quantities"
    ):
        ot.fit(signals.points(x, np.floor(3 * x[:, 0])), steps=1, **SMALL)
    assert ot.fit(signals.points(x, np.floor(3 * x[:, 0]), quantities=True), steps=1, bandwidth=1.0, **SMALL)


def test_points_are_fitted_watched_and_reported(tmp_path):
    run = ot.fit(striped(), tmp_path / "run", steps=150, **SMALL)
    assert run.psnr["held_out"] > 15
    assert run.record.attrs["frequency_unit"] == "cycles per coordinate"
    assert run.record.attrs["kind"] == "points"
    assert any("ridge regression" in reason for reason in run.record.attrs["reasons"])
    error = (run.predict().double() - run.signal.values).square()[run.signal.held_out_index].mean()
    assert run.psnr["held_out"] == pytest.approx(10 * np.log10(run.signal.peak**2 / float(error)), abs=1e-3)
    assert "Plan: bandwidth" in run.report().read_text(encoding="utf-8")


def test_resuming_is_bit_identical(tmp_path):
    options = {**SMALL, "bandwidth": 3.0, "stop": False}
    whole = ot.fit(striped(), tmp_path / "whole", steps=30, **options)
    ot.fit(striped(), tmp_path / "parts", steps=13, **options)
    parts = ot.fit(striped(), tmp_path / "parts", steps=30, resume=True)
    assert torch.equal(parameters(whole), parameters(parts))


def test_a_table_with_repeated_rows_goes_through_the_graph(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (150, 4)).astype(float) + 1e-3 * rng.random((150, 4))
    table = signals.points(x, x.sum(1), units=list("abcd"), kind="table")
    run = ot.fit(table, tmp_path / "run", steps=60, **SMALL)
    assert run.record.attrs["estimator"].startswith("graph")
    again = ot.fit(table, tmp_path / "run", steps=80, resume=True)
    assert type(again.network.encoding) is type(run.network.encoding)


def test_the_encoding_that_was_chosen_is_trained_and_resumed(tmp_path):
    x = np.random.default_rng(0).random((200, 2))
    run = ot.fit(signals.points(x, x[:, 0] + 2 * x[:, 1]), tmp_path / "run", steps=20, **SMALL)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["network"]["encoding"] == "none"
    again = ot.fit(run.signal, tmp_path / "run", steps=25, resume=True)
    assert isinstance(run.network.encoding, Identity)
    assert isinstance(again.network.encoding, Identity)


def houses(path):
    rng = np.random.default_rng(1)
    x = rng.random((120, 2)) * [1000.0, 0.1]
    np.savetxt(path, np.c_[x, x[:, 0] + 1e4 * x[:, 1]], delimiter=",", header="area,share,price", comments="")
    return signals.table(path, ["area", "share"])


def test_of_a_table_bands_count_in_extents_and_the_bandwidth_in_the_units_of_its_columns(tmp_path, capsys):
    run = ot.fit(
        houses(tmp_path / "t.csv"), tmp_path / "run", steps=20, bandwidth=(1e-3, 10.0), progress=True, **SMALL
    )
    attrs = run.record.attrs
    assert (attrs["frequency_unit"], attrs["bandwidth_unit"]) == (
        "cycles per extent",
        "cycles per unit of the column",
    )
    assert attrs["bandwidth"] == pytest.approx([1e-3, 10.0])
    shown = capsys.readouterr().err
    assert "bandwidth 0.001 x 10 cycles per unit of the column" in shown
    assert "cycles per unit of the column" not in shown.split("\n", 1)[1]
    page = run.report().read_text(encoding="utf-8")
    assert "Plan: bandwidth 0.001 x 10 cycles per unit of the column" in page
    assert "0.001, 10 cycles per unit of the column" in page
    # A column whose numbers are a thousand times larger is the same table: the bands do not know.
    other = signals.points(
        run.signal.coords * torch.tensor([1e3, 1.0]), run.signal.values, units=("area", "share"), kind="table"
    )
    again = ot.fit(other, steps=1, bandwidth=(1e-6, 10.0), **SMALL)
    assert np.allclose(again.record.band_high, run.record.band_high, rtol=1e-6)


def test_a_table_of_one_input_has_its_frequencies(tmp_path):
    hours = np.delete(np.arange(0, 200, 0.5), slice(100, 130))
    level = np.sin(2 * np.pi * hours / 24)
    np.savetxt(
        tmp_path / "t.csv", np.c_[hours, level], delimiter=",", header="time [h],level [m]", comments=""
    )
    run = ot.fit(
        signals.table(tmp_path / "t.csv", ["time [h]"]), tmp_path / "run", steps=1, bandwidth=0.04, **SMALL
    )
    assert run.record.attrs["frequency_unit"] == "cycles per h"
    power = run.record.target_power.sum("channel").values[1:]
    at = int(power.argmax()) + 1
    assert float(run.record.band_low[at - 1]) < 1 / 24 < float(run.record.band_high[at + 1])
