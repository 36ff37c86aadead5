"""Small-signal gain and phase per frequency of maps between sequences."""

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
"""Map from (batch, steps, features) to (batch, steps, channels), independent for each batch entry."""


class Derivative(ABC):
    """Method to compute J v with J the derivative of the outputs with respect to the inputs.

    Example:
        >>> import torch
        >>> from overtone.spectra.sequence import Derivative, response
        >>> exact = Derivative.double_backward()
        >>> result = response(lambda u: 2 * u, torch.zeros(16, 1), [0.125], derivative=exact)
        >>> round(float(result.gain), 6)
        2.0
    """

    @staticmethod
    def differences(size: float = 0.0) -> Derivative:
        """Return extrapolated central differences, for any function.

        Args:
            size: Step size in units of the input; 0 for the size that balances truncation and rounding
                errors.
        """
        return Differences(size)

    @staticmethod
    def double_backward() -> Derivative:
        """Return two reverse passes, exact to rounding, for functions that are twice differentiable."""
        return DoubleBackward()

    @property
    @abstractmethod
    def calls(self) -> int:
        """Number of batch entries of the function per direction."""

    @abstractmethod
    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Compute J v at one input.

        Args:
            function: The map.
            operating: (T, F) input at which the derivative is computed.
            directions: (B, T, F) directions v.

        Returns:
            (B, T, C) float64 derivatives, and (B, T, C) float64 estimates of their absolute error.
        """


@final
@dataclass(frozen=True)
class Differences(Derivative):
    """Central differences with step sizes h and h / 2 and Richardson extrapolation, for any function.

    D(h) = (f(u + h v) - f(u - h v)) / (2 h), J v = D(h/2) + (D(h/2) - D(h)) / 3 + O(h^4). The error estimate
    is |D(h/2) - D(h)| / 3, the error of D(h/2), which is an upper bound for a smooth function, plus the
    rounding of the four outputs, 4 eps max|f| / h. It is not valid if the function has a kink within h.

    Attributes:
        size: Step size h in units of the input; 0 for eps^(1/5) times the largest modulus of the operating
            input (1 if it is zero), which balances both errors.
    """

    size: float = 0.0

    @property
    def calls(self) -> int:
        """Four: two for each of two step sizes."""
        return 4

    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Compute J v by 4 evaluations without gradients."""
        eps = torch.finfo(operating.dtype).eps
        # Truncation grows as h^4 and rounding as 1 / h: they are balanced at eps^(1/5).
        size = self.size or eps**0.2 * (float(operating.abs().max()) or 1.0)
        offsets = torch.stack([directions * (size * part) for part in (1.0, -1.0, 0.5, -0.5)])
        with torch.no_grad():
            out = function(operating + offsets.flatten(0, 1)).unflatten(0, (4, len(directions))).double()
        coarse, fine = (out[0] - out[1]) / (2 * size), (out[2] - out[3]) / size
        # Richardson extrapolation: the h^2 error of D(h/2) is a third of its difference to D(h).
        correction = (fine - coarse) / 3
        return fine + correction, correction.abs() + 4 * eps * float(out.abs().max()) / size


@final
@dataclass(frozen=True)
class DoubleBackward(Derivative):
    """Two reverse passes, exact to rounding: w -> J^T w is linear in w, and its transpose maps v to J v.

    The method applies to LSTM, GRU, convolutions and attention if the function is twice differentiable;
    attention is evaluated by its mathematical formula and recurrent layers without cuDNN. The error estimate
    is eps times the largest derivative times the square root of the number of steps.
    """

    @property
    def calls(self) -> int:
        """One, stored with its graph."""
        return 1

    def along(self, function: SequenceMap, operating: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """Compute J v by one evaluation and two reverse passes.

        Raises:
            InputError: If the function is not twice differentiable.
        """
        inputs = operating.expand_as(directions).clone().requires_grad_()
        without_cudnn = torch.backends.cudnn.flags(enabled=False)
        try:
            with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), without_cudnn:
                out = function(inputs)
                weights = torch.zeros_like(out, requires_grad=True)
                # J^T w is linear in w, so its derivative with respect to w in the direction v is J v.
                (transposed,) = torch.autograd.grad(out, inputs, weights, create_graph=True)
                (derivative,) = torch.autograd.grad(transposed, weights, directions)
        except RuntimeError as error:
            raise InputError(
                "a function that is twice differentiable",
                f"{str(error).splitlines()[0]!r}",
                "pass derivative=Derivative.differences(), which needs no gradients",
                "function",
            ) from error
        size = torch.finfo(out.dtype).eps * float(derivative.abs().max()) * derivative.shape[1] ** 0.5
        return derivative.double(), torch.full_like(derivative, size, dtype=torch.float64)


