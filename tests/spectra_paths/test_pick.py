from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.spectra.paths import Paths


def numbered(labels):
    """Inputs that tell which sample they are."""
    return np.arange(len(labels), dtype=float)[:, None] @ np.ones((1, 2))


def ends(paths):
    return paths.vertices[:, 0, 0].long().tolist(), paths.vertices[:, -1, 0].long().tolist()


@given(labels=st.lists(st.integers(0, 3), min_size=4, max_size=12), seed=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_all_pairs_of_a_kind_and_no_others_can_be_drawn(labels, seed):
    for pick, same in ((Paths.within_classes, True), (Paths.between_classes, False)):
        wanted = {(i, j) for i in range(len(labels)) for j in range(i) if (labels[i] == labels[j]) is same}
        if wanted:
            found = pick(numbered(labels), labels, len(wanted), seed)
            assert {(max(pair), min(pair)) for pair in zip(*ends(found), strict=True)} == wanted
        with pytest.raises(ValueError, match=f"expected 1 to {len(wanted)} paths, the number of pairs"):
            pick(numbered(labels), labels, len(wanted) + 1, seed)


def test_draws_are_even_repeat_and_differ_by_seed():
    """Each of 4950 pairs has the chance 0.2; a row is met 19.8 times, give or take 4.4."""
    labels = ["a"] * 100
    one, same, other = (Paths.within_classes(numbered(labels), labels, 990, seed) for seed in (0, 0, 1))
    assert torch.equal(one.vertices, same.vertices)
    assert not torch.equal(one.vertices, other.vertices)
    met = np.bincount(np.concatenate(ends(one)), minlength=100)
    assert met.sum() == 1980
    assert np.abs(met - 19.8).max() < 5 * 19.8**0.5


def test_tensors_stay_tensors_and_arrays_arrays():
    labels = torch.tensor([0, 0, 1, 1])
    assert not Paths.within_classes(
        torch.rand(4, 3, generator=torch.Generator().manual_seed(0)), labels, 2
    ).arrays
    assert Paths.between_classes(numbered(labels), labels, 2).arrays


def test_noise_has_the_spread_of_each_feature():
    """Of 4000 normal numbers the mean errs by 0.016 and the standard deviation by 0.011 of it."""
    source = np.random.default_rng(0)
    samples = source.normal(size=(4000, 3)) * [1, 10, 0] + [5, -2, 7]
    noise = Paths.to_noise(samples, 4000, seed=1).vertices[:, 1].numpy()
    np.testing.assert_allclose(noise.mean(0), [5, -2, 7], atol=10 * 0.08)
    np.testing.assert_allclose(noise.std(0), [1, 10, 0], rtol=0.06)
    starts = Paths.to_noise(samples, 100).vertices[:, 0].numpy()
    assert {tuple(row) for row in starts} <= {tuple(row) for row in samples}
    assert len({tuple(row) for row in starts}) == 100


def test_positions_are_walked_evenly():
    """Corners at distances 0, 1, 3: of six positions half a unit apart two lie on the first piece."""
    bent = Paths.through([[[0, 0], [1, 0], [1, 2]]])
    found = bent.inputs(6, slice(0, 6)).numpy()
    np.testing.assert_allclose(found, [[0.25, 0], [0.75, 0], [1, 0.25], [1, 0.75], [1, 1.25], [1, 1.75]])
    square = Paths.through([[[0, 0], [1, 0], [1, 1], [0, 1]]], closed=True)
    assert float(square.lengths[0]) == 4
    np.testing.assert_allclose(
        square.inputs(8, slice(5, 8)).numpy(), [[0.5, 1], [0, 1], [0, 0.5]], atol=1e-15
    )


def test_equal_vertices_on_the_way_are_passed():
    paused = Paths.through([[[0.0], [1.0], [1.0], [3.0]]])
    np.testing.assert_allclose(paused.inputs(3, slice(0, 3)).numpy()[:, 0], [0.5, 1.5, 2.5])
