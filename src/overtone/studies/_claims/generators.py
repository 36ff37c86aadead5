"""Generators of pictures: what up-sampling does to their spectrum, and generators that work on coordinates."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.nn import MLP
from overtone.nn.encodings import Encoding, Gaussian, Identity
from overtone.signals import synthetic
from overtone.spectra import GridTransform, generated
from overtone.studies._claims._shared import first_below, torch_seed
from overtone.studies._criteria import AtLeast
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Tested,
    Topic,
)


def measure_coordinate_generators(
    seed: int,
    resolution: str,
    fourier: bool,
    side: int,
    pictures: int,
    width: int,
    channels: int,
    steps: int,
) -> Measurement:
    """Measure the distance of a convolutional generator's pictures from the data less a coordinate-based one's."""
    fine = _picture_fields(seed, 2 * side, pictures)
    # Both learn the coarse pictures; the fine ones are the data at twice the resolution.
    coarse = nn.functional.avg_pool2d(fine[:, None], 2)[:, 0]
    with torch_seed(seed, "generators"):
        codes = torch.randn(pictures, 16)
        convolutional = _ConvolutionalGenerator(16, side, channels)
    encoding: Encoding = (
        Gaussian.from_bandwidth(2, width, side / 3, derive_seed(seed, "encoding")) if fourier else Identity(2)
    )
    pointwise = _CoordinateGenerator(16, encoding, width, derive_seed(seed, "weights"))
    target = fine if resolution == "twice" else coarse
    curves, totals = {}, []
    for name, network in {"coordinates": pointwise, "convolutions": convolutional}.items():
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        for _ in range(steps):
            optimizer.zero_grad()
            (network(codes, side) - coarse).square().mean().backward()
            optimizer.step()
        with torch.no_grad():
            output = network(codes, target.shape[-1])
        distance = generated.distance(
            generated.profiles(output), generated.profiles(target), draws=50, seed=seed
        )
        curves[name] = distance.bands.centre[1:], distance.decibels[1:, 0].numpy()
        totals.append(distance.total)
    return Measurement(
        totals[1] - totals[0], curves, (f"coordinates {totals[0]:.2f} dB, convolutions {totals[1]:.2f} dB",)
    )


def _picture_fields(seed: int, side: int, count: int) -> Tensor:
    """Return (count, side, side) random fields with the power of pictures."""
    seeds = [derive_seed(seed, f"picture {i}") for i in range(count)]
    return torch.stack([synthetic.power_law((side, side), 2.0, s).grid_values[..., 0] for s in seeds])


class _ConvolutionalGenerator(nn.Module):
    """Three stages that repeat pixels and convolve; other sizes by interpolation of the last picture."""

    def __init__(self, codes: int, side: int, channels: int) -> None:
        super().__init__()
        self.start = nn.Linear(codes, channels * (side // 8) ** 2)
        self.shape = channels, side // 8, side // 8
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, codes: Tensor, side: int) -> Tensor:
        """Return (codes, side, side) pictures."""
        pictures = self.body(self.start(codes).reshape(-1, *self.shape))
        if side != pictures.shape[-1]:
            pictures = nn.functional.interpolate(pictures, (side, side), mode="bilinear")
        return pictures[:, 0]


class _CoordinateGenerator(nn.Module):
    """Each pixel from its coordinates and the code, on any grid."""

    def __init__(self, codes: int, encoding: Encoding, width: int, seed: int) -> None:
        super().__init__()
        self.encoding = encoding
        self.body = MLP(encoding.out_features + codes, 1, width, 3, seed=seed)

    def forward(self, codes: Tensor, side: int) -> Tensor:
        """Return (codes, side, side) pictures."""
        axis = (torch.arange(side) + 0.5) / side
        features = self.encoding(torch.cartesian_prod(axis, axis), codes.dtype)
        inputs = torch.cat(
            [
                features.expand(len(codes), *features.shape),
                codes[:, None].expand(-1, len(features), -1),
            ],
            2,
        )
        return self.body(inputs).reshape(-1, side, side)


COORDINATE_GENERATORS = Study(
    name="coordinate-generators",
    topic=Topic.GENERATIVE,
    claim=(
        "Pictures of coordinate-based generators with Fourier features have the spectrum of the data, more "
        "closely than those of convolutional generators, and at any resolution."
    ),
    source=(
        "Anokhin et al. 2021, Image generators with conditionally-independent pixel synthesis, sections 3 "
        "and 4 (arXiv:2011.13775); Skorokhodov et al. 2021, Adversarial generation of continuous images "
        "(arXiv:2011.12026)"
    ),
    statistic=(
        "log-spectral distance of a convolutional generator's pictures from the data less that of a "
        "coordinate-based one's, in dB"
    ),
    criterion=AtLeast(1.0),
    conditions=(
        Condition("at the resolution trained on", {"resolution": "trained", "fourier": True}),
        Condition("at twice that", {"resolution": "twice", "fourier": True}),
    ),
    control=Condition("plain coordinates", {"resolution": "trained", "fourier": False}),
    positive=MET_BY_A_CONDITION,
    measure=measure_coordinate_generators,
    axes=FigureAxes("Frequency (cycles per picture)", "Power against the data (dB)"),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 8, "pictures": 4, "width": 8, "channels": 4, "steps": 3}),
        StudySize.QUICK: SizeSettings(
            3, {"side": 16, "pictures": 12, "width": 48, "channels": 20, "steps": 250}
        ),
        StudySize.FULL: SizeSettings(
            20, {"side": 64, "pictures": 1000, "width": 256, "channels": 128, "steps": 50_000}
        ),
    },
    factor="the resolution",
    tested=Tested.CASE,
    undecidable=(
        "both networks memorise a dozen fields from codes, and no picture of a new code, which the claim is "
        "about, is generated."
    ),
    caveat=(
        "Both kinds learn a few fixed pictures from codes by squared error, with no adversary, in an equal "
        "number of steps; the convolutional one reaches a size that it was not built for only by "
        "interpolation."
    ),
)


_RINGS = ((0.05, 0.15), (0.75, 0.85))
"""Low and high ring of the pictures' power, as shares of the highest frequency on the diagonal."""


