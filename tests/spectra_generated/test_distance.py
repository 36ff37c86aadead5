from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError
from overtone.spectra.generated import Resize, by_size, by_step, distance, profiles
from tests.spectra_generated.fields import coloured, nearest, white, zeros_between

few = settings(max_examples=5, deadline=None)
EDGES = [0, 0.5, 2.5, 4.5, 6.5, 8]


def natural(f):
    return 1 / np.maximum(f, 1) ** 2


def tilted(f):
    """Other than `natural` by -2, 0, 1 and 3 dB in four bands and 3 dB in the corner."""
    steps = np.select([f < 0.5, f < 2.5, f < 4.5, f < 6.5], [0.0, -2.0, 0.0, 1.0], 3.0)
    return natural(f) * 10 ** (steps / 10)


WANTED = np.array([-2.0, 0.0, 1.0, 3.0, 3.0])


def described(pictures):
    return profiles(pictures, periodic=True, bands=EDGES)


def test_decibels_are_those_of_loops():
    ours, theirs = described(white(6, 16)), described(white(5, 16, seed=1))
    found = distance(ours, theirs, draws=20)
    for band in range(ours.bands.count):
        ratio = (
            sum(float(p[band, 0]) for p in ours.power)
            / 6
            / (sum(float(p[band, 0]) for p in theirs.power) / 5)
        )
        assert float(found.decibels[band, 0]) == pytest.approx(10 * np.log10(ratio), abs=1e-9)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """50 experiments with 60 pictures of a kind: 0.95 less 4 standard errors of 0.03."""
    inside, whole = [], []
    for trial in range(50):
        ours = described(coloured(60, 16, tilted, seed=2 * trial))
        theirs = described(coloured(60, 16, natural, seed=2 * trial + 1))
        found = distance(ours, theirs, draws=50, seed=trial)
        inside.append(((found.low[1:, 0].numpy() <= WANTED) & (found.high[1:, 0].numpy() >= WANTED)).mean())
        whole.append(found.total_low <= np.sqrt(np.mean(WANTED**2)) <= found.total_high)
    assert 0.83 < np.mean(inside) < 0.99
    assert 0.83 < np.mean(whole) <= 1


def test_total_is_unbiased_and_chance_covers_equal_sets():
    """Of sets of one kind the share above `chance` is 1 - level; the plain root mean square is far from 0."""
    above, plain, totals = [], [], []
    for trial in range(40):
        ours, theirs = (described(coloured(30, 16, natural, seed=2 * trial + i + 1000)) for i in (0, 1))
        found = distance(ours, theirs, draws=50, seed=trial)
        above.append(found.total > found.chance)
        totals.append(found.total)
        plain.append(float(found.decibels[1:].square().mean().sqrt()))
    assert np.mean(above) < 0.2
    assert np.median(totals) < 0.7 * np.median(plain)
    far = distance(described(coloured(30, 16, tilted)), described(coloured(30, 16, natural, seed=1)))
    assert far.total > 2 * far.chance, "the control: what differs is above chance"


@few
@given(st.floats(0.01, 100), st.integers(0, 9))
def test_a_factor_is_its_decibels_in_every_band(factor, seed):
    pictures = white(8, 12, seed)
    found = distance(profiles(factor * pictures), profiles(pictures), draws=40)
    wanted = torch.full_like(found.decibels, 20 * np.log10(factor))
    torch.testing.assert_close(found.decibels, wanted, rtol=0, atol=1e-9)
    back = distance(profiles(pictures), profiles(factor * pictures), draws=40)
    torch.testing.assert_close(back.decibels, -found.decibels, rtol=0, atol=1e-9)


