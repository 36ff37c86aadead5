"""Small-signal gain and phase by frequency: what a map between sequences does to a faint harmonic."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone._utils.tensors import as_tensor
from overtone.errors import InputError
from overtone.spectra.sequence._transform import checked_sequences, positive_rate

SequenceMap: TypeAlias = Callable[[Tensor], Tensor]
"""From (batch, steps, features) to (batch, steps, channels), each batch entry by itself."""


class Derivative(ABC):
    """Method that computes J v, J the derivative of the outputs with respect to the inputs.

    Example:
        >>> import torch
        >>> from overtone.spectra.sequence import Derivative, response
        >>> exact = Derivative.double_backward()
        >>> found = response(lambda u: 2 * u, torch.zeros(16, 1), [0.125], derivative=exact)
        >>> round(float(found.gain), 6)
        2.0
    """

    @staticmethod
    def differences(size: float = 0.0) -> Derivative:
        """Central differences at two sizes, extrapolated to none: for any function.

        Args:
            size: Size in units of the input; 0 for the size at which truncation and rounding are alike.
        """
        return Differences(size)

    @staticmethod
    def double_backward() -> Derivative:
        """Two reverse passes, exact to rounding: for functions that can be differentiated twice."""
        return DoubleBackward()

    @property
    @abstractmethod
    def calls(self) -> int:
        """Batch entries that the function sees for each direction."""

    @abstractmethod
    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """J v at one input.

        Args:
            function: The map.
            operating: (T, F) where the derivative is taken.
            directions: (B, T, F).

        Returns:
            (B, T, C) float64 derivatives, and the same of an estimate of their absolute error.
        """


@final
@dataclass(frozen=True)
class Differences(Derivative):
    """Central differences at two sizes h and h / 2, extrapolated to none (Richardson): for any function.

    D(h) = (f(u + h v) - f(u - h v)) / (2 h), J v = D(h/2) + (D(h/2) - D(h)) / 3 + O(h^4). The stated error is
    |D(h/2) - D(h)| / 3, that of D(h/2), which is more than is left in a smooth function, plus the rounding of the
    four outputs, 4 eps max|f| / h. It does not hold where the function has a kink within h.

    Attributes:
        size: h, in units of the input; 0 for eps^(1/5) times the operating input's largest modulus (1 if it is zero),
            where both errors are alike.
    """

    size: float = 0.0

    @property
    def calls(self) -> int:
        """Two for each of two sizes."""
        return 4

    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """By 4 evaluations; without gradients."""
        eps = torch.finfo(operating.dtype).eps
        # Truncation grows with h^4, rounding falls with 1 / h: equal at eps^(1/5).
        size = self.size or eps**0.2 * (float(operating.abs().max()) or 1.0)
        sides = torch.stack([directions * (size * part) for part in (1.0, -1.0, 0.5, -0.5)])
        with torch.no_grad():
            out = function(operating + sides.flatten(0, 1)).unflatten(0, (4, len(directions))).double()
        wide, narrow = (out[0] - out[1]) / (2 * size), (out[2] - out[3]) / size
        # Richardson: the h^2 error of D(h/2) is a third of its difference to D(h).
        apart = (narrow - wide) / 3
        return narrow + apart, apart.abs() + 4 * eps * float(out.abs().max()) / size


@final
@dataclass(frozen=True)
class DoubleBackward(Derivative):
    """Two reverse passes: w -> J^T w is linear in w, and its own transpose takes v to J v. Exact to rounding.

    For LSTM, GRU, convolutions and attention alike, if the function can be differentiated twice: attention is computed
    by its plain formula and recurrent layers without cuDNN meanwhile. The stated error is eps times the largest
    derivative times the root of the number of steps.
    """

    @property
    def calls(self) -> int:
        """One, kept with its graph."""
        return 1

    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """By one evaluation and two reverse passes.

        Raises:
            InputError: If the function cannot be differentiated twice.
        """
        inputs = operating.expand_as(directions).clone().requires_grad_()
        plain = torch.backends.cudnn.flags(enabled=False)
        try:
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), plain:
                out = function(inputs)
                weights = torch.zeros_like(out, requires_grad=True)
                # J^T w is linear in w, so its own derivative with respect to w, along v, is J v.
                (back,) = torch.autograd.grad(out, inputs, weights, create_graph=True)
                (derivative,) = torch.autograd.grad(back, weights, directions)
        except RuntimeError as refused:
            raise InputError(
                "a function that can be differentiated twice",
                f"{str(refused).splitlines()[0]!r}",
                "pass derivative=Derivative.differences(), which needs no gradient",
                "function",
            ) from refused
        size = torch.finfo(out.dtype).eps * float(derivative.abs().max()) * derivative.shape[1] ** 0.5
        return derivative.double(), torch.full_like(derivative, size, dtype=torch.float64)


_ROUNDING = 1e3
"""Roundings of the largest output by which two ways of summing may differ."""


def checked_channels(function: SequenceMap, operating: Tensor) -> int:
    """Output channels of a map, after three calls that show whether its response can be measured.

    Args:
        function: The map.
        operating: (1, T, features).

    Raises:
        InputError: If it returns no tensor (1, T, channels) of finite numbers, other numbers at a second call, or
            other numbers when a second batch entry is there.
    """
    with torch.no_grad():
        first = _output(function(operating), operating)
        again = _output(function(operating), operating)
        other = torch.cat([operating, operating.flip(1) + 1 + operating.abs().max()])
        beside = _output(function(other), other)[:1]
    scale = _ROUNDING * torch.finfo(first.dtype).eps * float(first.abs().max())
    apart = float((first - again).abs().max())
    if apart > scale:
        raise InputError(
            "the same output for the same input",
            f"a difference of {apart:.3g}",
            "call eval() on the network, or fix what it draws at random",
            "function",
        )
    apart = float((first - beside).abs().max())
    if apart > scale:
        raise InputError(
            "batch entries that do not act on each other",
            f"a difference of {apart:.3g} once a second one is there",
            "call eval() on the network, or put the batch first (batch_first=True)",
            "function",
        )
    return first.shape[-1]


def _output(result: object, inputs: Tensor) -> Tensor:
    if not isinstance(result, Tensor):
        raise InputError(
            "a tensor of shape (batch, steps, channels)",
            f"a {type(result).__name__}",
            "wrap the network so that it returns one, for instance lambda x: network(x)[0]",
            "function",
        )
    if result.ndim != 3 or result.shape[:2] != inputs.shape[:2] or not result.is_floating_point():
        raise InputError(
            f"real outputs of shape ({inputs.shape[0]}, {inputs.shape[1]}, channels)",
            f"{result.dtype} of shape {tuple(result.shape)}",
            "return one output a step, batch first",
            "function",
        )
    if not bool(result.isfinite().all()):
        step = int((~result.isfinite()).any(2).any(0).byte().argmax())
        raise InputError(
            "finite outputs", f"NaN or infinity at step {step}", "check the network and its input", "function"
        )
    return result


_DIFFERENCES = Differences()


@final
@dataclass(frozen=True)
class Response:
    """The first-order response to harmonics around one operating input.

    Attributes:
        frequency: (F,) float64, in cycles per unit of time.
        transfer: (F, C, I) complex128, output channel over input feature; |transfer| in units of the output per unit
            of the input, its angle the phase by which the output leads.
        error: (F, C, I) float64 bound on |transfer|'s error from the derivative.
        unsteady: (F, C, I) float64 root mean square of what is not a steady harmonic of this frequency, as a share
            of the whole response, 0 to 1: a transient not over, or a map that changes along the sequence.
        skip: Steps left out at the beginning.
    """

    frequency: Tensor
    transfer: Tensor
    error: Tensor
    unsteady: Tensor
    skip: int

    @property
    def gain(self) -> Tensor:
        """(F, C, I) float64 |transfer|."""
        return self.transfer.abs()

    @property
    def decibels(self) -> Tensor:
        """(F, C, I) float64 gain in dB, 20 log10 |transfer|; -inf where there is none."""
        return 20 * self.gain.log10()

    @property
    def phase(self) -> Tensor:
        """(F, C, I) float64 phase in radians, in (-pi, pi]; negative where the output is late."""
        return self.transfer.angle()


def response(
    function: SequenceMap,
    operating: Tensor | ArrayLike,
    frequencies: Tensor | Sequence[float] | None = None,
    *,
    rate: float = 1.0,
    skip: int | None = None,
    derivative: Derivative = _DIFFERENCES,
    batch: int = 256,
) -> Response:
    """Gain and phase of a map between sequences for faint harmonics added to one input.

    With J the map's derivative at the operating input u and e_f(t) = exp(2 pi i f t / rate) in one input feature,

        transfer(f) = mean over t >= skip of (J e_f)(t) exp(-2 pi i f t / rate).

    For a linear time-invariant map, or any that has settled around a constant input, this is its frequency response
    (Oppenheim, Schafer, Discrete-Time Signal Processing, section 2.6), at any frequency and without leakage,
    since the perturbation is complex. Around an input that varies it is the mean over time, and `unsteady` says how
    much else there is. How far from linear the map is does not enter: the perturbation is infinitely small.

    Args:
        function: From (batch, T, features) to (batch, T, channels); its batch entries must not know of each other.
        operating: (T, features), or (1, T, features): the input around which the response is taken.
        frequencies: In cycles per unit of time, 0 to rate / 2. None for 16 of equal ratio from one cycle in the
            steps used up to rate / 2.
        rate: Samples per unit of time: per second for Hz, 1 for cycles per step.
        skip: Steps at the beginning, the transient, not to use; None for half of them.
        derivative: How J is applied.
        batch: Maximum number of sequences in one call of the function.

    Raises:
        InputError: If an argument is impossible, or the function returns no tensor of the right shape, no finite
            numbers, other numbers at a second call, or lets batch entries act on each other.

    Example:
        >>> import torch
        >>> from overtone.spectra.sequence import response
        >>> found = response(lambda u: 3 * u, torch.zeros(32, 1), [0.125, 0.25])
        >>> found.gain[:, 0, 0].round(decimals=3).tolist()
        [3.0, 3.0]
    """
    operating_input = as_tensor(operating)
    start = checked_sequences(
        operating_input[None] if operating_input.ndim == 2 else operating_input, "operating"
    ).detach()
    if len(start) != 1:
        raise InputError(
            "one operating input", f"{len(start)}", "pass operating[:1], or one after the other", "operating"
        )
    steps, features = start.shape[1:]
    left = steps // 2 if skip is None else skip
    if not 0 <= left <= steps - 2:
        raise InputError(f"0 to {steps - 2} of {steps} steps to skip", f"{left}", "pass fewer", "skip")
    if batch < 2 * derivative.calls:
        raise InputError(f"a batch of at least {2 * derivative.calls}", f"{batch}", "pass more", "batch")
    per_step = _frequencies(frequencies, steps - left, positive_rate(rate))
    channels = checked_channels(function, start)
    angle = 2 * math.pi * per_step[:, None] * torch.arange(steps, dtype=torch.float64, device="cpu")
    # Complex harmonics: a response at one frequency without leakage, at any frequency.
    waves = torch.polar(torch.ones_like(angle), angle).to(start.device)
    measured = start.new_empty(3, len(waves), channels, features, dtype=torch.complex128)
    pairs = torch.cartesian_prod(
        torch.arange(len(waves), device="cpu"), torch.arange(features, device="cpu")
    ).to(start.device)
    for part in pairs.split(max(1, batch // (2 * derivative.calls))):
        which, feature = part.unbind(1)
        shaken, error = _shaken(function, start[0], waves[which], feature, derivative)
        measured[:, which, :, feature] = _harmonic(shaken[:, left:], error[:, left:], waves[which, left:])
    transfer, error, unsteady = measured[0], measured[1].real.clone(), measured[2].real.clone()
    return Response((per_step * rate).to(start.device), transfer, error, unsteady, left)


def _shaken(
    function: SequenceMap, operating: Tensor, waves: Tensor, feature: Tensor, derivative: Derivative
) -> tuple[Tensor, Tensor]:
    """(B, T, C) complex derivative along each wave in its feature, and a bound on its modulus' error."""
    steps, features = operating.shape
    directions = operating.new_zeros(2, len(waves), steps, features)
    rows = torch.arange(len(waves), device=operating.device)
    # The map is real: real and imaginary part go through it as two directions.
    directions[0, rows, :, feature] = waves.real.to(operating.dtype)
    directions[1, rows, :, feature] = waves.imag.to(operating.dtype)
    out, error = derivative.along(function, operating, directions.flatten(0, 1))
    real, imaginary = out.unflatten(0, (2, -1))
    return torch.complex(real, imaginary), error.unflatten(0, (2, -1)).square().sum(0).sqrt()