_ROUNDING = 1e3
"""Tolerance of the difference between evaluations, in machine epsilons of the largest output."""


def checked_channels(function: SequenceMap, operating: Tensor) -> int:
    """Return the number of output channels of a map, after three test calls.

    Args:
        function: The map.
        operating: (1, T, features) operating input.

    Raises:
        InputError: If the result is not a tensor (1, T, channels) of finite numbers, differs at a second
            call, or depends on a second batch entry.
    """
    with torch.no_grad():
        first = _output(function(operating), operating)
        repeated = _output(function(operating), operating)
        pair = torch.cat([operating, operating.flip(1) + 1 + operating.abs().max()])
        with_second = _output(function(pair), pair)[:1]
    scale = _ROUNDING * torch.finfo(first.dtype).eps * float(first.abs().max())
    difference = float((first - repeated).abs().max())
    if difference > scale:
        raise InputError(
            "the same output for the same input",
            f"a difference of {difference:.3g}",
            "call eval() on the network, or fix the seed of its random numbers",
            "function",
        )
    difference = float((first - with_second).abs().max())
    if difference > scale:
        raise InputError(
            "independent batch entries",
            f"a difference of {difference:.3g} caused by a second batch entry",
            "call eval() on the network, or put the batch first (batch_first=True)",
            "function",
        )
    return first.shape[-1]


