"""Every estimator of `overtone.spectra` as the contract asks for it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from overtone.spectra import GridTransform, LeastSquares, PointsTransform, Quadrature, axis_grid
from overtone.spectra.cloud import DirectionTransform, Exact, GaussianFilter, GraphTransform, NearFar
from overtone.spectra.layers import Full, read_out
from overtone.spectra.paths import Paths
from overtone.spectra.paths import spectrum as path_spectrum
from overtone.spectra.samples import profiles
from overtone.spectra.sensitivity import gradient_spectrum, low_pass
from overtone.spectra.sequence import (
    EvenExtension,
    Multitaper,
    Periodic,
    SequenceTransform,
    TemporalEstimator,
    Welch,
    response,
)
from tests.contract_estimators.estimator import Estimator, Known

ROUNDED = 1e-12
"""Some thousand additions of numbers of size 1, each rounded to 2.2e-16."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def harmonic(steps: int, cycles: float, even: bool = False) -> Tensor:
    """(steps, 1) the wave of amplitude 1 at a mode of the line: on even lines at the middles of its cells."""
    at = (torch.arange(steps, dtype=torch.float64) + (0.5 if even else 0)) / steps
    return torch.cos(2 * math.pi * cycles * at)[:, None]


def in_band(bands: int, which: int, power: float = 0.5) -> Tensor:
    wanted = torch.zeros(bands, 1, dtype=torch.float64)
    wanted[which] = power
    return wanted


def mean_square(values: Tensor) -> Tensor:
    return values.double().square().flatten(0, -2).mean(0)


def on_grid(periodic: bool) -> Estimator:
    edges = [0, 0.5, 2.5, 3.5, 6, 12]
    transform = GridTransform((24, 10), (1 / 24, 1 / 24), periodic, edges)

    def power(values: Tensor) -> Tensor:
        return transform.power(transform.coefficients(values))

    def known() -> Known:
        wave = harmonic(24, 3, even=not periodic)[:, None].expand(24, 10, 1)
        return Known(wave, in_band(transform.bands.count, 2), ROUNDED)

    return Estimator(
        draw=lambda seed: normal(24, 10, 2, seed=seed),
        power=power,
        known=known,
        closure=lambda v: (power(v).sum(0), mean_square(v)),
        moved=lambda v: power(v.roll((5, 3), (0, 1)) if periodic else v.flip(0, 1)),
        rough=None if periodic else lambda v: power(v.roll((5, 3), (0, 1))),
        coefficients=lambda v: transform.coefficients(v).flatten(0, 1),
        twins=("spectra/test_grid.py::test_power_and_cross_power_are_the_dense_sums",),
    )


def on_axis() -> Estimator:
    def power(values: Tensor) -> Tensor:
        return axis_grid(
            values, 0, 1 / 24, periodic=True, channel_axis=-1, bands=[0, 0.5, 2.5, 3.5, 12]
        ).power

    return Estimator(
        draw=lambda seed: normal(24, 10, 2, seed=seed),
        power=power,
        known=lambda: Known(harmonic(24, 3)[:, None].expand(24, 10, 1), in_band(4, 2), ROUNDED),
        closure=lambda v: (power(v).sum(0), mean_square(v)),
        moved=lambda v: power(v.roll(5, 0)),
        twins=("spectra/test_axis.py::test_axis_power_is_the_dense_sum_over_the_other_axes",),
    )


def at_points(method: LeastSquares | Quadrature, scattered: bool) -> Estimator:
    """Least squares at random places; quadrature on even ones, where it is exact."""
    count, top = 90, 20.0
    x = (
        np.random.default_rng(1).random((count, 1))
        if scattered
        else (np.arange(count)[:, None] + 0.5) / count
    )
    edges = [0, 0.5, 2.5, 3.5, 8, top]

    def built(places: np.ndarray) -> PointsTransform:
        return PointsTransform(places, edges, domain=(0, 1), method=method)

    transform, shifted = built(x), built((x + 0.3) % 1)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        found = transform.spectrum(values)
        fit = transform.reconstruct(transform.coefficients(values))
        weights = transform._sampling.weights
        whole = transform.coefficients(values).abs().square().sum(0) + weights @ (values - fit).square()
        return found.power.sum(0) + found.missing, whole

    return Estimator(
        draw=lambda seed: normal(count, 2, seed=seed),
        power=lambda v: transform.power(transform.coefficients(v)),
        known=lambda: Known(torch.from_numpy(np.cos(2 * np.pi * 3 * x)), in_band(5, 2), 1e-6),
        closure=closure,
        moved=lambda v: shifted.power(shifted.coefficients(v)),
        rough=(lambda v: transform.power(transform.coefficients(v.roll(1, 0)))) if scattered else None,
        coefficients=transform.coefficients,
        twins=(
            "spectra_points/test_points.py::test_least_squares_is_the_dense_one"
            if scattered
            else "spectra_points/test_points.py::test_quadrature_is_the_dense_sum",
        ),
        slack=1e-5 if scattered else 0.0,
    )