def _harmonic(shaken: Tensor, error: Tensor, waves: Tensor) -> Tensor:
    """(B, 3, C) transfer, its error and the share of the response that is no steady harmonic."""
    wave = waves[..., None]
    transfer = (shaken * wave.conj()).mean(1)
    square = shaken.abs().square().mean(1)
    remainder = (shaken - transfer[:, None] * wave).abs().square().mean(1)
    unsteady = torch.where(square > 0, remainder / square, 0.0).sqrt()
    return torch.stack([transfer, error.mean(1).to(transfer), unsteady.to(transfer)], dim=1)


def _frequencies(frequencies: Tensor | Sequence[float] | None, used: int, rate: float) -> Tensor:
    """(F,) float64 frequencies in cycles per step."""
    if frequencies is None:
        return torch.logspace(
            math.log10(1 / used), math.log10(0.5), 16, dtype=torch.float64, device="cpu"
        ).clamp(max=0.5)
    per_step = as_tensor(frequencies, torch.float64).cpu().flatten() / rate
    if not len(per_step) or not bool(((per_step >= 0) & (per_step <= 0.5 * (1 + 1e-9))).all()):
        raise InputError(
            f"frequencies of 0 to {rate / 2:g}, half the sampling rate",
            f"{(per_step * rate).tolist()[:8]}",
            "pass others, or the rate",
            "frequencies",
        )
    return per_step
