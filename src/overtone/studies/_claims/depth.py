"""Depth: what layers contain, and how skip connections change the kernel and the loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from overtone._config import EncodingKind
from overtone._utils.seeding import derive_seed
from overtone.nn import MLP, ResidualMLP
from overtone.nn._build import build_encoding
from overtone.signals import synthetic
from overtone.spectra import Bands, GridTransform
from overtone.spectra import linear_readout as layers
from overtone.spectra.linear_readout._readout import LinearReadout
from overtone.studies._claims._shared import activation_named, circle, fit_network, wave_sum
from overtone.studies._criteria import AtLeast, AtMost
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
from overtone.theory import ntk
from overtone.theory.ntk._infinite.layers import InfiniteLayer

_CONTAINED = 0.7
"""Relative error below which a read-out of a layer contains a band: half of its power."""


def measure_layers_low_to_high(
    seed: int, encoding: str, activation: str, side: int, width: int, depth: int, steps: int
) -> Measurement:
    """Measure log2 of the highest frequency that the last layer contains, over that of the first layer."""
    signal = synthetic.power_law((side, side), 3.0, seed)
    kind = EncodingKind(encoding)
    low, high = kind.domain
    encoder = build_encoding(
        kind, 2, width, [8.0, 8.0] if kind.has_bandwidth else None, derive_seed(seed, "encoding")
    )
    inputs = encoder(low + (high - low) * signal.coords, torch.float32)
    # The control has no activation, so that no layer can contain more than the one before it.
    between = torch.nn.Identity() if activation == "linear" else activation_named(activation)
    network = MLP(inputs.shape[1], 1, width, depth, between, seed=derive_seed(seed, "weights"))
    transform = GridTransform((side, side), 1 / side, True, [0.0, *(2 ** (i / 2) for i in range(-1, 9))])
    untrained = _highest_frequencies(_read_layers(network, inputs, signal.values, transform))
    fit_network(network, inputs, signal.values, 3e-3, steps)
    readout = _read_layers(network, inputs, signal.values, transform)
    highest = _highest_frequencies(readout)
    error = readout.relative_error[:, 1:, 0].nan_to_num(1.0)
    return Measurement(
        math.log2(highest[-1] / highest[0]),
        {f"layer {i + 1}": (readout.bands.centre[1:], error[i].numpy()) for i in (0, depth - 1)},
        (
            f"layers contain up to {', '.join(f'{f:.2g}' for f in highest)} cycles per picture, "
            f"before training {', '.join(f'{f:.2g}' for f in untrained)}",
        ),
    )


def _read_layers(network: MLP, inputs: Tensor, target: Tensor, transform: GridTransform) -> LinearReadout:
    """Return read-outs of the target from each hidden layer."""
    outputs, x = {}, inputs
    with torch.no_grad():
        for number, (linear, activation) in enumerate(
            zip(network.linears, network.activations, strict=False), 1
        ):
            x = activation(linear(x))
            outputs[f"{number}"] = x
    return layers.read_out(outputs, target, transform, width=layers.FeatureBudget.full())


def _highest_frequencies(readout: LinearReadout) -> list[float]:
    """Return per layer the frequency up to which it contains every band; the lowest edge where it contains none."""
    # Clamped, so that the ratio of two layers is finite where one contains nothing.
    return readout.highest_held(_CONTAINED)[:, 0].clamp(min=readout.bands.edges[1]).tolist()


LAYERS_LOW_TO_HIGH = Study(
    name="layers-low-to-high",
    topic=Topic.ACTIVATIONS,
    claim=(
        "The first layers of a network contain the low frequencies of its target, deeper layers the high "
        "ones."
    ),
    source=(
        "Rahaman et al. 2019, On the spectral bias of neural networks, sections 2 and 5 (arXiv:1806.08734), "
        "for the folding of deeper layers"
    ),
    statistic=(
        "log2 of the highest frequency that a linear read-out finds in the last hidden layer, over that in "
        "the first; bands are half an octave wide"
    ),
    criterion=AtLeast(0.5),
    conditions=(
        Condition("ReLU from plain coordinates", {"encoding": "none", "activation": "relu"}),
        Condition("tanh from plain coordinates", {"encoding": "none", "activation": "tanh"}),
        Condition("ReLU after Fourier features", {"encoding": "gaussian", "activation": "relu"}),
    ),
    control=Condition(
        "no activation: no layer contains more than the one before it",
        {"encoding": "none", "activation": "linear"},
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_layers_low_to_high,
    axes=FigureAxes("Frequency (cycles per picture)", "Relative error of the read-out", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"side": 8, "width": 8, "depth": 2, "steps": 5}),
        StudySize.QUICK: SizeSettings(12, {"side": 32, "width": 64, "depth": 4, "steps": 500}),
        StudySize.FULL: SizeSettings(20, {"side": 128, "width": 256, "depth": 6, "steps": 20_000}),
    },
    factor="the encoding",
    first_seed=300,
    judgings=2,
    caveat=(
        "A layer contains what a linear read-out of it reproduces, and the networks learn random pictures "
        "only. That deeper layers contain more does not mean that they contain less of the low frequencies. "
        "Judged on seeds 300 to 311, because 5 seeds from 100 on had left the claim undecided."
    ),
)


def measure_residual_conditioning(
    seed: int, he_weights: bool, depth: int, samples: int, linear: bool = False
) -> Measurement:
    """Measure log10 of the condition number of the kernel on a circle, with skips over without."""
    del seed
    _, points = circle(samples, torch.float64)
    eigenvalues = {
        name: ntk.circulant_eigenvalues(
            _skip_network(skips, he_weights, depth, linear)(points[:1], points).ntk[0]
        )[: samples // 2 + 1]
        for name, skips in (("without skips", False), ("with skips", True))
    }
    condition = {name: float(values.max() / values.min()) for name, values in eigenvalues.items()}
    curves = {name: (range(1, samples // 2), (v[1:-1] / v.max()).numpy()) for name, v in eigenvalues.items()}
    # The exponent between two frequencies an octave apart, well below the grid's Nyquist frequency.
    half = samples // 8
    falls = [math.log2(float(values[half] / values[2 * half])) for values in eigenvalues.values()]
    notes = (
        f"eigenvalues fall as frequency to the power {falls[0]:.2f} without and {falls[1]:.2f} with skips",
    )
    return Measurement(math.log10(condition["with skips"] / condition["without skips"]), curves, notes)


def _skip_network(skips: bool, he_weights: bool, depth: int, linear: bool) -> ntk.InfiniteNetwork:
    """Return the limit of a ReLU network with PyTorch's default weights at width 256, or with He's and no biases.

    If `linear`, the skip goes round a layer without an activation, behind one hidden layer of ReLU.
    """
    if linear:
        # With biases, so that one hidden layer has all frequencies.
        biased = ntk.DenseLayer.ntk(sigma_b=0.3)
        last = ntk.InfiniteNetwork.residual_block(biased) if skips else biased
        return ntk.InfiniteNetwork((biased, ntk.DualActivation.relu(), last, biased))
    if not he_weights:
        return ntk.InfiniteNetwork.from_torch((ResidualMLP if skips else MLP)(2, 1, 256, depth))
    dense, relu = ntk.DenseLayer.ntk(), ntk.DualActivation.relu()
    stack: list[InfiniteLayer] = [dense, relu]
    for _ in range(depth - 1):
        stack += [ntk.InfiniteNetwork.residual_block(dense, relu)] if skips else [dense, relu]
    return ntk.InfiniteNetwork((*stack, dense))


RESIDUAL_CONDITIONING = Study(
    name="residual-conditioning",
    topic=Topic.DESIGN,
    claim=("Residual connections improve the condition number of the tangent kernel."),
    source=(
        "Barzilai et al. 2023, A kernel perspective of skip connections in convolutional networks "
        "(arXiv:2211.14810), applied to fully connected networks"
    ),
    statistic=(
        "log10 of the condition number with skips over that without, on evenly spaced points of a circle"
    ),
    criterion=AtMost(-0.1),
    conditions=(
        Condition("PyTorch's weights, 2 layers", {"he_weights": False, "depth": 2}),
        Condition("PyTorch's weights, 16 layers", {"he_weights": False, "depth": 16}),
        Condition("He's weights, 16 layers", {"he_weights": True, "depth": 16}),
    ),
    control=Condition(
        "a skip round a layer without an activation", {"he_weights": True, "depth": 1, "linear": True}
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_residual_conditioning,
    axes=FigureAxes("Frequency (cycles per turn)", "Eigenvalue (of the largest)", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"samples": 16}),
        StudySize.QUICK: SizeSettings(1, {"samples": 64}),
        StudySize.FULL: SizeSettings(1, {"samples": 1024}),
    },
    factor="the depth and the weights",
    tested=Tested.MECHANISM,
    caveat=(
        "Infinitely wide, fully connected networks; that a better condition number makes training faster "
        "was not tested. The initialisation determines the weight of residual branches: He's doubles the "
        "variance with each layer, and the branch has no further factor. Without biases, He's kernel of a "
        "single layer has no odd frequencies; deeper ones have all."
    ),
)


_SAMPLES = 256

_FREQUENCIES = [1, 2, 4, 8, 16, 32]
"""Waves to be read from the last hidden layer, in cycles per turn."""

_LOW_COUNT = 3
"""Number of these that count as low."""


def measure_residual_keeps_low(
    seed: int, gain: float, trained: bool, depth: int, width: int, steps: int
) -> Measurement:
    """Measure the error of low frequencies read from the last layer without skips, less that with them."""
    angle, points = circle(_SAMPLES)
    waves = wave_sum(angle, _FREQUENCIES, _FREQUENCIES)
    transform = GridTransform((_SAMPLES,), 1, True, Bands.linear((_SAMPLES,), 1.0, periodic=True))
    errors = {}
    for name, kind in (("without skips", MLP), ("with skips", ResidualMLP)):
        network = kind(2, 1, width, depth, seed=seed)
        with torch.no_grad():
            for parameter_name, parameter in network.named_parameters():
                # PyTorch's weights have the variance 1 / (3 n); the gain makes it He's 2 / n.
                parameter.mul_(gain if parameter_name.endswith("weight") else 1)
        if trained:
            fit_network(network, points, torch.cos(8 * angle)[:, None], 1e-3, steps)
        layer, errors[name] = _last_layer(network, points), torch.ones(len(_FREQUENCIES), dtype=torch.float64)
        # A layer that is the same everywhere contains no wave, and ridge regression on it is singular.
        if bool((layer != layer[0]).any()):
            readout = layers.read_out({"last": layer}, waves, transform)
            errors[name] = readout.relative_error[0, _FREQUENCIES, 0]
    low = {name: float(error[:_LOW_COUNT].square().mean().sqrt()) for name, error in errors.items()}
    value = low["without skips"] - low["with skips"]
    return Measurement(value, {name: (_FREQUENCIES, error.numpy()) for name, error in errors.items()})


def _last_layer(network: MLP | ResidualMLP, points: Tensor) -> Tensor:
    """Return the (N, width) inputs of the output layer."""
    captured: list[Tensor] = []
    handle = network.linears[-1].register_forward_pre_hook(
        lambda _, inputs: captured.append(inputs[0].detach())
    )
    network(points)
    handle.remove()
    return captured[0]


RESIDUAL_KEEPS_LOW = Study(
    name="residual-keeps-low",
    topic=Topic.DESIGN,
    claim="Residual connections preserve low-frequency information, which deep plain networks lose.",
    source=(
        "He et al. 2016, Identity mappings in deep residual networks (arXiv:1603.05027), section 2, for "
        "signals in general; claimed of low frequencies without a source"
    ),
    statistic=(
        "relative error of 1, 2 and 4 cycles read from the last hidden layer by ridge regression, without "
        "skips less that with them"
    ),
    criterion=AtLeast(0.25),
    conditions=(
        Condition("untrained, 4 layers", {"gain": 1.0, "trained": False, "depth": 4}),
        Condition("untrained, 32 layers", {"gain": 1.0, "trained": False, "depth": 32}),
        Condition("untrained, 32 layers of He's weights", {"gain": 6**0.5, "trained": False, "depth": 32}),
        Condition("8 layers trained on 8 cycles alone", {"gain": 1.0, "trained": True, "depth": 8}),
    ),
    control=Condition("untrained, 2 layers, which lose nothing", {"gain": 1.0, "trained": False, "depth": 2}),
    positive=MET_BY_A_CONDITION,
    measure=measure_residual_keeps_low,
    axes=FigureAxes("Frequency (cycles per turn)", "Relative error of the read-out", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"width": 8, "steps": 3}),
        StudySize.QUICK: SizeSettings(5, {"width": 64, "steps": 100}),
        StudySize.FULL: SizeSettings(20, {"width": 256, "steps": 5000}),
    },
    factor="the depth and the weights",
    caveat=(
        "Points of a circle. PyTorch's default weights shrink the varying part by about 3 in power per "
        "layer; He's do not. Skips preserve 8 and 16 cycles as well, and often more of them: they preserve "
        "information of any frequency."
    ),
)


_CURVATURE_SAMPLES = 128

_CURVATURE_FREQUENCIES = [1, 2, 4, 8, 16]
"""In cycles per turn."""


def measure_flat_along_low(
    seed: int, activation: str, trained: bool, kernel: str, width: int, steps: int
) -> Measurement:
    """Measure log10 of the loss's curvature along 16 cycles over that along 1 cycle."""
    angle, points = circle(_CURVATURE_SAMPLES, torch.float64)
    waves = torch.stack([torch.cos(k * angle + seed) for k in _CURVATURE_FREQUENCIES], 1)
    network = MLP(2, 1, width, 2, activation_named(activation), seed).double()
    fit_network(network, points, waves.sum(1, keepdim=True), 1e-3, steps if trained else 0)
    matrix = ntk.empirical_ntk(network, points).matrix if kernel == "network" else _circulant_kernel(kernel)
    steep = _curvature(matrix, waves)
    relative = steep / steep[0]
    return Measurement(float(relative[-1].log10()), {"": (_CURVATURE_FREQUENCIES, relative.numpy())})


