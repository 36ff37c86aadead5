"""The comparison of two checkouts sees a changed bit, a missing key and a changed word, and leaves out durations."""

from __future__ import annotations

import json

import numpy as np
from tools.golden_differences import differences, read


def results(folder, weights, answer, page="<p>6 bands</p>"):
    """What a job left."""
    folder.mkdir()
    np.savez(folder / "weights.npz", weight=weights)
    (folder / "answer-0.json").write_text(json.dumps(answer))
    (folder / "report.html").write_text(page)
    return read(folder)


def apart(tmp_path, weights=(1.0, np.nan), answer=None, page="<p>6 bands</p>"):
    """Keys at which results differ from those of a usual job."""
    usual = results(tmp_path / "old", np.array([1.0, np.nan]), {"psnr": 20.0, "seconds": 1.0})
    other = results(tmp_path / "new", np.array(weights), answer or {"psnr": 20.0, "seconds": 2.0}, page)
    return [(difference.key, difference.words) for difference in differences(usual, other)]


def test_durations_are_left_out(tmp_path):
    assert apart(tmp_path) == []


def test_one_bit_is_seen(tmp_path):
    assert apart(tmp_path, weights=(np.nextafter(1.0, 2.0), np.nan)) == [("weights.npz/weight", False)]


def test_a_number_and_a_missing_key_are_seen(tmp_path):
    assert apart(tmp_path, answer={"psnr": 20.000000000000004}) == [
        ("answer-0.json/keys", False),
        ("answer-0.json/psnr", False),
    ]


def test_other_words_with_the_same_numbers_are_told_apart_from_other_numbers(tmp_path):
    assert apart(tmp_path, page="<p>6 parts</p>") == [("report.html/line 0", True)]
    (tmp_path / "more").mkdir()
    assert apart(tmp_path / "more", page="<p>7 bands</p>") == [("report.html/line 0", False)]