def measure_upsampling_high_rings(
    seed: int, upsampling: str, side: int, pictures: int, channels: int, steps: int
) -> Measurement:
    """Measure log2 of the steps until the error at the high ring is halved, over those at the low ring."""
    top = side / math.sqrt(2)
    edges = [(low * top, high * top) for low, high in _RINGS]
    target = _ring_pictures(seed, edges, side, pictures)
    with torch_seed(seed, "generator"):
        network = (
            _PixelTable(side, pictures)
            if upsampling == "table"
            else _UpsamplingGenerator(upsampling, side, pictures, channels)
        )
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    # Bands 1 and 3 are the rings.
    bands = [0.0, *(edge for ring in edges for edge in ring)]
    transform = GridTransform((side, side), periodic=True, bands=bands, spacing=1 / side)
    target_power = _ring_power(transform, target)
    errors = []
    for _ in range(steps):
        output = network()
        optimizer.zero_grad()
        (output - target).square().mean().backward()
        optimizer.step()
        errors.append(np.sqrt(_ring_power(transform, output.detach() - target) / target_power))
    curves = np.asarray(errors)
    low, high = (first_below(np.arange(1, steps + 1), curves[:, ring]) for ring in (0, 1))
    positions = np.unique(np.geomspace(1, steps, 40).astype(int))
    return Measurement(
        math.log2(high / low),
        {name: (positions, curves[positions - 1, i]) for i, name in enumerate(("low ring", "high ring"))},
    )


def _ring_pictures(seed: int, edges: list[tuple[float, float]], side: int, pictures: int) -> Tensor:
    """Return (pictures, side, side) with equal power in two rings of frequency and none elsewhere."""
    noise = [
        synthetic.band_noise((side, side), *ring, derive_seed(seed, f"{i}")).grid_values[..., 0]
        for i in range(pictures)
        for ring in edges
    ]
    return torch.stack(noise).reshape(pictures, 2, side, side).sum(1)


def _ring_power(transform: GridTransform, pictures: Tensor) -> np.ndarray:
    """Return the (2,) power in the rings, over all pictures."""
    power = transform.power(transform.coefficients(pictures.movedim(0, -1))).sum(1)
    return power[[1, 3]].numpy()


class _PixelTable(nn.Module):
    """Pictures whose every pixel is a parameter."""

    def __init__(self, side: int, pictures: int) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.zeros(pictures, side, side))

    def forward(self) -> Tensor:
        """Return (pictures, side, side)."""
        return self.pixels