def ring(count: int) -> tuple[Tensor, Tensor]:
    """Rows at even places on a circle of circumference 1 in 4 dimensions, and their angles."""
    angle = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
    zero = torch.zeros_like(angle)
    return torch.stack([angle.cos(), angle.sin(), zero, zero], 1) / (2 * math.pi), angle


def through_filters(sums: Exact | NearFar, error: float) -> Estimator:
    """A wave around a ring is passed by the share that the weights around any row give it.

    Near and far draws change with the last digit of a distance, which moved rows change: there it is the unit that is
    changed, by a power of two.
    """
    count, widths = 120, [0.03, 0.1]
    x, angle = ring(count)
    turned = torch.linalg.qr(normal(4, 4, seed=5)).Q

    def powers(rows: Tensor, values: Tensor, unit: float = 1.0) -> Tensor:
        parts = GaussianFilter(rows, [unit * w for w in widths], sums).split(values)
        return torch.stack([parts.low, parts.high]).square().mean(2).flatten(0, 1)

    def known() -> Known:
        weight = torch.exp(
            -(x - x[0]).square().sum(1) / (2 * torch.tensor(widths, dtype=torch.float64)[:, None] ** 2)
        )
        passed = (weight * torch.cos(3 * angle)).sum(1) / weight.sum(1)
        wanted = torch.cat([passed.square(), (1 - passed).square()])[:, None] / 2
        return Known(torch.cos(3 * angle)[:, None], wanted, error)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        parts = GaussianFilter(x, widths, sums).split(values)
        return parts.low + parts.high, values.double().expand_as(parts.low)

    return Estimator(
        draw=lambda seed: normal(count, 2, seed=seed),
        power=lambda v: powers(x, v),
        known=known,
        closure=closure,
        moved=lambda v: powers(x @ turned + 3, v) if sums.exact else powers(4 * x, v, 4),
        rough=lambda v: powers(2 * x, v),
        coefficients=lambda v: GaussianFilter(x, widths, sums).split(v).low.flatten(0, 1),
        twins=("spectra_cloud/test_filtering.py::test_exact_sums_are_the_loop_over_pairs",)
        if sums.exact
        else ("spectra_cloud/test_filtering.py::test_the_approximation_tells_its_error",),
    )


def along_directions() -> Estimator:
    """Powers along a direction do not add up; what is told instead is the mean, and the floor of random values."""
    count = 200
    x = torch.cat(
        [(torch.arange(count, dtype=torch.float64)[:, None] + 0.5) / count, 0.1 * normal(count, 3)], 1
    )
    transform = DirectionTransform(x, [[1.0, 0, 0, 0]], 16)
    moved = DirectionTransform(7 * x + 5, [[1.0, 0, 0, 0]], 16)

    def known() -> Known:
        """The samples' extent is 199 / 200 of a period of the wave: that of the sums is off by a hundredth."""
        wave = torch.cos(2 * math.pi * 3 * transform.frequency[0, 1] * x[:, :1])
        return Known(wave, in_band(17, 3), 0.01)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        return transform.power(transform.coefficients(values))[0, 0], values.mean(0).square()

    return Estimator(
        draw=lambda seed: normal(count, 2, seed=seed),
        power=lambda v: transform.power(transform.coefficients(v))[0],
        known=known,
        closure=closure,
        moved=lambda v: moved.power(moved.coefficients(v))[0],
        rough=lambda v: transform.power(transform.coefficients(v.roll(50, 0)))[0],
        coefficients=lambda v: transform.coefficients(v)[0],
        twins=("spectra_cloud/test_directions.py::test_coefficients_are_the_direct_sums",),
    )


