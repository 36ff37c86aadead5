from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from overtone.signals import Grid, masks
from tests.signals.refusals import refusal

shapes = st.lists(st.integers(2, 9), min_size=1, max_size=3).map(tuple)


@given(shapes, st.floats(0.01, 0.99), st.integers(0, 99))
def test_random_masks_are_exact_and_seeded(shape: tuple[int, ...], fraction: float, seed: int) -> None:
    grid = Grid.unit_box(shape)
    count = round(fraction * grid.samples)
    assume(0 < count < grid.samples)
    mask = masks.random(grid, fraction, seed)
    assert mask.dtype == torch.bool
    assert mask.shape == (grid.samples,)
    assert int(mask.sum()) == count
    assert torch.equal(mask, masks.random(grid, fraction, seed))


def test_another_seed_gives_another_mask_and_the_global_generator_is_left_alone() -> None:
    grid = Grid.unit_box((1000,))
    before = np.random.get_state()[1].copy()
    torch_before = torch.get_rng_state()
    assert not torch.equal(masks.random(grid, seed=0), masks.random(grid, seed=1))
    assert not torch.equal(masks.blocks(grid, 0.3, 10, seed=0), masks.blocks(grid, 0.3, 10, seed=1))
    assert (np.random.get_state()[1] == before).all()
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_every_sample_is_equally_likely_to_be_held_out() -> None:
    grid = Grid.unit_box((20,))
    counts = torch.stack([masks.random(grid, 0.25, seed) for seed in range(2000)]).sum(dim=0)
    # binomial: mean 500, standard deviation sqrt(2000 * 0.25 * 0.75) = 19.4; five of them
    assert int((counts - 500).abs().max()) < 97


@given(shapes, st.data(), st.floats(0.05, 0.9), st.integers(0, 99))
def test_blocks_are_whole_exact_and_seeded(
    shape: tuple[int, ...], data: st.DataObject, fraction: float, seed: int
) -> None:
    grid = Grid.unit_box(shape)
    size = tuple(data.draw(st.integers(1, n)) for n in shape)
    box = int(np.prod(size))
    count = round(fraction * grid.samples / box)
    cells = int(np.prod([n // s for n, s in zip(shape, size, strict=True)]))
    assume(0 < count <= cells and count * box < grid.samples)
    mask = masks.blocks(grid, fraction, size, seed)
    assert int(mask.sum()) == count * box
    assert torch.equal(mask, masks.blocks(grid, fraction, size, seed))
    placed = mask.reshape(shape).numpy()
    first = np.argwhere(placed)[0]
    corner = tuple(slice(int(f), int(f) + s) for f, s in zip(first, size, strict=True))
    assert placed[corner].sum() == box


def test_a_block_is_contiguous() -> None:
    mask = masks.blocks(Grid.unit_box((103,)), 0.1, 10, seed=4)
    runs = np.diff(np.flatnonzero(mask.numpy()))
    assert (runs == 1).sum() == 9


@given(shapes, st.integers(0, 1), st.integers(1, 4))
def test_a_lattice_is_a_slice(shape: tuple[int, ...], start: int, step: int) -> None:
    expected = np.zeros(shape, dtype=bool)
    expected[(slice(start, None, step),) * len(shape)] = True
    np.testing.assert_array_equal(masks.lattice(Grid.unit_box(shape), start, step).numpy(), expected.ravel())


def test_a_lattice_per_axis() -> None:
    mask = masks.lattice(Grid.unit_box((3, 4)), (1, 0), (2, 3)).reshape(3, 4)
    assert mask.nonzero().tolist() == [[1, 0], [1, 3]]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0, float("nan"), 1e-6])
def test_fractions_that_select_none_or_all_are_refused(fraction: float) -> None:
    assert "a fraction that selects 1 to 15 of 16 samples" in refusal(
        masks.random, Grid.unit_box((4, 4)), fraction
    )
    assert "of 4 boxes of (2, 2) samples" in refusal(masks.blocks, Grid.unit_box((4, 4)), fraction, 2)


def test_blocks_and_lattices_that_do_not_fit_are_refused() -> None:
    grid = Grid.unit_box((4, 4))
    assert "boxes within the grid (4, 4), got (5, 5)" in refusal(masks.blocks, grid, 0.5, 5)
    assert "one size, or one per axis (2), got 3" in refusal(masks.blocks, grid, 0.5, (1, 2, 3))
    assert "a start within the 4 samples" in refusal(masks.lattice, grid, 4, 1)
    assert "a step of 1 or more, got 0 and 0" in refusal(masks.lattice, grid, 0, 0)
