"""NTK regression: fit of an infinitely wide network on a grid, stopped at the minimum held-out error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import Tensor

from overtone._utils.statistics import psnr_from_error
from overtone.errors import InputError
from overtone.nn import CoordinateScaling, Field
from overtone.nn.encodings import Encoding, FourierEncoding
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
    """An infinitely wide network after a Fourier encoding, and the spacing of a grid's samples in its coordinates.

    Attributes:
        network: The infinitely wide network; its inputs are Fourier features.
        spacing: Distance of neighbouring samples per axis, in the unit of the encoding's coordinates.

    Example:
        >>> from overtone.nn.encodings import Gaussian
        >>> from overtone.signals import array
        >>> signal = array([[0.0, 1.0], [1.0, 0.0]])
        >>> NTKModel.from_encoding(Gaussian(2, 16, sigma=1.0), signal.geometry).spacing
        (0.5, 0.5)
    """

    network: InfiniteNetwork
    spacing: tuple[float, ...]

    def operator(self, shape: tuple[int, ...], present: Tensor | None = None) -> ToeplitzOperator:
        """Return the tangent kernel between the present samples of a grid of `shape`, float64.

        Axes along which all frequencies complete whole cycles are not doubled.

        Args:
            shape: Samples per axis.
            present: (*shape) bool, or None for all.

        Raises:
            InputError: If the axes do not fit or no sample is present.
        """
        periodic = periodic_axes(self.network, shape, self.spacing)
        return ToeplitzOperator(
            stationary_kernel_lags(self.network, shape, self.spacing, periodic), shape, periodic, present
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
        """Return the infinitely wide network in NTK parameterisation after an encoding, with its present frequencies.

        Args:
            encoding: A Fourier encoding.
            grid: Geometry of the samples; it is scaled to the encoding's domain as for training.
            depth: Hidden layers.
            dual: The activation; None for ReLU.
            bias: Standard deviation sigma_b of the biases; the weights have sigma_w^2 = 2.

        Raises:
            InputError: If the encoding has no frequencies, or a number of layers is below 1.
        """
        if depth < 1:
            raise InputError("at least one hidden layer", f"{depth}", "increase the depth", "depth")
        layers = [DenseLayer.ntk(sigma_b=bias)] * (depth + 1)
        network = InfiniteNetwork.fully_connected(layers, dual or DualActivation.relu(), _features(encoding))
        frame = CoordinateScaling.of(grid.origin, grid.extent, grid.units, encoding.domain)
        return NTKModel(network, _spacing(frame, encoding, grid))

    @staticmethod
    def from_field(field: Field, grid: Grid) -> NTKModel:
        """Return the infinitely wide counterpart of a field with PyTorch's initialisation, at the field's fan-ins.

        Args:
            field: A field whose encoding has frequencies and whose body has a limit, see
                `InfiniteNetwork.from_torch`.
            grid: Geometry of the samples.

        Raises:
            InputError: If the encoding has no frequencies or a layer has no infinitely wide counterpart.
        """
        return NTKModel(
            InfiniteNetwork.from_torch(field.body, _features(field.encoding)),
            _spacing(field.frame, field.encoding, grid),
        )


def _features(encoding: Encoding) -> FourierMap:
    if not isinstance(encoding, FourierEncoding):
        raise InputError(
            "an encoding with frequencies, for which the kernel is stationary",
            encoding.describe(),
            "use a Gaussian or positional encoding",
            "encoding",
        )
    return FourierMap(encoding.frequencies, encoding.gain)


def _spacing(frame: CoordinateScaling, encoding: Encoding, grid: Grid) -> tuple[float, ...]:
    axes = len(grid.shape)
    if encoding.in_features != axes or len(frame.scale) != axes:
        raise InputError(
            f"an encoding of {axes} coordinates",
            f"{encoding.in_features}",
            "build an encoding for this grid",
            "model",
        )
    return tuple(pitch * scale for pitch, scale in zip(grid.spacing, frame.scale.tolist(), strict=True))


DECADES, PER_DECADE = 11, 8
"""Times run from 0.1 to 10^10 in units of 1 / largest eigenvalue: beyond these, float64 cannot resolve modes."""


@final
@dataclass(frozen=True)
class NTKFit:
    """The fit of an infinitely wide network to a signal.

    Attributes:
        prediction: (*shape, C) fit at the chosen time, physical values in the signal's precision.
        times: (T,) training times under gradient flow on half the summed squared residual, in units of
            1 / kernel; the steps of gradient descent times the learning rate.
        error: (T, C) mean squared held-out error in value units squared, NaN for times without convergence; for a
            stop by cross-validation its estimate, the same sum in every channel.
        index: Index of the chosen time.
        verdict: Position of the minimum error among the times.
        vectors: Krylov vectors of all channels together; 0 for a closed form.
        held_out: Number of held-out samples used to choose the time; 0 for a stop by cross-validation.
        change: Change of the held-out predictions at the last extension of the Krylov spaces, relative to their
            error.
        complete: Whether no later time had a smaller estimated error when the search ended.
        modes: Modes of the cross-validation; 0 for a stop by held-out samples.
        mirrored_axes: Axes along which the kernel was replaced by the nearest one that cosines diagonalise.
    """

    prediction: Tensor
    times: Tensor
    error: Tensor
    index: int
    verdict: StopVerdict
    vectors: int
    held_out: int = 0
    change: float = 0.0
    complete: bool = True
    modes: int = 0
    mirrored_axes: tuple[int, ...] = ()

    @property
    def time(self) -> float:
        """The chosen training time, in units of 1 / kernel."""
        return float(self.times[self.index])

    @property
    def held_out_error(self) -> float:
        """Mean squared error at the chosen time over all channels, in value units squared."""
        return float(self.error[self.index].mean())

    @property
    def last_settled_time(self) -> float:
        """The latest training time whose error has converged, in units of 1 / kernel."""
        return float(self.times[int((~self.error.isnan().any(1)).sum()) - 1])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the choice of the stop and its reliability, from the other attributes."""
        if not self.held_out:
            notes = [
                f"Stopped at time {self.time:.3g} by generalised cross-validation on {self.modes} modes."
            ]
            if self.mirrored_axes:
                axes = list(self.mirrored_axes)
                notes.append(
                    f"Axes {axes}: the kernel is the nearest one that cosines about the borders diagonalise."
                )
            return tuple(notes)
        notes = [
            f"Stopped at time {self.time:.3g} by {self.held_out} held-out samples.",
            f"{self.vectors} Krylov vectors; the last extension of the spaces changed the held-out predictions by "
            f"{self.change:.1g} of their error.",
        ]
        if not self.complete:
            notes.append(
                f"Times after {self.last_settled_time:.3g} have not converged, and the error there may be smaller: "
                "allow more vectors or memory."
            )
        elif self.verdict is StopVerdict.AT_START:
            notes.append("No fit has a smaller error than the mean on the held-out samples.")
        return tuple(notes)

    def psnr(self, peak: float) -> float:
        """Return the held-out error as a peak signal-to-noise ratio in dB."""
        return psnr_from_error(max(self.held_out_error, torch.finfo(torch.float64).tiny), peak)


