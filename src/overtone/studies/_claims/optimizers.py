"""Optimizers and weight decay: how they change the order in which frequencies are learned."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from overtone.nn import MLP
from overtone.studies._claims._shared import (
    activation_named,
    circle,
    steps_to_halve,
    wave_amplitudes,
    wave_sum,
    wide_network,
)
from overtone.studies._criteria import AtMost, Between
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
from overtone.theory._mode_dynamics import GradientDescent, ModeState

_SAMPLES = 64
"""Points on the circle on which networks are trained."""

_FREQUENCIES = [1, 2, 4, 8]
"""Waves of equal amplitude in the target, in cycles per turn."""

_LARGE_EPSILON = 1e4
"""An epsilon far above every gradient: Adam then divides all gradients by the same number."""


def measure_adam_evens_out(
    seed: int,
    activation: str,
    adam_rate: float,
    share: float,
    momentum: float,
    adaptive: bool,
    width: int,
    steps: int,
) -> Measurement:
    """Measure the octaves between the steps for 8 cycles and 1 cycle under Adam, less those under gradient descent."""
    adam_network, descent_network = (
        MLP(2, 1, width, 2, activation_named(activation), seed) for _ in range(2)
    )
    kernel = ntk.empirical_ntk(descent_network, circle(_SAMPLES)[1]).matrix
    # The largest stable rate for the mean square is N over the largest eigenvalue of the kernel.
    rate = share * _SAMPLES / float(torch.linalg.eigvalsh(kernel)[-1])
    descent = torch.optim.SGD(descent_network.parameters(), rate, momentum, dampening=momentum)
    adam = torch.optim.Adam(adam_network.parameters(), adam_rate)
    if not adaptive:
        adam = torch.optim.Adam(adam_network.parameters(), rate * _LARGE_EPSILON, eps=_LARGE_EPSILON)
    halved = {
        "gradient descent": _steps_on_circle(descent_network, descent, seed, steps),
        "Adam": _steps_on_circle(adam_network, adam, seed, steps),
    }
    octaves = {name: math.log2(learned[-1] / learned[0]) for name, learned in halved.items()}
    return Measurement(
        octaves["Adam"] - octaves["gradient descent"], {n: (_FREQUENCIES, s) for n, s in halved.items()}
    )


def _steps_on_circle(
    network: nn.Module, optimizer: torch.optim.Optimizer, seed: int, steps: int
) -> list[int]:
    """Train on the waves and return the steps from which on the error of each stays below half of its first."""
    angle, points = circle(_SAMPLES)
    with torch.no_grad():
        # Added to the untrained outputs, so that every wave begins with an error of exactly 1.
        target = wave_sum(angle, _FREQUENCIES, [seed * k for k in _FREQUENCIES]) + network(points)
    errors = []
    for _ in range(steps):
        residual = network(points) - target
        errors.append(wave_amplitudes(residual, _FREQUENCIES))
        # Some way below a half, so that a wave whose error rises above it again is still recorded.
        if (errors[-1] < 0.4).all():
            break
        optimizer.zero_grad()
        residual.square().mean().backward()
        optimizer.step()
    return steps_to_halve(np.stack(errors))


_AVERAGED = {"activation": "relu", "adam_rate": 1e-3, "share": 0.25, "momentum": 0.9, "adaptive": True}
"""Gradient descent at a quarter of the rate that is stable at the start, with running means of gradients as in Adam."""


ADAM_EVENS_OUT = Study(
    name="adam-evens-out",
    topic=Topic.DESIGN,
    claim="Adam learns frequencies more evenly than gradient descent does.",
    source=(
        "Kingma and Ba 2015, Adam: a method for stochastic optimization (arXiv:1412.6980), section 2.1, for "
        "steps that do not depend on the scale of the gradients; often applied to frequencies without a "
        "source"
    ),
    statistic=(
        "steps to halve the error of 8 cycles over those of 1 cycle under Adam, less the same under gradient "
        "descent, in octaves"
    ),
    criterion=AtMost(-0.5),
    conditions=(
        Condition("ReLU", _AVERAGED),
        Condition("ReLU, Adam ten times as fast", {**_AVERAGED, "adam_rate": 1e-2}),
        Condition("ReLU, plain gradient descent", {**_AVERAGED, "share": 1 / 32, "momentum": 0.0}),
        Condition("tanh, plain gradient descent", {**_AVERAGED, "activation": "tanh", "momentum": 0.0}),
    ),
    control=Condition("Adam that divides all gradients by the same number", {**_AVERAGED, "adaptive": False}),
    positive=MET_BY_A_CONDITION,
    measure=measure_adam_evens_out,
    axes=FigureAxes("Frequency (cycles per turn)", "Steps to halve its error", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"width": 8, "steps": 3}),
        StudySize.QUICK: SizeSettings(16, {"width": 64, "steps": 5000}),
        StudySize.FULL: SizeSettings(20, {"width": 256, "steps": 50_000}),
    },
    factor="the network and the rates",
    first_seed=300,
    judgings=3,
    caveat=(
        "Small networks on the points of a circle, trained on all points at once; minibatches were not "
        "tested. Adam's steps stay large where gradients shrink; the study does not separate this effect "
        "from that of one rate per parameter. Plain gradient descent has a low rate for ReLU, because at a "
        "higher one it stalls at the edge of stability. At the tenfold rate Adam halves 1 cycle in 2 or 3 "
        "steps, so that one step is half an octave. Judged on seeds 300 to 315, because seeds 200 to 207 had "
        "left the claim undecided. On seeds 100 to 104 tanh was compared with running means of gradients, "
        "which oscillate at this rate and delay the lowest frequency; Adam was 0.2 to 1.3 octaves more even, "
        "and the claim undecided."
    ),
)


def measure_momentum_rescales_time(
    seed: int, share: float, momentum: float, second_order: bool, high: int, depth: int
) -> Measurement:
    """Measure log2 of the ratio of learning steps, highest frequency to lowest, with momentum less that without."""
    del seed
    frequencies = [2**i for i in range(int(math.log2(high)) + 1)]
    eigenvalues = _circle_eigenvalues(depth)
    # Gauss-Newton directions take every mode at the rate of the fastest.
    effective = torch.ones_like(eigenvalues) * eigenvalues.max() if second_order else eigenvalues
    steps = {
        "without": _mode_steps(eigenvalues[frequencies], GradientDescent(), share / float(eigenvalues.max())),
        "with": _mode_steps(
            effective[frequencies], GradientDescent(momentum=momentum), share / float(effective.max())
        ),
    }
    octaves = {name: math.log2(learned[-1] / learned[0]) for name, learned in steps.items()}
    return Measurement(octaves["with"] - octaves["without"], {n: (frequencies, s) for n, s in steps.items()})


def _circle_eigenvalues(depth: int, samples: int = 256) -> Tensor:
    """Return the (frequency,) float64 eigenvalues of a wide ReLU network's tangent kernel on a circle."""
    _, points = circle(samples, torch.float64)
    row = wide_network(depth)(points[:1], points).ntk[0]
    # A rotation of the circle leaves the kernel as it is: it is circulant, and one row has all eigenvalues.
    return ntk.circulant_eigenvalues(row)[: samples // 2]


def _mode_steps(eigenvalues: Tensor, dynamics: GradientDescent, rate: float) -> list[int]:
    """Return the steps from which on the residual of each mode stays below a half, to 4 %.

    Each mode begins at a residual of 1, without velocity.
    """
    start = ModeState.at_rest(torch.ones_like(eigenvalues))
    # The slowest mode decays as exp(-rate * eigenvalue * step): 20 of its time constants are more than enough.
    last = int(20 / (rate * float(eigenvalues.min()))) + 200
    steps = np.unique(np.geomspace(1, last, int(math.log(last) / 0.04)).round().astype(int))
    residuals = [dynamics.advance(start, eigenvalues, 1.0, rate, int(n)).residual for n in steps]
    above = torch.stack(residuals).abs().numpy() >= 0.5
    return [int(steps[np.flatnonzero(column)[-1] + 1]) if column.any() else 1 for column in above.T]


MOMENTUM_RESCALES_TIME = Study(
    name="momentum-rescales-time",
    topic=Topic.DESIGN,
    claim="Momentum only rescales time and does not change the order in which frequencies are learned.",
    source=(
        "Qian 1999, On the momentum term in gradient descent learning algorithms, sections 2 and 3, for the "
        "rescaling; often applied to frequencies without a source"
    ),
    statistic=(
        "steps to halve the highest frequency over steps to halve the lowest, with momentum, less the same "
        "without, in octaves"
    ),
    criterion=Between(-0.5, 0.5),
    conditions=(
        Condition("1/2000 of the largest stable learning rate", {"share": 0.001, "second_order": False}),
        Condition("1/20 of the largest stable learning rate", {"share": 0.1, "second_order": False}),
        Condition("half of the largest stable learning rate", {"share": 1.0, "second_order": False}),
    ),
    control=Condition("Gauss-Newton directions", {"share": 0.001, "second_order": True}),
    positive=MET_BY_A_CONDITION,
    measure=measure_momentum_rescales_time,
    axes=FigureAxes("Frequency (cycles per turn)", "Steps to halve its error", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"momentum": 0.9, "high": 2, "depth": 1}),
        StudySize.QUICK: SizeSettings(1, {"momentum": 0.9, "high": 32, "depth": 3}),
        StudySize.FULL: SizeSettings(1, {"momentum": 0.9, "high": 64, "depth": 3}),
    },
    factor="the learning rate",
    tested=Tested.MECHANISM,
    caveat=(
        "The fixed tangent kernel of a wide ReLU network on a circle, with momentum 0.9. Modes whose "
        "eigenvalue times the rate is above (1 - sqrt(0.9))^2 = 0.0026 oscillate, and all of these halve in "
        "about the same number of steps. With momentum 0.99 this begins at a hundredth of that value."
    ),
)