def on_graph() -> Estimator:
    x, angle = ring(120)
    edges = [0, 0.5, 2.5, 3.5, 6]
    transform = GraphTransform(x, 11, neighbours=4, bands=edges)
    moved = GraphTransform(x + 3, 11, neighbours=4, bands=edges)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        found = transform.spectrum(values)
        return found.power.sum(0) + found.missing, mean_square(values)

    return Estimator(
        draw=lambda seed: normal(120, 2, seed=seed),
        power=lambda v: transform.power(transform.coefficients(v)),
        known=lambda: Known(torch.cos(3 * angle)[:, None], in_band(4, 2), 1e-7),
        closure=closure,
        moved=lambda v: moved.power(moved.coefficients(v)),
        rough=lambda v: transform.power(
            transform.coefficients(v[torch.randperm(120, generator=torch.Generator().manual_seed(0))])
        ),
        coefficients=transform.coefficients,
        twins=("spectra_cloud/test_graph.py::test_modes_are_those_of_the_dense_matrix",),
        slack=1e-6,
    )


def along_a_path() -> Estimator:
    """A field of n values is the function that takes them one after the other along a line of length n."""
    n, edges = 32, [0, 0.25, 2.75, 3.25, 16]

    def power(values: Tensor, batch: int = 1024) -> Tensor:
        line = Paths.straight(
            torch.zeros(1, 1, dtype=torch.float64), torch.full((1, 1), float(n), dtype=torch.float64)
        )
        return path_spectrum(lambda x: values[x[:, 0].long()], line, n, bands=edges, batch=batch).power[0]

    return Estimator(
        draw=lambda seed: normal(n, 2, seed=seed),
        power=power,
        known=lambda: Known(harmonic(n, 3, even=True), in_band(4, 2), ROUNDED),
        closure=lambda v: (power(v).sum(0), mean_square(v)),
        moved=lambda v: power(v.flip(0)),
        rough=lambda v: power(v.roll(7, 0)),
        batched=power,
        twins=("spectra_paths/test_spectrum.py::test_power_is_the_sum_over_cosines",),
    )


def of_sequences(estimator: TemporalEstimator, closes: bool, error: float) -> Estimator:
    steps, even = 48, isinstance(estimator, EvenExtension)
    edges = [0, 1 / 96, 4.5 / 48, 13.5 / 48, 0.5]
    transform = SequenceTransform(steps, bands=edges, estimator=estimator)

    def power(values: Tensor) -> Tensor:
        return transform.power(transform.coefficients(values))

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        found = transform.spectrum(values)
        told = torch.zeros_like(found.missing) if closes else found.missing
        return found.power.sum(0) + told, mean_square(values)

    def batched(values: Tensor, batch: int) -> Tensor:
        parts = values.split(batch)
        return sum(power(part) * len(part) for part in parts) / len(values)  # type: ignore[return-value]

    shift = isinstance(estimator, Periodic)
    segments = isinstance(estimator, Welch)
    return Estimator(
        draw=lambda seed: normal(6, steps, 2, seed=seed),
        power=power,
        known=lambda: Known(harmonic(steps, 9, even).expand(3, steps, 1), in_band(4, 2), error),
        closure=closure,
        moved=lambda v: power(v.roll(7, 1) if shift else v.flip(0) if segments else v.flip(1)),
        rough=None if shift else lambda v: power(v.roll(7, 1)),
        coefficients=lambda v: transform.coefficients(v).flatten(0, 1),
        batched=batched,
        twins=("spectra_sequence/test_transform.py::test_power_is_that_of_explicit_sums",),
    )


def of_pictures() -> Estimator:
    edges = [0, 0.5, 2.5, 3.5, 6, 12]

    def power(values: Tensor) -> Tensor:
        return profiles(values, periodic=True, bands=edges).power.movedim(1, 0).flatten(0, 1)

    def whole(values: Tensor) -> Tensor:
        return values.double().square().mean((1, 2))

    def known() -> Known:
        wave = harmonic(16, 3)[None, :, None].expand(1, 16, 12, 1)
        found = profiles(wave, periodic=True, bands=edges)
        return Known(wave, in_band(found.bands.count, 2), ROUNDED)

    return Estimator(
        draw=lambda seed: normal(4, 16, 12, 2, seed=seed),
        power=power,
        known=known,
        closure=lambda v: (profiles(v, periodic=True, bands=edges).power.sum(1), whole(v)),
        moved=lambda v: power(v.roll((5, 3), (1, 2))),
        rough=lambda v: power(v.roll((1, 1), (0, 1)) * torch.linspace(0, 1, 12, dtype=v.dtype)[:, None]),
        batched=lambda v, batch: (
            torch.cat([profiles(part, periodic=True, bands=edges).power for part in v.split(batch)])
            .movedim(1, 0)
            .flatten(0, 1)
        ),
        twins=(
            "spectra_samples/test_profile.py::test_each_picture_has_its_own_spectrum",
            "spectra_samples/test_profile.py::test_the_density_is_the_azimuthal_mean",
        ),
    )


