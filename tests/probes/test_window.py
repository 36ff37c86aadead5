import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.probes import Window
from overtone.signals import Grid

shapes = st.lists(st.integers(1, 12), min_size=1, max_size=3).map(tuple)


@given(shapes, st.integers(8, 500))
def test_window_is_a_contiguous_block_of_the_grid(shape, samples):
    grid = Grid(shape, (0.5,) * len(shape), (3.0,) * len(shape), ("mm",) * len(shape), (True,) * len(shape))
    window = Window.central(grid, samples)
    whole = torch.arange(grid.samples).reshape(shape)
    cut = tuple(slice(s, s + n) for s, n in zip(window.start, window.shape, strict=True))
    assert torch.equal(window.index(grid), whole[cut].reshape(-1))
    inside = window.restrict(grid)
    assert torch.equal(inside.coords(), grid.coords(window.index(grid)))
    assert inside.samples <= max(samples, 2 ** len(shape))


def test_small_grids_are_whole_and_stay_periodic():
    grid = Grid.unit_box((8, 8), periodic=True)
    window = Window.central(grid, 64)
    assert window.covers(grid)
    assert window.restrict(grid).periodic == (True, True)


def test_a_cut_axis_is_no_longer_periodic_and_keeps_its_nyquist():
    grid = Grid.unit_box((8, 64), periodic=True)
    inside = Window((0, 16), (8, 32)).restrict(grid)
    assert inside.periodic == (True, False)
    assert inside.nyquist == grid.nyquist


def test_no_samples_to_measure():
    with pytest.raises(InputError, match="expected at least one sample to measure, got 0"):
        Window.central(Grid.unit_box((4,)), 0)
