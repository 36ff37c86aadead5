from __future__ import annotations

import numpy as np
import pytest

from overtone.errors import InputError
from overtone.plots import ByFrequency

AT = [0, 1, 2, 4]


def test_it_tells_values_with_and_without_intervals_and_leaves_frequency_0_out():
    curves = {"with": [[9, -1, 2, 3], [8, -2, 1, 2], [10, 2, 3, 4]], "without": [9, 4, 5, np.inf]}
    d = ByFrequency(AT, curves, "Hz", "Gain (dB)")
    np.testing.assert_array_equal(d.data.value, [[-1, 2, 3], [4, 5, np.inf]])
    np.testing.assert_array_equal(d.data.low[0], [-2, 1, 2])
    assert d.data.high[1].isnull().all()
    assert d.data.frequency.values.tolist() == [1, 2, 4]
    fig = d.plotly()
    shade, line, other = fig.data
    np.testing.assert_array_equal(shade.y, [-2, 1, 2, 4, 3, 2])
    np.testing.assert_array_equal(line.y, [-1, 2, 3])
    np.testing.assert_array_equal(other.y, [4, 5, np.nan])
    assert (fig.layout.xaxis.type, fig.layout.xaxis.title.text) == ("log", "Frequency (Hz)")
    assert fig.layout.yaxis.title.text == "Gain (dB)"
    assert d.describe().startswith("Gain (dB) from the lowest to the highest frequency: with -1 to 3,")


@pytest.mark.parametrize(
    ("at", "curves", "sentence"),
    [
        (AT, {}, "at least one curve, got none"),
        (AT, {"a": [1, 2]}, "a: expected 4 values, or three rows of them"),
        ([0], {"a": [1]}, "expected positive frequencies, got none"),
    ],
)
def test_what_cannot_be_drawn(at, curves, sentence):
    with pytest.raises(InputError, match=sentence):
        ByFrequency(at, curves, "Hz", "")