def _output(result: object, inputs: Tensor) -> Tensor:
    if not isinstance(result, Tensor):
        raise InputError(
            "a tensor of shape (batch, steps, channels)",
            f"a {type(result).__name__}",
            "wrap the network to return one tensor, for instance lambda x: network(x)[0]",
            "function",
        )
    if result.ndim != 3 or result.shape[:2] != inputs.shape[:2] or not result.is_floating_point():
        raise InputError(
            f"real outputs of shape ({inputs.shape[0]}, {inputs.shape[1]}, channels)",
            f"{result.dtype} of shape {tuple(result.shape)}",
            "return one output per step, batch first",
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
    """First-order response to harmonics around one operating input.

    Attributes:
        frequency: (F,) float64, in cycles per unit of time.
        transfer: (F, C, I) complex128, output channel over input feature; |transfer| in units of the output per unit
            of the input, its angle the phase by which the output leads.
        error: (F, C, I) float64 bound on the error of |transfer| due to the derivative.
        unsteady: (F, C, I) float64 root mean square of the part that is not a steady harmonic of this frequency, as
            a share of the response, 0 to 1: a transient, or a map that changes along the sequence.
        skip: Number of skipped initial steps.
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
        """(F, C, I) float64 gain in dB, 20 log10 |transfer|; -inf for zero gain."""
        return 20 * self.gain.log10()

    @property
    def phase(self) -> Tensor:
        """(F, C, I) float64 phase in radians, in (-pi, pi]; negative if the output lags."""
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
    """Measure gain and phase of a map between sequences for small harmonics added to one input.

    With J the map's derivative at the operating input u and e_f(t) = exp(2 pi i f t / rate) in one input
    feature,

        transfer(f) = mean over t >= skip of (J e_f)(t) exp(-2 pi i f t / rate).

    For a linear time-invariant map, or any map that has settled around a constant input, this is its
    frequency response (Oppenheim, Schafer, Discrete-Time Signal Processing, section 2.6), at any frequency
    and without leakage, since the perturbation is complex. Around a varying input it is the mean over time,
    and `unsteady` measures the remainder. The result does not depend on the nonlinearity of the map, because
    the perturbation is infinitesimal.

    Args:
        function: Function from (batch, T, features) to (batch, T, channels), independent for each batch
            entry.
        operating: (T, features) or (1, T, features) input around which the response is measured.
        frequencies: Frequencies in cycles per unit of time, 0 to rate / 2; None for 16 of equal ratio from
            one cycle in the steps used up to rate / 2.
        rate: Samples per unit of time: per second for Hz, 1 for cycles per step.
        skip: Number of initial steps, the transient, to skip; None for half of the steps.
        derivative: Method to compute J v.
        batch: Maximum number of sequences per call of the function.

    Raises:
        InputError: If an argument is invalid, or the function does not return a tensor of finite numbers of
            the right shape, is random, or mixes batch entries.

    Example:
        >>> import torch
        >>> from overtone.spectra.sequence import response
        >>> result = response(lambda u: 3 * u, torch.zeros(32, 1), [0.125, 0.25])
        >>> result.gain[:, 0, 0].round(decimals=3).tolist()
        [3.0, 3.0]
    """
    operating_input = as_tensor(operating)
    start = checked_sequences(
        operating_input[None] if operating_input.ndim == 2 else operating_input, "operating"
    ).detach()
    if len(start) != 1:
        raise InputError(
            "one operating input",
            f"{len(start)}",
            "pass operating[:1], or measure each separately",
            "operating",
        )
    steps, features = start.shape[1:]
    skipped = steps // 2 if skip is None else skip
    if not 0 <= skipped <= steps - 2:
        raise InputError(
            f"0 to {steps - 2} of {steps} steps to skip", f"{skipped}", "pass a smaller number", "skip"
        )
    if batch < 2 * derivative.calls:
        raise InputError(f"a batch of at least {2 * derivative.calls}", f"{batch}", "pass more", "batch")
    per_step = _frequencies(frequencies, steps - skipped, positive_rate(rate))
    channels = checked_channels(function, start)
    angle = 2 * math.pi * per_step[:, None] * torch.arange(steps, dtype=torch.float64, device="cpu")
    # Complex harmonics have no leakage at any frequency.
    waves = torch.polar(torch.ones_like(angle), angle).to(start.device)
    measured = start.new_empty(3, len(waves), channels, features, dtype=torch.complex128)
    pairs = torch.cartesian_prod(
        torch.arange(len(waves), device="cpu"), torch.arange(features, device="cpu")
    ).to(start.device)
    for part in pairs.split(max(1, batch // (2 * derivative.calls))):
        which, feature = part.unbind(1)
        derivatives, error = _derivative_along_waves(function, start[0], waves[which], feature, derivative)
        measured[:, which, :, feature] = _harmonic(
            derivatives[:, skipped:], error[:, skipped:], waves[which, skipped:]
        )
    transfer, error, unsteady = measured[0], measured[1].real.clone(), measured[2].real.clone()
    return Response((per_step * rate).to(start.device), transfer, error, unsteady, skipped)


def _derivative_along_waves(
    function: SequenceMap, operating: Tensor, waves: Tensor, feature: Tensor, derivative: Derivative
) -> tuple[Tensor, Tensor]:
    """Return the (B, T, C) complex derivative along each wave in its feature, and a bound on its error."""
    steps, features = operating.shape
    directions = operating.new_zeros(2, len(waves), steps, features)
    rows = torch.arange(len(waves), device=operating.device)
    # The map is real, so the real and imaginary parts are two separate directions.
    directions[0, rows, :, feature] = waves.real.to(operating.dtype)
    directions[1, rows, :, feature] = waves.imag.to(operating.dtype)
    out, error = derivative.along(function, operating, directions.flatten(0, 1))
    real, imaginary = out.unflatten(0, (2, -1))
    return torch.complex(real, imaginary), error.unflatten(0, (2, -1)).square().sum(0).sqrt()


def _harmonic(derivatives: Tensor, error: Tensor, waves: Tensor) -> Tensor:
    """Return (B, 3, C): transfer, its error, and the share of the response that is not a steady harmonic."""
    wave = waves[..., None]
    transfer = (derivatives * wave.conj()).mean(1)
    square = derivatives.abs().square().mean(1)
    remainder = (derivatives - transfer[:, None] * wave).abs().square().mean(1)
    unsteady = torch.where(square > 0, remainder / square, 0.0).sqrt()
    return torch.stack([transfer, error.mean(1).to(transfer), unsteady.to(transfer)], dim=1)


def _frequencies(frequencies: Tensor | Sequence[float] | None, steps: int, rate: float) -> Tensor:
    """Return the (F,) float64 frequencies in cycles per step."""
    if frequencies is None:
        return torch.logspace(
            math.log10(1 / steps), math.log10(0.5), 16, dtype=torch.float64, device="cpu"
        ).clamp(max=0.5)
    per_step = as_tensor(frequencies, torch.float64).cpu().flatten() / rate
    if not len(per_step) or not bool(((per_step >= 0) & (per_step <= 0.5 * (1 + 1e-9))).all()):
        raise InputError(
            f"frequencies of 0 to {rate / 2:g}, half the sampling rate",
            f"{(per_step * rate).tolist()[:8]}",
            "pass valid frequencies, or the rate",
            "frequencies",
        )
    return per_step
