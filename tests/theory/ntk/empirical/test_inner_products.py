"""Windows over the lower half of a symmetric matrix."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.theory.ntk._empirical.inner_products import (
    OutputLayout,
    add_inner_products,
    add_lower_inner_products,
    lower_windows,
    mirror_lower,
)
from tests.theory.ntk.slow import seeded


@settings(max_examples=60, deadline=None)
@given(samples=st.integers(1, 700), smallest=st.integers(1, 300), strip=st.integers(1, 300))
def test_windows_cover_each_pair_of_the_lower_half_once(samples, smallest, strip):
    seen = torch.zeros(samples, samples)
    for rows, columns in lower_windows(samples, smallest, strip):
        seen[rows, columns] += 1
    assert bool((seen.tril() == torch.ones(samples, samples).tril()).all())
    assert bool((seen <= 1).all())


def test_little_more_than_half_is_computed():
    windows = lower_windows(1024, 128, 128)
    assert sum((r.stop - r.start) * (c.stop - c.start) for r, c in windows) == 0.5625 * 1024**2


@settings(max_examples=30, deadline=None)
@given(
    samples=st.sampled_from([1, 3, 127, 128, 129, 300]),
    channels=st.integers(1, 3),
    length=st.sampled_from([1, 7, 600, 1100]),
    outputs=st.sampled_from(OutputLayout),
    seed=st.integers(0, 2**31),
)
def test_half_of_the_products_mirrored_is_all_of_them(samples, channels, length, outputs, seed):
    values = torch.randn(samples, channels, length, generator=seeded(seed), dtype=torch.float64).transpose(
        0, 1
    )
    rows = samples * channels if outputs is OutputLayout.BLOCKS else samples
    shape = (channels, samples, samples) if outputs is OutputLayout.PER_OUTPUT else (rows, rows)
    half, full = torch.zeros(shape, dtype=torch.float64), torch.zeros(shape, dtype=torch.float64)
    add_lower_inner_products(half, values, outputs)
    add_inner_products(full, values, values, outputs)
    exact = {
        OutputLayout.SUM: lambda: torch.einsum("cnp,cmp->nm", values, values),
        OutputLayout.PER_OUTPUT: lambda: torch.einsum("cnp,cmp->cnm", values, values),
        OutputLayout.BLOCKS: lambda: torch.einsum("cnp,dmp->ncmd", values, values).reshape(shape),
    }[outputs]()
    # Sums of up to 3300 products of magnitude near 1 in double precision: 3300 eps = 7e-13 of the largest at worst.
    for found in (mirror_lower(half), full):
        assert float((found - exact).abs().max()) <= 1e-12 * float(exact.abs().max())
