"""Noise: which of it networks learn, when, and what an early stop saves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

import overtone as ot
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.fitting._prepare import hold_out
from overtone.nn import MLP
from overtone.signals import Normalisation, Signal, synthetic
from overtone.studies._claims._shared import torch_seed, wide_network
from overtone.studies._criteria import AtLeast
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    Numbers,
    SizeSettings,
    Study,
    StudySize,
    Topic,
)
from overtone.theory import ntk, risk


def measure_capacity_noise(
    seed: int, encoding: str, trained_noise: bool, widths: list[int], samples: int, steps: int, depth: int
) -> Measurement:
    """Measure the share of the training noise that the widest network has fitted, less that of the narrowest."""
    clean = synthetic.harmonics([1, 2, 3], [1.0, 0.5, 0.3], samples=samples, seed=seed)
    noisy = synthetic.add_noise(clean, 0.5, seed=derive_seed(seed, "noise"))
    # The control looks for other noise of equal strength, which no network can have learned.
    compared = (
        noisy if trained_noise else synthetic.add_noise(clean, 0.5, seed=derive_seed(seed, "other noise"))
    )
    noise = (compared.values - clean.values)[:, 0]
    shares, errors = [], []
    for width in widths:
        run = ot.fit(
            noisy,
            encoding=encoding,
            bandwidth=None if encoding == "none" else 32.0,
            width=width,
            depth=depth,
            features=32,
            lr=3e-3,
            steps=steps,
            held_out=0,
            seed=seed,
        )
        error = (run.predict() - clean.values)[:, 0]
        # The projection of the error on the noise: 0 where none of it is fitted, 1 where all of it is.
        shares.append(float(torch.dot(error, noise) / torch.dot(noise, noise)))
        errors.append(float(error.square().mean()))
    return Measurement(
        shares[-1] - shares[0], {"share of the noise": (widths, shares), "error": (widths, errors)}
    )


CAPACITY_NOISE = Study(
    name="capacity-noise",
    topic=Topic.NOISE,
    claim="Capacity beyond the needs of the signal fits noise.",
    source=(
        "Zhang et al. 2017, Understanding deep learning requires rethinking generalization, section 2 "
        "(arXiv:1611.03530)"
    ),
    statistic="share of the training noise in the widest network's predictions less that in the narrowest's",
    criterion=AtLeast(0.2),
    conditions=(
        Condition("Fourier features", {"encoding": "gaussian", "trained_noise": True}),
        Condition("plain coordinates", {"encoding": "none", "trained_noise": True}),
    ),
    control=Condition("noise that was not trained on", {"encoding": "gaussian", "trained_noise": False}),
    positive=MET_BY_A_CONDITION,
    measure=measure_capacity_noise,
    axes=FigureAxes("Width", "Fitted share of the noise, and error on the clean signal", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"widths": [4, 8], "samples": 64, "steps": 5, "depth": 2}),
        StudySize.QUICK: SizeSettings(3, {"widths": [4, 16, 64], "samples": 256, "steps": 500, "depth": 2}),
        StudySize.FULL: SizeSettings(
            20, {"widths": [4, 8, 16, 32, 64, 128, 256], "samples": 1024, "steps": 9000, "depth": 3}
        ),
    },
    factor="whether the encoding has the frequencies of the noise",
    caveat=(
        "The study varies the width, at an equal number of steps; with many more steps narrow networks fit "
        "more noise as well."
    ),
)


def measure_convolutional_denoising(
    seed: int, upsampling: str, kernel: int, side: int, channels: int, steps: int
) -> Measurement:
    """Measure the PSNR of the best step in hindsight less that of the noisy picture, in dB."""
    picture = synthetic.add_noise(
        synthetic.power_law((side, side), 3.0, derive_seed(seed, "picture")),
        0.5,
        seed=derive_seed(seed, "noise"),
    )
    assert picture.clean is not None
    clean, noisy = (v.reshape(1, 1, side, side) for v in (picture.clean, picture.values))
    with torch_seed(seed, "generator"):
        network, code = _deep_prior(upsampling, kernel, side, channels)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    gains = []
    for _ in range(steps):
        output = network(code)
        error = float((output.detach() - clean).square().mean() / (noisy - clean).square().mean())
        gains.append(-10 * math.log10(error))
        optimizer.zero_grad()
        (output - noisy).square().mean().backward()
        optimizer.step()
    positions = np.unique(np.geomspace(1, steps, 40).astype(int))
    return Measurement(max(gains), {"": (positions, np.asarray(gains)[positions - 1])})


def _deep_prior(upsampling: str, kernel: int, side: int, channels: int) -> tuple[nn.Module, Tensor]:
    """Return a network of three stages of convolution and upsampling, and its fixed random input."""
    layers: list[nn.Module] = []
    for _ in range(3):
        layers.append(nn.Conv2d(channels, channels, kernel, padding="same"))
        if upsampling != "none":
            layers.append(nn.Upsample(scale_factor=2, mode=upsampling))
        layers += [nn.ReLU(), nn.BatchNorm2d(channels)]
    # Three doublings lead from the code to the picture; without them the code has every pixel.
    start = side if upsampling == "none" else side // 8
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 1)), torch.randn(1, channels, start, start)


CONVOLUTIONAL_DENOISING = Study(
    name="convolutional-denoising",
    topic=Topic.NOISE,
    claim="Convolutional generators denoise pictures if they are stopped at the best step.",
    source=(
        "Heckel, Soltanolkotabi 2020, Denoising and regularization via exploiting the structural bias of "
        "convolutional generators, sections 2 and 3 (arXiv:1910.14634)"
    ),
    statistic="PSNR of the best step in hindsight less that of the noisy picture, in dB",
    criterion=AtLeast(3.0),
    conditions=(
        Condition("bilinear upsampling, 1 x 1 convolutions", {"upsampling": "bilinear", "kernel": 1}),
        Condition("nearest upsampling, 3 x 3 convolutions", {"upsampling": "nearest", "kernel": 3}),
    ),
    control=Condition("no upsampling: each pixel its own random code", {"upsampling": "none", "kernel": 1}),
    positive=MET_BY_A_CONDITION,
    measure=measure_convolutional_denoising,
    axes=FigureAxes("Step", "PSNR less that of the noisy picture (dB)", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 16, "channels": 4, "steps": 5}),
        StudySize.QUICK: SizeSettings(3, {"side": 32, "channels": 64, "steps": 300}),
        StudySize.FULL: SizeSettings(20, {"side": 512, "channels": 256, "steps": 10_000}),
    },
    factor="the upsampling",
    caveat=(
        "The pictures are random fields with the spectrum of soft pictures. The stop is the best in "
        "hindsight; the study does not test where to stop without the clean picture, nor the source's "
        "reason, that pictures are fitted before noise."
    ),
)


_NOISE_FREQUENCIES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Frequencies of the label noise, in cycles per unit of the distance from the origin."""