def _circulant_kernel(name: str) -> Tensor:
    """Return a kernel whose eigenvalues on the circle are all equal, or rise with the frequency."""
    if name == "identity":
        return torch.eye(_CURVATURE_SAMPLES, dtype=torch.float64)
    rising = torch.fft.fftfreq(_CURVATURE_SAMPLES, 1 / _CURVATURE_SAMPLES, dtype=torch.float64).abs()
    waves = torch.fft.fft(torch.eye(_CURVATURE_SAMPLES, dtype=torch.complex128), norm="ortho")
    return (waves.conj().T @ (rising[:, None] * waves)).real


def _curvature(kernel: Tensor, waves: Tensor) -> Tensor:
    """Return the (wave,) second derivative of the mean square error at a fit, along each wave's gradient step.

    With the Jacobian J, kernel K = J J^T and wave u the direction is J^T u / |J^T u|, and the curvature
    (2 / N) u^T K K u / u^T K u.
    """
    image = kernel @ waves
    return 2 / len(kernel) * image.square().sum(0) / (waves * image).sum(0)


FLAT_ALONG_LOW = Study(
    name="flat-along-low",
    topic=Topic.DESIGN,
    claim="The loss is flatter along low frequencies.",
    source=(
        "Rahaman et al. 2019, On the spectral bias of neural networks (arXiv:1806.08734), section 4, for low "
        "frequencies being robust to changes of parameters; claimed of the loss without a source"
    ),
    statistic="log10 of the curvature of the loss along steps towards 16 cycles over that towards 1 cycle",
    criterion=AtLeast(0.3),
    conditions=(
        Condition("ReLU, untrained", {"activation": "relu", "trained": False, "kernel": "network"}),
        Condition("ReLU, trained", {"activation": "relu", "trained": True, "kernel": "network"}),
        Condition("tanh, trained", {"activation": "tanh", "trained": True, "kernel": "network"}),
    ),
    control=Condition(
        "orthogonal waves, linear", {"activation": "relu", "trained": False, "kernel": "identity"}
    ),
    positive=Condition(
        "kernel whose eigenvalues rise with the frequency",
        {"activation": "relu", "trained": False, "kernel": "rising"},
    ),
    measure=measure_flat_along_low,
    axes=FigureAxes("Frequency (cycles per turn)", "Curvature (of 1 cycle's)", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"width": 8, "steps": 2}),
        StudySize.QUICK: SizeSettings(5, {"width": 96, "steps": 100}),
        StudySize.FULL: SizeSettings(20, {"width": 512, "steps": 10_000}),
    },
    factor="the activation",
    tested=Tested.CASE,
    caveat=(
        "Curvature at a perfect fit, that is without the contribution of the residual. The study does not "
        "consider flat directions that change no output, nor the extent of minima."
    ),
)


STUDIES = (
    LAYERS_LOW_TO_HIGH,
    RESIDUAL_CONDITIONING,
    RESIDUAL_KEEPS_LOW,
    FLAT_ALONG_LOW,
)
