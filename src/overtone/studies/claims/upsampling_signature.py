"""Up-sampling by any common filter leaves a spectral signature."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed
from overtone.signals import synthetic
from overtone.spectra import generated as samples
from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study

TAPS = {
    "zeros": (2.0,),
    "nearest": (1.0, 1.0),
    "bilinear": (0.25, 0.75, 0.75, 0.25),
    "transposed": (2 / 3, 2 / 3, 2 / 3),
}
"""What each sample becomes along an axis of twice as many; the mean is kept."""


def measure(seed: int, how: str, exponent: float, side: int, pictures: int) -> Measured:
    """Log-spectral distance in dB of fields that were up-sampled twofold from genuine ones of that size."""
    genuine = fields(derive_seed(seed, "data"), exponent, side, pictures)
    others = fields(derive_seed(seed, "others"), exponent, side, pictures)
    wanted = samples.profiles(genuine, periodic=True)
    notes: tuple[str, ...] = ()
    made = samples.profiles(others, periodic=True)
    if how != "none":
        coarse = halved(others)
        made = samples.profiles(up(up(coarse, TAPS[how], 1), TAPS[how], 2), periodic=True)
        expected = samples.profiles(foretold(coarse, TAPS[how]), periodic=True)
        apart = float((made.mean / expected.mean - 1)[1:].abs().max())
        notes = (f"power per band is within {apart:.1g} of what the filter's gain foretells",)
    found = samples.distance(made, wanted, seed=seed)
    curve = wanted.bands.centre[1:], found.decibels[1:, 0].numpy()
    return Measured(found.total, {"": curve}, notes)


def fields(seed: int, exponent: float, side: int, count: int) -> Tensor:
    """(count, side, side) nearly Gaussian fields, sums of random waves, with the power of pictures in the mean."""
    drawn = [
        synthetic.power_law(
            (side, side), exponent, derive_seed(seed, str(i)), dtype=torch.float64
        ).grid_values
        for i in range(8 * count)
    ]
    return torch.stack(drawn).reshape(count, 8, side, side).sum(1) / 8**0.5


def halved(pictures: Tensor) -> Tensor:
    """The same on half as many samples per axis, all that they can hold."""
    n = pictures.shape[-1] // 2
    modes = torch.fft.fftshift(torch.fft.fft2(pictures, norm="forward"), (-2, -1))
    kept = modes[:, n // 2 : n // 2 + n, n // 2 : n // 2 + n].clone()
    kept[:, 0, :] = kept[:, :, 0] = 0
    return torch.fft.ifft2(torch.fft.ifftshift(kept, (-2, -1)), norm="forward").real


def up(pictures: Tensor, taps: tuple[float, ...], axis: int) -> Tensor:
    """Twice as many samples along an axis: zeros between, then a filter."""
    between = torch.stack([pictures, torch.zeros_like(pictures)], axis + 1).flatten(axis, axis + 1)
    first = (len(taps) - 1) // 2
    return sum((tap * between.roll(i - first, axis) for i, tap in enumerate(taps)), torch.zeros(()))


def foretold(coarse: Tensor, taps: tuple[float, ...]) -> Tensor:
    """What the closed form gives: the coarse spectrum and its copies, times the filter's gain per axis."""
    n = 2 * coarse.shape[-1]
    shift = torch.arange(len(taps)) - (len(taps) - 1) // 2
    phase = -2j * torch.pi * torch.fft.fftfreq(n, dtype=torch.float64)[:, None] * shift
    gain = (phase.exp() * torch.tensor(taps, dtype=torch.float64)).sum(1)
    return torch.fft.ifft2(torch.fft.fft2(coarse).tile(1, 2, 2) * gain[:, None] * gain).real


STUDY = Study(
    name="upsampling-signature",
    family=Family.GENERATIVE,
    claim="Common up-sampling leaves a signature in the spectrum by which generated pictures differ from real ones.",
    source="Durall, Keuper, Keuper 2020, Watch your up-convolution, section 3 (arXiv:2003.01826)",
    statistic="log-spectral distance of up-sampled from genuine pictures, over all bands, in dB",
    criterion=AtLeast(3.0),
    conditions=tuple(
        Condition(name, {"how": how, "exponent": 2.0})
        for how, name in {
            "zeros": "zeros between",
            "nearest": "repeated pixels",
            "bilinear": "bilinear",
            "transposed": "transposed convolution, kernel 3 of ones",
        }.items()
    ),
    control=Condition("no up-sampling: other genuine pictures", {"how": "none", "exponent": 2.0}),
    measure=measure,
    axes=Axes("Frequency (cycles per picture)", "Power against genuine (dB)"),
    efforts={
        Size.SMOKE: Effort(1, {"side": 16, "pictures": 4}),
        Size.QUICK: Effort(5, {"side": 32, "pictures": 16}),
        Size.FULL: Effort(20, {"side": 512, "pictures": 200}),
    },
    depends="the filter",
    caveat="One up-sampling with nothing after it, of random fields with the power of pictures, which falls as the "
    "square of frequency. Whether later layers remove the signature is another study.",
)