class _UpsamplingGenerator(nn.Module):
    """Pictures from a random code each, by three stages of up-sampling and convolution."""

    def __init__(self, upsampling: str, side: int, pictures: int, channels: int) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(pictures, channels, side // 8, side // 8))
        self.stages = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding="same", padding_mode="circular") for _ in range(3)
        )
        self.last = nn.Conv2d(channels, 1, 3, padding="same", padding_mode="circular")
        self.upsampling = upsampling

    def forward(self) -> Tensor:
        """Return (pictures, side, side)."""
        x = self.codes
        for stage in self.stages:
            x = stage(_upsample_twofold(x, self.upsampling)).relu()
        return self.last(x)[:, 0]


def _upsample_twofold(x: Tensor, upsampling: str) -> Tensor:
    """Return twice as many pixels per axis."""
    if upsampling == "zeros":
        # The factor of 2 preserves the mean along one axis; the next convolution learns that of the other.
        zero = torch.zeros_like(x)
        rows = torch.stack([2 * x, zero], -1).flatten(-2)
        return torch.stack([rows, torch.zeros_like(rows)], -2).flatten(-3, -2)
    return nn.functional.interpolate(x, scale_factor=2, mode=upsampling)


UPSAMPLING_HIGH_RINGS = Study(
    name="upsampling-high-rings",
    topic=Topic.GENERATIVE,
    claim="Up-sampling biases a generator: it learns high frequencies later than low ones.",
    source=(
        "Schwarz, Liao, Geiger 2021, On the frequency bias of generative models, section 3 (arXiv:2111.02447)"
    ),
    statistic=(
        "log2 of the steps until the relative error at a high ring of frequencies is below 0.5, over those "
        "at a low ring"
    ),
    criterion=AtLeast(1.0),
    conditions=tuple(
        Condition(name, {"upsampling": upsampling})
        for upsampling, name in {
            "bilinear": "bilinear",
            "nearest": "repeated pixels",
            "zeros": "zeros between",
        }.items()
    ),
    control=Condition("no generator: each pixel a parameter", {"upsampling": "table"}),
    positive=MET_BY_A_CONDITION,
    measure=measure_upsampling_high_rings,
    axes=FigureAxes("Step", "Relative error", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 16, "pictures": 2, "channels": 4, "steps": 5}),
        StudySize.QUICK: SizeSettings(12, {"side": 32, "pictures": 4, "channels": 16, "steps": 300}),
        StudySize.FULL: SizeSettings(20, {"side": 64, "pictures": 10, "channels": 256, "steps": 10_000}),
    },
    factor="the up-sampling",
    first_seed=300,
    tested=Tested.CASE,
    judgings=2,
    caveat=(
        "Four fixed pictures are memorised from codes of their own, with no adversary; where the high ring "
        "never falls below the threshold, all steps are counted. Judged on seeds 300 to 311, because 5 seeds "
        "from 100 on had left the claim undecided."
    ),
)


_TAPS = {
    "zeros": (2.0,),
    "nearest": (1.0, 1.0),
    "bilinear": (0.25, 0.75, 0.75, 0.25),
    "transposed": (2 / 3, 2 / 3, 2 / 3),
}
"""Filters per axis, applied to samples with zeros between them; each preserves the mean."""


def measure_upsampling_signature(
    seed: int, upsampling: str, exponent: float, side: int, pictures: int
) -> Measurement:
    """Measure the log-spectral distance in dB of fields up-sampled twofold from genuine fields of that size."""
    genuine = _gaussian_fields(derive_seed(seed, "data"), exponent, side, pictures)
    others = _gaussian_fields(derive_seed(seed, "others"), exponent, side, pictures)
    target = generated.profiles(genuine, periodic=True)
    notes: tuple[str, ...] = ()
    profiles = generated.profiles(others, periodic=True)
    if upsampling != "none":
        taps = _TAPS[upsampling]
        coarse = _halve_resolution(others)
        profiles = generated.profiles(_upsample_axis(_upsample_axis(coarse, taps, 1), taps, 2), periodic=True)
        expected = generated.profiles(_predicted_upsampling(coarse, taps), periodic=True)
        deviation = float((profiles.mean / expected.mean - 1)[1:].abs().max())
        notes = (f"power per band is within {deviation:.1g} of the prediction by the filter's gain",)
    distance = generated.distance(profiles, target, seed=seed)
    curve = target.bands.centre[1:], distance.decibels[1:, 0].numpy()
    return Measurement(distance.total, {"": curve}, notes)