_DIMENSION = 10


def measure_label_noise_frequency(
    seed: int, centred: bool, shuffled: bool, samples: int, steps: int, width: int
) -> Measurement:
    """Measure log10 of the smallest clean validation error under noise of the lowest over the highest frequency."""
    draw = numpy_generator(seed, "samples")
    # Distances between samples spread as widely as between the source's digits.
    x = draw.standard_normal((2 * samples, _DIMENSION)) * 2.1
    clean = np.tanh(x @ draw.standard_normal(_DIMENSION) / 3)
    distance = np.linalg.norm(x, axis=1)
    smallest = []
    for k in _NOISE_FREQUENCIES:
        noise = np.sin(2 * math.pi * k * distance)
        # The mean of slow noise over the samples is an offset of all labels, a harm of its own.
        if centred:
            noise = math.sqrt(0.5) * (noise - noise[:samples].mean()) / noise[:samples].std()
        noise = draw.permutation(noise) if shuffled else noise
        smallest.append(float(min(_validation_errors(x, clean, noise, seed, steps, width))))
    return Measurement(math.log10(smallest[0] / smallest[-1]), {"": (_NOISE_FREQUENCIES, smallest)})


def _validation_errors(
    x: np.ndarray, clean: np.ndarray, noise: np.ndarray, seed: int, steps: int, width: int
) -> list[float]:
    """Return the clean errors on the second half of the samples, at each step of training on the noisy first half."""
    half = len(x) // 2
    points, target = torch.from_numpy(x).float(), torch.from_numpy(clean).float()[:, None]
    labels = target[:half] + torch.from_numpy(noise[:half]).float()[:, None]
    network = MLP(x.shape[1], 1, width, 3, seed=derive_seed(seed, "network"))
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    errors = []
    for _ in range(steps):
        predicted = network(points)
        errors.append(float((predicted[half:].detach() - target[half:]).square().mean()))
        optimizer.zero_grad()
        (predicted[:half] - labels).square().mean().backward()
        optimizer.step()
    return errors