_GAUSS_NEWTON_SHARE = 0.05
"""Part of its full step that Gauss-Newton takes."""

_DAMPING = 1e-8
"""Number added to the kernel's diagonal, in units of its mean."""

_Step = Callable[[], object]


def measure_second_order_alike(seed: int, method: str, times: int, steps: int, width: int) -> Measurement:
    """Measure the octaves between the steps of 8 cycles and 1 cycle to stay below half of their first error."""
    angle, points = circle(_SAMPLES, torch.float64)
    network = MLP(2, 1, width, 2, seed=seed).double()
    target = wave_sum(angle, _FREQUENCIES, [seed * k for k in _FREQUENCIES])
    # As above, every wave begins with an error of exactly 1.
    target = target + network(points).detach()
    methods = {"Gauss-Newton": _gauss_newton, "L-BFGS": _lbfgs, "gradient descent": _gradient_descent}
    step = methods[method](network, points, target)
    errors = []
    for _ in range(times * steps):
        errors.append(wave_amplitudes(network(points) - target, _FREQUENCIES))
        step()
    learned = steps_to_halve(np.stack(errors))
    return Measurement(math.log2(learned[-1] / learned[0]), {"": (_FREQUENCIES, learned)})


def _gauss_newton(network: nn.Module, points: Tensor, target: Tensor) -> _Step:
    """Return a step of the shortest change of parameters that takes the linearised network to the target."""

    def outputs(parameters: dict[str, Tensor]) -> Tensor:
        return functional_call(network, parameters, (points,))[:, 0]

    def step() -> None:
        parameters = {name: value.detach() for name, value in network.named_parameters()}
        jacobian = torch.cat([j.flatten(1) for j in jacrev(outputs)(parameters).values()], 1)
        # There are more parameters than samples: the shortest solution of J d = r is J^T (J J^T)^-1 r.
        kernel = jacobian @ jacobian.mT
        kernel.diagonal().add_(_DAMPING * kernel.diagonal().mean())
        change = jacobian.mT @ torch.linalg.solve(kernel, outputs(parameters) - target[:, 0])
        current = parameters_to_vector(network.parameters()).detach()
        vector_to_parameters(current - _GAUSS_NEWTON_SHARE * change, network.parameters())

    return step