def training_times(scale: float) -> Tensor:
    """Return (T,) log-spaced times from 0.1 / scale to 10^10 / scale, eight per decade."""
    return (
        torch.logspace(-1, DECADES - 1, DECADES * PER_DECADE + 1, dtype=torch.float64, device="cpu") / scale
    )


def fit(signal: Signal, model: NTKModel, options: SolverOptions | None = None) -> NTKFit:
    """Fit the training samples by gradient flow of the network's kernel and stop at the minimum held-out error.

    The network starts from the mean of the training samples. Samples that are neither training nor held-out samples
    are predicted. Products use FFTs on the grid and all times share one Krylov space per channel, so the cost is N
    log N per vector; the number of vectors depends on the kernel, the gaps and the time.

    Args:
        signal: A signal with held-out samples, which determine the time and are not used for training.
        model: The infinitely wide network on this signal's grid.
        options: Accuracy and limits of the solver.

    Returns:
        The fit.

    Raises:
        InputError: If there are no held-out samples, or the model's axes do not fit.
        RunError: If the computation converges at no time.

    Source:
        Lee et al. 2019, "Wide neural networks of any depth evolve as linear models under gradient descent",
        arXiv 1902.06720, equation 10, with an initial output of 0.

    Example:
        >>> import torch
        >>> from overtone.nn.encodings import Gaussian
        >>> from overtone.signals import array, masks
        >>> from overtone.theory import kernel_regression
        >>> axis = torch.arange(16) / 16
        >>> signal = array((6.28 * axis).sin()[:, None] + (6.28 * axis).cos())
        >>> signal = signal.with_held_out(masks.random(signal.geometry, 0.3, seed=0))
        >>> model = kernel_regression.NTKModel.from_encoding(Gaussian(2, 32, sigma=1.0), signal.geometry)
        >>> fit = kernel_regression.fit(signal, model)
        >>> fit.prediction.shape, fit.verdict.name
        (torch.Size([16, 16, 1]), 'INTERIOR')
    """
    held = signal.held_out_index
    if not len(held):
        raise InputError(
            "held-out samples, which determine the stopping time",
            "none",
            "pass signal.with_held_out(masks.random(signal.geometry)), or use fit_full_grid",
            "signal",
        )
    values = signal.normalisation.apply(signal.values.double())
    solution = solve_error_path(
        signal.geometry.shape, values, signal.train_index, held, model, options or SolverOptions()
    )
    path, time = solution.path, float(solution.times[solution.path.best])
    fitted = signal.normalisation.restore(solution.channels.predict(time) + solution.mean)
    scale = signal.normalisation.scale.to(values).square()
    error = torch.where(path.settled[:, None], path.error * scale, float("nan"))
    return NTKFit(
        fitted.to(signal.values.dtype),
        solution.times,
        error,
        path.best,
        _verdict(path),
        path.vectors,
        held_out=len(held),
        change=path.change,
        complete=path.complete,
    )