LABEL_NOISE_FREQUENCY = Study(
    name="label-noise-frequency",
    topic=Topic.NOISE,
    claim="Label noise of low frequency hurts more than that of high frequency.",
    source=(
        "Rahaman et al. 2019, On the spectral bias of neural networks, section 3, experiment 3 "
        "(arXiv:1806.08734)"
    ),
    statistic=(
        "log10 of the smallest error on clean validation samples under noise of 0.05 cycles per unit over "
        "that under noise of 1 cycle per unit"
    ),
    criterion=AtLeast(0.3),
    conditions=(
        Condition("radial waves as they are", {"centred": False, "shuffled": False}),
        Condition("radial waves of mean 0 and equal power", {"centred": True, "shuffled": False}),
    ),
    control=Condition(
        "mean 0 and equal power, shuffled between samples", {"centred": True, "shuffled": True}
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_label_noise_frequency,
    axes=FigureAxes(
        "Frequency of the noise (cycles per unit)", "Smallest clean error", log_x=True, log_y=True
    ),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 64, "steps": 5, "width": 16}),
        StudySize.QUICK: SizeSettings(3, {"samples": 500, "steps": 200, "width": 64}),
        StudySize.FULL: SizeSettings(20, {"samples": 12_000, "steps": 5000, "width": 256}),
    },
    factor="whether the noise has a mean",
    caveat=(
        "The samples are drawn in ten dimensions in place of the source's digits, with an equal spread of "
        "distances. A wave of 0.05 cycles hardly changes sign over them, so that without centring it acts as "
        "an offset of all labels."
    ),
)


_TOP_FREQUENCY = 16
"""Highest frequency of the signal, in cycles per array."""


_PULSES = 2
"""Pulses in a signal that is not Gaussian."""


def measure_shared_band_noise(
    seed: int, method: str, waveform: str, shared: bool, samples: int, draws: int, steps: int
) -> Measurement:
    """Measure the smallest mean squared error on the clean signal, at the best stop in hindsight.

    In units of the noise's power.
    """
    smallest = []
    for draw in range(draws):
        signal = _banded_signal(derive_seed(seed, f"draw {draw}"), waveform, shared, samples)
        if method == "pursuit":
            positions, errors = _pursuit_errors(signal)
        elif method == "network":
            positions, errors = _network_errors(signal, seed, steps)
        else:
            positions, errors = _flow_errors(signal)
        smallest.append(float(np.min(errors)))
    band = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0] if shared else [0.0, 1.0])
    bound = float(risk.WienerBound.of(*band).total)
    return Measurement(
        float(np.mean(smallest)),
        {"error": (positions, errors), "Wiener's bound": (positions, np.full(len(positions), bound))},
    )


def _banded_signal(seed: int, waveform: str, shared: bool, samples: int) -> Signal:
    """Return a signal, of random waves or of pulses, and noise of equal power, in one band or in two."""
    low = 1 if shared else samples // 4
    noise = synthetic.band_noise(samples, low, low + _TOP_FREQUENCY, derive_seed(seed, "noise"))
    clean = synthetic.band_noise(samples, 1, _TOP_FREQUENCY + 1, derive_seed(seed, "signal"))
    if waveform == "pulses":
        source = numpy_generator(seed, "pulses")
        heights = torch.zeros(samples, dtype=torch.float64)
        heights[torch.from_numpy(source.choice(samples, _PULSES, replace=False))] = 1.0
        values = _banded_pulse(samples)[0]
        pulses = torch.fft.irfft(torch.fft.rfft(heights) * torch.fft.rfft(values), n=samples)
        # Of the power of the waves that it replaces, and so of the noise.
        scale = clean.values.double().square().mean().sqrt() / pulses.square().mean().sqrt()
        clean = replace(clean, values=(scale * pulses)[:, None].to(clean.values))
    values = clean.values + noise.values
    return replace(clean, values=values, clean=clean.values, normalisation=Normalisation.of(values))