def _lbfgs(network: nn.Module, points: Tensor, target: Tensor) -> _Step:
    """Return one iteration of L-BFGS with a line search."""
    optimizer = torch.optim.LBFGS(
        network.parameters(), max_iter=1, max_eval=25, line_search_fn="strong_wolfe"
    )

    def loss() -> float:
        optimizer.zero_grad()
        value = (network(points) - target).square().mean()
        value.backward()
        return float(value.detach())

    return lambda: optimizer.step(loss)


def _gradient_descent(network: nn.Module, points: Tensor, target: Tensor) -> _Step:
    """Return a step of gradient descent at half of the largest stable rate."""
    largest = float(torch.linalg.eigvalsh(ntk.empirical_ntk(network, points).matrix)[-1])
    optimizer = torch.optim.SGD(network.parameters(), _SAMPLES / (2 * largest))

    def step() -> None:
        optimizer.zero_grad()
        (network(points) - target).square().mean().backward()
        optimizer.step()

    return step


SECOND_ORDER_ALIKE = Study(
    name="second-order-alike",
    topic=Topic.DESIGN,
    claim="Second-order methods remove spectral bias: they learn all frequencies alike.",
    source=(
        "Amari 1998, Natural gradient works efficiently in learning, for steps that do not depend on the "
        "parametrisation; often applied to frequencies without a source"
    ),
    statistic="steps until 8 cycles stay below half of their error over those until 1 cycle does, in octaves",
    criterion=AtMost(1.0),
    conditions=(
        Condition("Gauss-Newton", {"method": "Gauss-Newton", "times": 1}),
        Condition("L-BFGS", {"method": "L-BFGS", "times": 2}),
    ),
    control=Condition("gradient descent", {"method": "gradient descent", "times": 10}),
    positive=MET_BY_A_CONDITION,
    measure=measure_second_order_alike,
    axes=FigureAxes("Frequency (cycles per turn)", "Steps to halve its error", log_x=True, log_y=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"steps": 3, "width": 8}),
        StudySize.QUICK: SizeSettings(8, {"steps": 50, "width": 96}),
        StudySize.FULL: SizeSettings(20, {"steps": 200, "width": 512}),
    },
    factor="the method",
    first_seed=200,
    judgings=2,
    caveat=(
        "Small networks on 64 points, and no minibatches. Each Gauss-Newton step solves for all samples at "
        "once; its cost is not counted. Frequencies that are not halved at the end count as halved there. "
        "Judged on seeds 200 to 207, because seeds 100 to 104 had left the claim undecided."
    ),
)