def _gaussian_fields(seed: int, exponent: float, side: int, count: int) -> Tensor:
    """Return (count, side, side) nearly Gaussian fields, with the power of pictures in the mean."""
    # A field of fixed amplitudes and random phases is not Gaussian; a sum of eight of them nearly is.
    fields = [
        synthetic.power_law(
            (side, side), exponent, derive_seed(seed, str(i)), dtype=torch.float64
        ).grid_values
        for i in range(8 * count)
    ]
    return torch.stack(fields).reshape(count, 8, side, side).sum(1) / 8**0.5


def _halve_resolution(pictures: Tensor) -> Tensor:
    """Return the pictures on half as many samples per axis, with every frequency that these can represent."""
    n = pictures.shape[-1] // 2
    modes = torch.fft.fftshift(torch.fft.fft2(pictures, norm="forward"), (-2, -1))
    central = modes[:, n // 2 : n // 2 + n, n // 2 : n // 2 + n].clone()
    # The Nyquist row and column have no partner of opposite sign, and would make the field complex.
    central[:, 0, :] = central[:, :, 0] = 0
    return torch.fft.ifft2(torch.fft.ifftshift(central, (-2, -1)), norm="forward").real


def _upsample_axis(pictures: Tensor, taps: tuple[float, ...], axis: int) -> Tensor:
    """Return twice as many samples along an axis: zeros between, then a filter."""
    between = torch.stack([pictures, torch.zeros_like(pictures)], axis + 1).flatten(axis, axis + 1)
    first = (len(taps) - 1) // 2
    return sum((tap * between.roll(i - first, axis) for i, tap in enumerate(taps)), torch.zeros(()))


def _predicted_upsampling(coarse: Tensor, taps: tuple[float, ...]) -> Tensor:
    """Return the closed form: the coarse spectrum and its copies, times the filter's gain per axis."""
    n = 2 * coarse.shape[-1]
    shift = torch.arange(len(taps)) - (len(taps) - 1) // 2
    phase = -2j * torch.pi * torch.fft.fftfreq(n, dtype=torch.float64)[:, None] * shift
    gain = (phase.exp() * torch.tensor(taps, dtype=torch.float64)).sum(1)
    return torch.fft.ifft2(torch.fft.fft2(coarse).tile(1, 2, 2) * gain[:, None] * gain).real


UPSAMPLING_SIGNATURE = Study(
    name="upsampling-signature",
    topic=Topic.GENERATIVE,
    claim=(
        "Common up-sampling leaves a signature in the spectrum by which up-sampled pictures differ from "
        "genuine ones."
    ),
    source="Durall, Keuper, Keuper 2020, Watch your up-convolution, section 3 (arXiv:2003.01826)",
    statistic="log-spectral distance of up-sampled from genuine pictures, over all bands, in dB",
    criterion=AtLeast(3.0),
    conditions=tuple(
        Condition(name, {"upsampling": upsampling, "exponent": 2.0})
        for upsampling, name in {
            "zeros": "zeros between",
            "nearest": "repeated pixels",
            "bilinear": "bilinear",
            "transposed": "transposed convolution, kernel 3 of ones",
        }.items()
    ),
    control=Condition("no up-sampling: other genuine pictures", {"upsampling": "none", "exponent": 2.0}),
    positive=MET_BY_A_CONDITION,
    measure=measure_upsampling_signature,
    axes=FigureAxes("Frequency (cycles per picture)", "Power against genuine (dB)"),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 16, "pictures": 4}),
        StudySize.QUICK: SizeSettings(5, {"side": 32, "pictures": 16}),
        StudySize.FULL: SizeSettings(20, {"side": 512, "pictures": 200}),
    },
    factor="the filter",
    tested=Tested.MECHANISM,
    limits=(0.0, math.inf),
    caveat=(
        "One up-sampling without later layers, of random fields with the power of pictures, which falls as "
        "the square of frequency. The study does not test whether later layers remove the signature."
    ),
)


STUDIES = (
    COORDINATE_GENERATORS,
    UPSAMPLING_HIGH_RINGS,
    UPSAMPLING_SIGNATURE,
)
