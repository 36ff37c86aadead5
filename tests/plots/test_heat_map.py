from __future__ import annotations

import numpy as np
import pytest

from overtone.errors import InputError
from overtone.plots import FourierHeatMap

AXES = ([-0.5, -0.25, 0.0, 0.25], [-0.4, -0.2, 0.0, 0.2, 0.4])


def table():
    error = np.full((4, 5), 0.2)
    error[3, 4] = error[1, 0] = 0.6
    error[0] = np.nan
    return error


def test_the_map_is_drawn_as_it_is():
    d = FourierHeatMap(table(), *AXES, 0.1, 1.5)
    fig = d.plotly()
    drawn = fig.data[0]
    np.testing.assert_array_equal(np.array(drawn.z), table())
    assert (list(drawn.y), list(drawn.x)) == AXES
    assert (drawn.zmin, drawn.zmax) == (0, 0.6)
    assert d.plotly(1.0).data[0].zmax == 1
    assert fig.layout.yaxis.scaleanchor == "x"


def test_it_is_told_in_a_sentence():
    said = FourierHeatMap(table(), *AXES, 0.1, 1.5).describe()
    assert said == (
        "A perturbation of norm 1.5 raises the error rate from 10% to 25.3% on average over frequencies, and to 60% at "
        "0.25 vertical and 0.4 horizontal cycles per pixel."
    )


def test_a_classifier_that_never_errs_is_drawn():
    assert FourierHeatMap(np.zeros((4, 5)), *AXES, 0, 1).plotly().data[0].zmax == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (np.zeros((5, 4)), r"expected error rates of shape \(4, 5\), as there are frequencies, got \(5, 4\)"),
        (np.full((4, 5), 3.0), "expected error rates in"),
        (np.full((4, 5), np.nan), "got none, or some outside"),
    ],
)
def test_maps_that_make_no_sense(error, said):
    with pytest.raises(InputError, match=said):
        FourierHeatMap(error, *AXES, 0, 1)