def _banded_pulse(samples: int) -> tuple[Tensor, Tensor]:
    """Return the pulse with all frequencies of the band, and the (shift, sample) matrix of its shifts, of norm 1."""
    modes = torch.zeros(samples // 2 + 1, dtype=torch.complex128)
    modes[1 : _TOP_FREQUENCY + 1] = 1
    pulse = torch.fft.irfft(modes, n=samples)
    pulse = pulse / pulse.norm()
    return pulse, torch.stack([pulse.roll(i) for i in range(samples)])


def _pursuit_errors(signal: Signal) -> tuple[Numbers, Numbers]:
    """Return numbers of pulses, and errors of matching pursuit, a method that knows the shape of the pulses."""
    assert signal.clean is not None
    _, shifts = _banded_pulse(len(signal.values))
    values, clean = signal.values.double()[:, 0], signal.clean.double()[:, 0]
    chosen: list[int] = []
    fitted, errors = torch.zeros_like(values), []
    for _ in range(_PULSES):
        chosen.append(int((shifts @ (values - fitted)).abs().argmax()))
        basis = shifts[chosen].T
        fitted = basis @ torch.linalg.lstsq(basis, values[:, None]).solution[:, 0]
        errors.append(float((fitted - clean).square().mean()))
    return range(1, _PULSES + 1), errors


def _network_errors(signal: Signal, seed: int, steps: int) -> tuple[Numbers, Numbers]:
    """Return steps, and errors of a network whose Fourier features extend just above the signal."""
    run = ot.fit(
        signal,
        bandwidth=1.5 * _TOP_FREQUENCY,
        width=64,
        depth=2,
        features=64,
        steps=steps,
        held_out=0,
        seed=seed,
    )
    record = run.record
    return record.step.values[1:], record.clean_error.values[1:]


def _flow_errors(signal: Signal) -> tuple[Numbers, Numbers]:
    """Return times, and errors of gradient flow with the kernel of an infinitely wide ReLU network on the circle."""
    angle = 2 * torch.pi * signal.coords
    points = torch.cat([angle.cos(), angle.sin()], 1)
    eigenvalues = ntk.circulant_eigenvalues(wide_network(2, 0.0)(points[:1], points).ntk[0]).clamp(min=0)
    flow = risk.GradientFlow()
    times = flow.steps(eigenvalues, 100)
    assert signal.clean is not None
    # The Fourier modes are the eigenvectors: each is learned for itself.
    noisy, clean = torch.fft.fft(torch.cat([signal.values, signal.clean], 1).double().mT, norm="forward")
    errors = [(flow.learned(eigenvalues, float(t)) * noisy - clean).abs().square().sum() for t in times]
    return times.numpy(), torch.stack(errors).numpy()


SHARED_BAND_NOISE = Study(
    name="shared-band-noise",
    topic=Topic.NOISE,
    claim="Signal and noise of the same frequency cannot be separated.",
    source="Wiener 1949, Extrapolation, interpolation and smoothing of stationary time series, chapter III",
    statistic=(
        "smallest error on the clean signal, at the best stop in hindsight, as a share of the noise's "
        "power; for random waves theory allows 0.5 where signal and noise share a band, and 0 where they do "
        "not"
    ),
    criterion=AtLeast(0.45),
    conditions=(
        Condition(
            "pulses, network with Fourier features",
            {"method": "network", "waveform": "pulses", "shared": True},
        ),
        Condition(
            "pulses, kernel of a wide network",
            {"method": "flow", "waveform": "pulses", "shared": True, "draws": 20},
        ),
        Condition(
            "pulses, a method that knows their shape",
            {"method": "pursuit", "waveform": "pulses", "shared": True, "draws": 20},
        ),
    ),
    control=Condition("noise in another band", {"method": "network", "waveform": "waves", "shared": False}),
    positive=Condition(
        "random waves, kernel of a wide network: Wiener's theorem",
        {"method": "flow", "waveform": "waves", "shared": True, "draws": 20},
    ),
    measure=measure_shared_band_noise,
    axes=FigureAxes(
        "Steps of training, or time of the kernel's flow", "Error as a share of the noise", log_x=True
    ),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 128, "draws": 1, "steps": 10}),
        StudySize.QUICK: SizeSettings(5, {"samples": 256, "draws": 4, "steps": 150}),
        StudySize.FULL: SizeSettings(20, {"samples": 1024, "draws": 20, "steps": 2000}),
    },
    factor="what the method knows",
    first_seed=200,
    judgings=2,
    revision=2,
    limits=(0.0, math.inf),
    caveat=(
        "For random waves of which only the power is known a theorem sets the limit of 0.5, and no method "
        "could fail: that case is the positive control. Pulses have the same power and another shape. Judged "
        "on seeds 200 to 204; seeds 100 to 102 had random waves alone."
    ),
)