class Solved(NamedTuple):
    """Solution of a fit over time: its channels, the times, the errors, and the (C,) initial mean."""

    channels: PrincipalChannels
    times: Tensor
    path: ErrorPath
    mean: Tensor


def solve_error_path(
    shape: tuple[int, ...],
    values: Tensor,
    train: Tensor,
    held: Tensor,
    model: NTKModel,
    options: SolverOptions,
) -> Solved:
    """Compute the fit of some samples of a grid until the time of minimum error on other samples has converged.

    Args:
        shape: Samples per axis.
        values: (N, C) float64 values on the grid.
        train: Flat indices of the samples to fit.
        held: Flat indices of the samples that determine the time.
        model: The infinitely wide network.
        options: Accuracy and limits of the solver.

    Raises:
        InputError: If the model's axes do not fit.
        RunError: If the computation converges at no time.
    """
    present = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    present[train] = True
    operator = model.operator(shape, present.reshape(shape))
    mean = values[train].mean(0)
    channels = PrincipalChannels(operator, values[train] - mean, held)
    # The circulant's largest eigenvalue bounds the kernel's, so the first time is early for every mode.
    times = training_times(float(operator.spectrum.max())).to(values.device)
    # A vector has values at the training samples, and its product at the held-out samples.
    max_vectors = options.max_vectors(len(train) + len(held), values.shape[1])
    path = follow_error_path(channels, values[held] - mean, times, options, max_vectors)
    return Solved(channels, times, path, mean)


def _verdict(path: ErrorPath) -> StopVerdict:
    if path.best == 0:
        return StopVerdict.AT_START
    last = int(path.settled.sum()) - 1
    return StopVerdict.AT_END if path.best == last and not path.complete else StopVerdict.INTERIOR