def of_gradients() -> Estimator:
    """The field is the gradient itself, of pictures numbered by their labels."""
    edges = [0, 1 / 64, 5 / 32, 7 / 32, 0.5]

    def power(values: Tensor, batch: int = 256) -> Tensor:
        found = gradient_spectrum(
            lambda _, labels: values.movedim(-1, 1)[labels],
            torch.zeros_like(values.movedim(-1, 1)),
            torch.arange(len(values)),
            bands=edges,
            batch=batch,
        )
        return found.power.movedim(1, 0).flatten(0, 1)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        banded = power(values).reshape(-1, len(values), values.shape[-1])
        return banded.sum(0), values.double().square().mean((1, 2))

    def known() -> Known:
        wave = harmonic(16, 3, even=True)[None, :, None].expand(1, 16, 12, 1)
        return Known(wave, in_band(len(power(wave)), 2), ROUNDED)

    return Estimator(
        draw=lambda seed: normal(4, 16, 12, 2, seed=seed),
        power=power,
        known=known,
        closure=closure,
        moved=lambda v: power(v.flip(1, 2)),
        rough=lambda v: power(v.roll((5, 3), (1, 2))),
        batched=power,
        twins=(
            "spectra_sensitivity/test_gradient.py::test_power_is_the_sum_over_modes_and_closes",
            "spectra_sensitivity/test_gradient.py::test_gradients_are_those_of_differences",
        ),
    )


def of_filtered_pictures() -> Estimator:
    def low(values: Tensor) -> Tensor:
        return low_pass(values.movedim(-1, 1), 0.2).movedim(1, -1)

    def power(values: Tensor) -> Tensor:
        kept = low(values)
        return torch.stack([mean_square(kept), mean_square(values - kept)])

    def known() -> Known:
        return Known(harmonic(16, 2, even=True)[None, :, None].expand(1, 16, 12, 1), in_band(2, 0), ROUNDED)

    return Estimator(
        draw=lambda seed: normal(4, 16, 12, 2, seed=seed),
        power=power,
        known=known,
        closure=lambda v: (power(v).sum(0), mean_square(v)),
        moved=lambda v: power(v.flip(1, 2)),
        rough=lambda v: power(v.roll((5, 3), (1, 2))),
        coefficients=low,
        batched=lambda v, batch: sum(power(part) * len(part) for part in v.split(batch)) / len(v),  # type: ignore[arg-type,return-value]
        twins=("spectra_sensitivity/test_filtered.py::test_the_low_pass_is_the_sum_of_its_modes",),
    )