_LOW_BANDWIDTH, _HIGH_BANDWIDTH = 4.0, 64.0
"""Bandwidths of the two learners, in cycles per array."""


def measure_low_frequency_learners(
    seed: int, target: str, noise: float, samples: int, steps: int, high: float = _HIGH_BANDWIDTH
) -> Measurement:
    """Measure log10 of the high-frequency learner's clean held-out error over the low-frequency learner's."""
    signal = _learner_target(target, samples, derive_seed(seed, "signal"))
    if noise:
        signal = synthetic.add_noise(signal, noise, seed=derive_seed(seed, "noise"))
    bandwidths = (_LOW_BANDWIDTH, high)
    # Two of equal bandwidth have other seeds, so that they are not the same network.
    seeds = (seed, seed + 10_000 if high == _LOW_BANDWIDTH else seed)
    errors = [
        _clean_held_out_error(signal, bandwidth, of_network, steps)
        for bandwidth, of_network in zip(bandwidths, seeds, strict=True)
    ]
    return Measurement(math.log10(errors[1] / errors[0]), {"": (bandwidths, errors)})


def _learner_target(target: str, samples: int, seed: int) -> Signal:
    """Return waves of up to 4 cycles per array, or of 40 to 60, too high for the low-frequency learner."""
    if target == "smooth":
        return synthetic.harmonics([1, 2, 3, 4], [1.0, 0.5, 0.3, 0.2], samples=samples, seed=seed)
    return synthetic.harmonics([40, 47, 53, 60], 0.5, samples=samples, seed=seed)


def _clean_held_out_error(signal: Signal, bandwidth: float, seed: int, steps: int) -> float:
    """Return the error against the clean signal on the third of the samples that is held out."""
    split = hold_out(signal, 1 / 3, seed)
    run = ot.fit(split, bandwidth=bandwidth, width=64, depth=2, features=64, steps=steps, seed=seed)
    clean = signal.values if signal.clean is None else signal.clean
    error = (run.predict() - clean)[split.held_out_index]
    return float(np.mean(error.square().numpy()))


LOW_FREQUENCY_LEARNERS = Study(
    name="low-frequency-learners",
    topic=Topic.NOISE,
    claim="Learners of low frequencies generalise better; fitting high frequencies is over-fitting.",
    source=(
        "Xu et al. 2020, Frequency principle: Fourier analysis sheds light on deep neural networks, section "
        "5 (arXiv:1901.06523)"
    ),
    statistic=(
        "log10 of the clean held-out error of a network with a bandwidth of 64 cycles per array over that of "
        "one with 4"
    ),
    criterion=AtLeast(0.3),
    conditions=(
        Condition("smooth signal", {"target": "smooth", "noise": 0.0}),
        Condition("smooth signal with noise", {"target": "smooth", "noise": 0.5}),
        Condition("signal of high frequencies", {"target": "rough", "noise": 0.0}),
    ),
    control=Condition(
        "smooth signal with noise, both bandwidths 4",
        {"target": "smooth", "noise": 0.5, "high": _LOW_BANDWIDTH},
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_low_frequency_learners,
    axes=FigureAxes("Bandwidth (cycles per array)", "Clean held-out error", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 128, "steps": 5}),
        StudySize.QUICK: SizeSettings(5, {"samples": 512, "steps": 400}),
        StudySize.FULL: SizeSettings(20, {"samples": 4096, "steps": 20_000}),
    },
    factor="the signal",
    first_seed=200,
    judgings=2,
    revision=2,
    caveat=(
        "Sums of four waves, and two bandwidths. Judged on seeds 200 to 204; on seeds 100 to 102 the signal "
        "of high frequencies was the control."
    ),
)


STUDIES = (
    CAPACITY_NOISE,
    CONVOLUTIONAL_DENOISING,
    LABEL_NOISE_FREQUENCY,
    SHARED_BAND_NOISE,
    LOW_FREQUENCY_LEARNERS,
)