_BETWEEN_SAMPLES = 256
"""Points at which the learned function is measured, most of them between samples."""

_HIGH = 6
"""Frequencies from here on are high; the target has a quarter of its power there."""


def measure_decay_prefers_low(
    seed: int, decay: float, equal_error: bool, constant_only: bool, width: int, steps: int
) -> Measurement:
    """Measure log2 of the high share of the learned function with decay over that without."""
    errors, free = _train_with_decay(seed, 0.0, constant_only, width, steps)
    decayed_errors, decayed = _train_with_decay(seed, decay, constant_only, width, steps)
    # Either both at the end, or the free run at the step where its error first equals the decayed run's last one.
    reached = errors <= decayed_errors[-1]
    without = free[int(np.argmax(reached)) if equal_error and reached.any() else -1]
    amplitudes = {
        name: (_FREQUENCIES, 2 * np.sqrt(power[_FREQUENCIES]))
        for name, power in (("without decay", without), ("with decay", decayed[-1]))
    }
    return Measurement(math.log2(_high_share(decayed[-1]) / _high_share(without)), amplitudes)


def _high_share(power: np.ndarray) -> float:
    """Return the share of the power at high frequencies; the mean does not count."""
    return float(power[_HIGH:].sum() / power[1:].sum())


def _train_with_decay(
    seed: int, decay: float, constant_only: bool, width: int, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (step,) mean square errors on the samples, and the (step, frequency) power between them."""
    angle, points = circle(_SAMPLES)
    _, between = circle(_BETWEEN_SAMPLES)
    target = wave_sum(angle, _FREQUENCIES, [seed * k for k in _FREQUENCIES])
    network = MLP(2, 1, width, 2, seed=seed)
    *weights, constant = network.parameters()
    optimizer = torch.optim.AdamW(weights, lr=3e-3, weight_decay=0.0 if constant_only else decay)
    optimizer.add_param_group({"params": [constant], "weight_decay": decay})
    errors, powers = [], []
    for _ in range(steps):
        with torch.no_grad():
            powers.append(torch.fft.rfft(network(between)[:, 0], norm="forward").abs().square().numpy())
        loss = (network(points) - target).square().mean()
        errors.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return np.array(errors), np.stack(powers)


DECAY_PREFERS_LOW = Study(
    name="decay-prefers-low",
    topic=Topic.DESIGN,
    claim="Weight decay strengthens a network's preference for low frequencies.",
    source=(
        "Rahaman et al. 2019, On the spectral bias of neural networks (arXiv:1806.08734), section 2, for "
        "weights that bound high frequencies; claimed of weight decay without a source"
    ),
    statistic=(
        "share of the learned function's power at 6 cycles and above with AdamW's decay over that without, "
        "in octaves"
    ),
    criterion=AtMost(-0.25),
    conditions=tuple(
        Condition(name, {"decay": decay, "equal_error": equal, "constant_only": False})
        for name, decay, equal in (
            ("decay 0.01, equal steps", 0.01, False),
            ("decay 0.1, equal steps", 0.1, False),
            ("decay 1, equal steps", 1.0, False),
            ("decay 1, equal training error", 1.0, True),
        )
    ),
    control=Condition(
        "decay 1 on the output's constant alone", {"decay": 1.0, "equal_error": False, "constant_only": True}
    ),
    positive=MET_BY_A_CONDITION,
    measure=measure_decay_prefers_low,
    axes=FigureAxes("Frequency (cycles per turn)", "Learned amplitude", log_x=True),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"width": 8, "steps": 3}),
        StudySize.QUICK: SizeSettings(5, {"width": 64, "steps": 800}),
        StudySize.FULL: SizeSettings(20, {"width": 256, "steps": 20_000}),
    },
    factor="the strength of the decay",
    tested=Tested.CASE,
    caveat=(
        "Small ReLU networks on a circle and a target without noise. At the rate of 3e-3 a decay of 1 "
        "shrinks weights 11 times over these 800 steps if no gradient opposes it, and a decay of 0.01 by 2 "
        "%; longer runs shrink them more. At equal training error the run without decay is the one that is "
        "stopped early, and most of the difference disappears. A decay of 0.1 lowers the share on every "
        "seed, by less than the criterion requires."
    ),
)


STUDIES = (
    ADAM_EVENS_OUT,
    MOMENTUM_RESCALES_TIME,
    SECOND_ORDER_ALIKE,
    DECAY_PREFERS_LOW,
)