def of_filters_in_time() -> Estimator:
    """The field is the impulse response of a filter of 8 steps; its gains at 8 frequencies close to its energy."""
    size, steps = 8, 40

    def gains(kernel: Tensor, batch: int = 256) -> Tensor:
        def function(u: Tensor) -> Tensor:
            taps = kernel.to(u.dtype)
            late = [
                torch.nn.functional.pad(u[..., :1], (0, 0, k, 0))[:, : u.shape[1]] for k in range(len(taps))
            ]
            return torch.stack(late, -1)[:, :, 0] @ taps

        operating = torch.zeros(steps, 1, dtype=kernel.dtype)
        turns = torch.arange(size // 2 + 1, dtype=torch.float64) / size
        return response(function, operating, turns, skip=size + 2, batch=batch).transfer[:, :, 0]

    def power(kernel: Tensor, batch: int = 256) -> Tensor:
        return gains(kernel, batch).abs().square()

    def closure(kernel: Tensor) -> tuple[Tensor, Tensor]:
        twice = torch.tensor([1.0, *[2.0] * (size // 2 - 1), 1.0], dtype=torch.float64)[:, None]
        return (twice * power(kernel)).sum(0) / size, kernel.double().square().sum(0)

    def known() -> Known:
        delay = torch.zeros(size, 1, dtype=torch.float64)
        delay[3] = 2
        return Known(delay, torch.full((size // 2 + 1, 1), 4.0, dtype=torch.float64), 1e-7)

    return Estimator(
        draw=lambda seed: normal(size, 2, seed=seed),
        power=power,
        known=known,
        closure=closure,
        moved=lambda kernel: power(torch.cat([torch.zeros_like(kernel[:2]), kernel])[: size + 2]),
        rough=lambda kernel: power(kernel.sort(0).values),
        coefficients=gains,
        batched=lambda kernel, batch: power(kernel, max(8, batch)),
        twins=("spectra_sequence/test_response.py::test_networks_have_the_response_of_their_jacobian",),
        slack=1e-6,
    )


def of_layers() -> Estimator:
    """The field is what is read out, of a layer that holds all but a little of it."""
    n = 96
    line = GridTransform((n,), 1 / n, periodic=True, bands=[0, 0.5, 4, 16, 48])
    layer = normal(n, 4, seed=7)

    def power(values: Tensor, of: Tensor = layer) -> Tensor:
        """That of the target, beside which that of the residual is rounded, and below it that of the residual."""
        found = read_out({"layer": of.to(values.dtype)}, values, line, width=Full())
        return torch.cat([found.target_power, found.residual_power[0]])

    def known() -> Known:
        """Nothing is left of a target that the layer holds, but for the least penalty, of 1e-8 at most."""
        target = layer @ normal(4, 1, seed=8)
        whole = line.power(line.coefficients(target))
        return Known(target, torch.cat([whole, torch.zeros_like(whole)]), 1e-6)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        found = read_out({"layer": layer}, values, line, width=Full())
        return found.target_power.sum(0), mean_square(values)

    return Estimator(
        draw=lambda seed: layer @ normal(4, 2, seed=seed) + 1e-4 * normal(n, 2, seed=seed + 1),
        power=power,
        known=known,
        closure=closure,
        moved=lambda v: power(v, 3 * layer + 5),
        rough=lambda v: power(v.roll(5, 0)),
        twins=(
            "spectra_layers/test_readout.py::test_the_read_out_is_that_of_plain_loops",
            "spectra_layers/test_readout.py::test_the_ridge_is_that_of_normal_equations_and_refits",
        ),
        slack=1e-6,
    )


ESTIMATORS = {
    "grid, periodic": on_grid(True),
    "grid, even": on_grid(False),
    "one axis of a grid": on_axis(),
    "points, least squares": at_points(LeastSquares(), True),
    "points, quadrature": at_points(Quadrature(), False),
    "cloud, filters": through_filters(Exact(), ROUNDED),
    "cloud, filters near and far": through_filters(NearFar(32, 32), 0.1),
    "cloud, directions": along_directions(),
    "cloud, graph": on_graph(),
    "paths": along_a_path(),
    "sequences, even": of_sequences(EvenExtension(), True, ROUNDED),
    "sequences, periodic": of_sequences(Periodic(), True, ROUNDED),
    "sequences, multitaper": of_sequences(Multitaper(2), False, 0.02),
    "sequences, Welch": of_sequences(Welch(16), False, 0.02),
    "responses": of_filters_in_time(),
    "pictures of generators": of_pictures(),
    "gradients of pictures": of_gradients(),
    "filtered pictures": of_filtered_pictures(),
    "layers": of_layers(),
}

MEASURES = {
    "heat map": ("spectra_sensitivity/test_heat_map.py::test_it_is_the_loop_over_pictures_and_frequencies",),
    "distance of generators": ("spectra_samples/test_distance.py::test_decibels_are_those_of_loops",),
    "targets of classifiers": (
        "spectra_labels/test_target.py::test_the_target_is_where_the_loss_of_pytorch_ends",
        "spectra_labels/test_target.py::test_the_residual_is_the_gradient_of_the_loss",
    ),
    "noise floor": (
        "spectra/test_noise_estimators.py::test_the_spectrum_curve_is_that_of_explicit_cosine_sums",
        "spectra/test_noise_estimators.py::test_the_quiet_curves_are_those_of_loops_over_blocks",
    ),
    "nearest rows": ("spectra_cloud/test_neighbours.py::test_neighbours_are_those_of_the_loop",),
}
"""What is no power of a field and so has no contract, with its twins."""
