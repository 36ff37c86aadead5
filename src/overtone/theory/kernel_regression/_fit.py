"""The wide network whose fit is wanted, on a signal's grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from overtone.errors import InputError
from overtone.nn import Field, Frame
from overtone.nn.encodings import Encoding, Fourier
from overtone.signals import Grid, Signal
from overtone.theory.kernel_regression._krylov import (
    ErrorPath,
    PrincipalChannels,
    SolverOptions,
    follow_error_path,
)
from overtone.theory.ntk import DenseLayer, DualActivation, InfiniteNetwork
from overtone.theory.ntk._infinite.feature_maps import FourierMap
from overtone.theory.ntk._operators.stationary import ToeplitzOperator, periodic_axes, stationary_kernel_lags
from overtone.theory.risk import StopVerdict


@final
@dataclass(frozen=True)
class NTKModel:
    """A wide network after a Fourier encoding, and how far apart it sees a grid's samples.

    Attributes:
        wide: The network; its inputs are Fourier features.
        spacing: Distance of neighbouring samples per axis, in the unit of the encoding's coordinates.
    """

    wide: InfiniteNetwork
    spacing: tuple[float, ...]

    def operator(self, shape: tuple[int, ...], present: Tensor | None = None) -> ToeplitzOperator:
        """The tangent kernel between the present samples of a grid of `shape`, float64.

        Axes along which all frequencies complete whole cycles are not doubled.

        Args:
            shape: Samples per axis.
            present: (*shape) bool, or None for all.

        Raises:
            InputError: If the axes do not fit or no sample is present.
        """
        around = periodic_axes(self.wide, shape, self.spacing)
        return ToeplitzOperator(
            stationary_kernel_lags(self.wide, shape, self.spacing, around), shape, around, present
        )

    @staticmethod
    def from_encoding(
        encoding: Encoding,
        grid: Grid,
        *,
        depth: int = 3,
        dual: DualActivation | None = None,
        bias: float = 0.0,
    ) -> NTKModel:
        """The infinitely wide network in NTK parameterisation after an encoding with the frequencies it has.

        Args:
            encoding: A Fourier encoding.
            grid: Where the samples lie; it is brought to the encoding's domain as for training.
            depth: Hidden layers.
            dual: The activation; None for ReLU.
            bias: Standard deviation sigma_b of the biases; the weights have sigma_w^2 = 2.

        Raises:
            InputError: If the encoding has no frequencies, or a number of layers is below 1.
        """
        if depth < 1:
            raise InputError("at least one hidden layer", f"{depth}", "raise it", "depth")
        layers = [DenseLayer.ntk(sigma_b=bias)] * (depth + 1)
        wide = InfiniteNetwork.fully_connected(layers, dual or DualActivation.relu(), _features(encoding))
        frame = Frame.of(grid.origin, grid.extent, grid.units, encoding.domain)
        return NTKModel(wide, _spacing(frame, encoding, grid))

    @staticmethod
    def from_field(field: Field, grid: Grid) -> NTKModel:
        """The infinitely wide counterpart of a field as PyTorch initialises it, with the fan-ins it has.

        Args:
            field: Its encoding must have frequencies, its body a limit, see `InfiniteNetwork.from_torch`.
            grid: Where the samples lie.

        Raises:
            InputError: If the encoding has no frequencies or a layer has no infinitely wide counterpart.
        """
        return NTKModel(
            InfiniteNetwork.from_torch(field.body, _features(field.encoding)),
            _spacing(field.frame, field.encoding, grid),
        )


def _features(encoding: Encoding) -> FourierMap:
    if not isinstance(encoding, Fourier):
        raise InputError(
            "an encoding with frequencies, after which the kernel is stationary",
            encoding.describe(),
            "use a Gaussian or positional encoding",
            "encoding",
        )
    return FourierMap(encoding.frequencies, encoding.gain)


def _spacing(frame: Frame, encoding: Encoding, grid: Grid) -> tuple[float, ...]:
    axes = len(grid.shape)
    if encoding.in_features != axes or len(frame.scale) != axes:
        raise InputError(
            f"an encoding of {axes} coordinates", f"{encoding.in_features}", "build it for this grid", "model"
        )
    return tuple(pitch * scale for pitch, scale in zip(grid.spacing, frame.scale.tolist(), strict=True))


DECADES, PER_DECADE = 11, 8
"""Times run from 0.1 to 10^10 in units of 1 / largest eigenvalue: beyond, float64 cannot tell modes apart."""


@final
@dataclass(frozen=True)
class NTKFit:
    """What the infinitely wide network makes of a signal.

    Attributes:
        prediction: (*shape, C) fit at the chosen time, physical values in the signal's precision.
        times: (T,) training times under gradient flow on half the summed squared residual, in units of
            1 / kernel; the steps of gradient descent times the learning rate.
        error: (T, C) mean squared held-out error in value units squared, NaN for times that the computation
            did not settle; for a stop by cross-validation its estimate, summed into each channel alike.
        index: The chosen time's place among the times.
        verdict: Whether the least error lies inside the times.
        vectors: Krylov vectors that it took, of all channels together; 0 for a closed form.
        notes: How the stop was chosen and how far to trust it, in sentences.
    """

    prediction: Tensor
    times: Tensor
    error: Tensor
    index: int
    verdict: StopVerdict
    vectors: int
    notes: tuple[str, ...]

    @property
    def time(self) -> float:
        """The chosen training time, in units of 1 / kernel."""
        return float(self.times[self.index])

    @property
    def held_out_error(self) -> float:
        """Mean squared error at the chosen time over all channels, in value units squared."""
        return float(self.error[self.index].mean())

    def psnr(self, peak: float) -> float:
        """That error as a peak signal-to-noise ratio in dB."""
        return 10 * math.log10(peak**2 / max(self.held_out_error, torch.finfo(torch.float64).tiny))


def training_times(scale: float) -> Tensor:
    """(T,) log-spaced times from 0.1 / scale to 10^10 / scale, eight per decade."""
    return (
        torch.logspace(-1, DECADES - 1, DECADES * PER_DECADE + 1, dtype=torch.float64, device="cpu") / scale
    )


def fit(signal: Signal, model: NTKModel, effort: SolverOptions | None = None) -> NTKFit:
    """Fit the training samples by gradient flow of the wide network's kernel and stop at the least held-out error.

    The network starts from the mean of the training samples. All samples neither trained on nor held out are
    filled in. Products go through FFTs on the grid and all times share one Krylov space per channel (`Krylov`),
    so the cost is N log N per vector; how many vectors it takes depends on the kernel, the gaps and the time.

    Args:
        signal: With held-out samples; they choose the time and are not trained on.
        model: The wide network on this signal's grid.
        effort: How exactly and how far.

    Returns:
        The twin.

    Raises:
        InputError: If nothing is held out, or the model's axes do not fit.
        RunError: If the computation settles at no time.

    Source:
        Lee et al. 2019, "Wide neural networks of any depth evolve as linear models under gradient descent",
        arXiv 1902.06720, equation 10, with an initial output of 0.
    """
    held = signal.held_out_index
    if not len(held):
        raise InputError(
            "held-out samples, which choose the time to stop",
            "none",
            "pass signal.with_held_out(masks.random(signal.geometry)), or use kernel_regression.fit_full_grid",
            "signal",
        )
    values = signal.normalisation.apply(signal.values.double())
    solved = solve_error_path(
        signal.geometry.shape, values, signal.train_index, held, model, effort or SolverOptions()
    )
    found, time = solved.found, float(solved.times[solved.found.best])
    fitted = signal.normalisation.restore(solved.channels.predict(time) + solved.mean)
    scale = signal.normalisation.scale.to(values).square()
    error = torch.where(found.settled[:, None], found.error * scale, float("nan"))
    verdict = _verdict(found)
    notes = _notes(found, verdict, solved.times, len(held))
    prediction = fitted.to(signal.values.dtype)
    return NTKFit(prediction, solved.times, error, found.best, verdict, found.vectors, notes)


class Solved(NamedTuple):
    """A fit followed in time: its channels, the times, what was found, and the (C,) mean it starts from."""

    channels: PrincipalChannels
    times: Tensor
    found: ErrorPath
    mean: Tensor


def solve_error_path(
    shape: tuple[int, ...],
    values: Tensor,
    train: Tensor,
    held: Tensor,
    model: NTKModel,
    effort: SolverOptions,
) -> Solved:
    """Follow the fit of some samples of a grid until the time of least error on others is settled.

    Args:
        shape: Samples per axis.
        values: (N, C) float64 values on the grid.
        train: Flat indices of the samples to fit.
        held: Flat indices of the samples that choose the time.
        model: The wide network.
        effort: How exactly and how far.

    Raises:
        InputError: If the model's axes do not fit.
        RunError: If the computation settles at no time.
    """
    present = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    present[train] = True
    operator = model.operator(shape, present.reshape(shape))
    mean = values[train].mean(0)
    channels = PrincipalChannels(operator, values[train] - mean, held)
    times = training_times(float(operator.spectrum.max())).to(values.device)
    most = effort.max_vectors(len(train) + len(held), values.shape[1])
    return Solved(
        channels, times, follow_error_path(channels, values[held] - mean, times, effort, most), mean
    )


def _verdict(found: ErrorPath) -> StopVerdict:
    if found.best == 0:
        return StopVerdict.AT_START
    last = int(found.settled.sum()) - 1
    return StopVerdict.AT_END if found.best == last and not found.complete else StopVerdict.INTERIOR


def _notes(found: ErrorPath, verdict: StopVerdict, times: Tensor, held: int) -> tuple[str, ...]:
    notes = [
        f"Stopped at time {float(times[found.best]):.3g} by {held} held-out samples.",
        f"{found.vectors} Krylov vectors; growing the spaces last moved the held-out predictions by "
        f"{found.change:.1g} of their error.",
    ]
    if not found.complete:
        last = float(times[int(found.settled.sum()) - 1])
        notes.append(
            f"Later than time {last:.3g} nothing is settled, and the error there may be less: allow more vectors "
            "or memory."
        )
    elif verdict is StopVerdict.AT_START:
        notes.append("Nothing beyond the mean helps on the held-out samples.")
    return tuple(notes)