def test_seeds_decide_and_nothing_else():
    ours, theirs = profiles(white(8, 12)), profiles(white(8, 12, seed=1))
    state = torch.random.get_rng_state()
    one, same, other = (distance(ours, theirs, draws=40, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.low, same.low)
    assert not torch.equal(one.low, other.low)
    assert one.total == same.total
    assert torch.equal(state, torch.random.get_rng_state())


def smooth(count, seed):
    return coloured(count, 32, lambda f: np.exp(-((f / 4) ** 2)), seed)


@pytest.mark.parametrize("upsample", [nearest, zeros_between], ids=lambda f: f.__name__)
def test_upsampling_leaves_copies_at_known_frequencies(upsample):
    """Data below 8 cycles, upsampled from 16 pixels: copies lie around 16 cycles along an axis, nothing between."""
    data = smooth(40, seed=1)
    small = smooth(40, seed=2)[:, ::2, ::2]
    made = upsample(small)
    for periodic in (True, False):
        found = distance(profiles(made, periodic=periodic), profiles(data, periodic=periodic))
        copies = torch.from_numpy((found.bands.low >= 13) & (found.bands.high <= 16.5))
        assert bool(found.excess[copies].all())
        assert float(found.decibels[copies].min()) > 10
        if upsample is nearest:
            beneath = torch.from_numpy(found.bands.high < 3)
            assert float(found.decibels[beneath].abs().max()) < 3
    honest = distance(profiles(smooth(40, seed=3)), profiles(data))
    assert float(honest.excess.double().mean()) < 0.2, "the control: other samples of the data's kind"
    assert honest.total < 0.05 * found.total


@pytest.mark.parametrize(("kernel", "even"), [(3, False), (4, True)])
def test_a_transposed_convolution_marks_the_pixel_pair(kernel, even):
    """A kernel that 2 does not divide overlaps unevenly: a checkerboard at 0.5 cycles per pixel (Odena et al. 2016)."""
    layer = nn.ConvTranspose2d(1, 1, kernel, 2, 1, output_padding=0 if even else 1, bias=False).double()
    nn.init.constant_(layer.weight, 1 / 4)
    flat = 5 + 0.5 * smooth(40, seed=2)[:, ::2, ::2]
    with torch.no_grad():
        made = layer(flat[:, None])[:, 0, 2:-2, 2:-2]
    data = 5 + 0.5 * smooth(40, seed=1)[:, 2:-2, 2:-2]
    side = made.shape[1]
    bands = [0, 0.5, 3, side / 2 - 0.75, side / 2]
    found = distance(profiles(made, periodic=True, bands=bands), profiles(data, periodic=True, bands=bands))
    density = profiles(made, periodic=True, bands=bands).density[:, 0]
    peak = float(density[-2] / density[-3])
    assert bool(found.excess[3, 0])
    assert (peak > 100) == (not even), "overlaps are equal where 2 divides the kernel"


def test_sampling_from_coarse_to_fine_comes_nearer_step_by_step():
    data = coloured(40, 16, natural, seed=1)
    cuts = {
        step: coloured(40, 16, lambda f, s=step: natural(f) * (f <= 2 * s) + 1e-9, seed=2)
        for step in (1, 2, 4, 6)
    }
    found = by_step(cuts, data, periodic=True, draws=40)
    assert found.at == (1, 2, 4, 6)
    total = found.total
    assert (total[1:, 2] < total[:-1, 1]).all(), "intervals apart"
    assert found.distances[-1].total < found.distances[-1].chance
    stream = by_step(((s, p) for s, p in cuts.items()), data, periodic=True, draws=40)
    assert torch.equal(stream.total, total)


def test_what_is_wrong_at_the_finest_scale_is_right_at_a_coarse_one():
    data, made = smooth(40, seed=1), nearest(smooth(40, seed=2)[:, ::2, ::2])
    for rule in (Resize.bicubic, Resize.area):
        found = by_size(made, data, [(32, 32), (16, 16), (8, 8)], rule, draws=40)
        assert found.at == (32, 16, 8)
        assert float(found.total[2, 0]) < 0.3 * float(found.total[0, 0])
    mixed = by_size(made, data[:, ::2, ::2], [(8, 8)], draws=40)
    assert mixed.at == (8,)


def test_nothing_in_a_band_is_no_infinity():
    tone = torch.cos(2 * torch.pi * torch.arange(16, dtype=torch.float64) / 16).expand(3, 16, 16)
    found = distance(profiles(tone, periodic=True), profiles(white(3, 16), periodic=True), draws=20)
    assert bool(found.decibels.isfinite().all())
    assert float(found.decibels.min()) < -250


OURS = profiles(white(4, 12))
REFUSED = {
    "rule": (
        profiles(white(4, 12), periodic=True),
        {},
        "samples: expected samples under the data's rule .as they are",
    ),
    "size": (
        profiles(white(4, 10)),
        {},
        "samples: expected profiles of .* equal bands .*; bring both to one size",
    ),
    "channels": (profiles(white(4, 12, channels=3)), {}, "and 1 channels, got .* and 3 channels"),
    "one picture": (
        profiles(white(1, 12)),
        {},
        "samples: expected at least 2 pictures, preferably hundreds, got 1",
    ),
    "draws": (OURS, {"draws": 2}, "at least 20 draws and a level in .0, 1., got 2 and 0.95"),
    "level": (OURS, {"level": 1.5}, "got 500 and 1.5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_gets_one_sentence(name):
    samples, arguments, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence):
        distance(samples, OURS, **arguments)


def test_nothing_to_go_through():
    with pytest.raises(InputError, match="steps: expected at least one step, got none"):
        by_step({}, white(4, 12))
    with pytest.raises(InputError, match="sizes: expected at least one size, got none"):
        by_size(white(4, 12), white(4, 12), [])
    with pytest.raises(InputError, match="bands: expected at least 2 bands"):
        one = profiles(white(4, 12), bands=[0, 100])
        distance(one, one)
