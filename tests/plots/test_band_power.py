from __future__ import annotations

import numpy as np
import pytest

from overtone.errors import InputError
from overtone.plots import BandPower

LOW, HIGH = [0, 1, 2, 4], [1, 2, 4, 8]


def test_it_tells_powers_with_and_without_intervals_and_leaves_the_mean_out():
    groups = {"with": [[9, 1, 2, 3], [8, 0.5, 1, 2], [10, 2, 3, 4]], "without": [9, 4, 5, 6]}
    d = BandPower(LOW, HIGH, groups, "Hz", "Pa").data
    assert d.group.values.tolist() == ["with", "without"]
    np.testing.assert_array_equal(d.power, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(d.low[0], [0.5, 1, 2])
    np.testing.assert_array_equal(d.high[0], [2, 3, 4])
    assert d.low[1].isnull().all()
    np.testing.assert_allclose(d.frequency, np.sqrt([2, 8, 32]))
    assert d.attrs == {"frequency_title": "Frequency (Hz)", "power_unit": "Pa²"}


def test_lines_and_shades_carry_the_numbers():
    d = BandPower(LOW, HIGH, {"a": [[9, 1, 0, 3], [8, 0.5, 0, 2], [10, 2, 3, 4]], "b": [1, 1, 1, 1]}, "Hz")
    fig = d.plotly()
    shade, line, other = fig.data
    np.testing.assert_array_equal(shade.y, [0.5, 2, 4, 2])
    np.testing.assert_array_equal(line.y, [1, np.nan, 3])
    np.testing.assert_array_equal(other.y, [1, 1, 1])
    assert line.line.color != other.line.color
    assert fig.layout.xaxis.type == fig.layout.yaxis.type == "log"
    assert fig.layout.yaxis.title.text == "Power in the band (value²)"


def test_it_is_told_in_a_sentence():
    d = BandPower(LOW, HIGH, {"<b>": [0, 1, 0, 0], "c": [0, 0, 1, 0]}, "Hz")
    assert d.describe() == "Power per band; mean frequency over the bands: <b> 1.41, c 2.83."
    assert d.plotly().data[0].name == "&lt;b&gt;"


def test_bands_without_power_and_single_bands_are_drawn():
    BandPower(LOW, HIGH, {"a": [0, 0, 0, 0]}, "Hz").plotly()
    BandPower([0], [1], {"a": [1]}, "Hz").plotly()


@pytest.mark.parametrize(
    ("groups", "said"),
    [({}, "expected at least one group"), ({"a": [1, 2]}, "a: expected 4 powers, or three rows of them")],
)
def test_groups_that_do_not_fit(groups, said):
    with pytest.raises(InputError, match=said):
        BandPower(LOW, HIGH, groups, "Hz")
