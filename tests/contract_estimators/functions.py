"""Estimators of functions, sequences, pictures and layers as the contract asks for them."""

from __future__ import annotations

import torch
from torch import Tensor

from overtone.spectra import GridTransform
from overtone.spectra.generated import profiles
from overtone.spectra.linear_readout import FeatureBudget, read_out
from overtone.spectra.paths import Paths, path_spectrum
from overtone.spectra.sensitivity import gradient_spectrum, low_pass
from overtone.spectra.sequence import SequenceTransform, TemporalEstimator, response
from overtone.spectra.sequence._estimators import PeriodicExtension, Welch
from tests.contract_estimators.estimator import Estimator, Known
from tests.contract_estimators.fields import ROUNDED, harmonic, in_band, mean_square, normal


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
    steps, even = 48, estimator == TemporalEstimator.even_extension()
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

    shift = isinstance(estimator, PeriodicExtension)
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
            "spectra_generated/test_profile.py::test_each_picture_has_its_own_spectrum",
            "spectra_generated/test_profile.py::test_the_density_is_the_azimuthal_mean",
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
        found = read_out({"layer": of.to(values.dtype)}, values, line, width=FeatureBudget.full())
        return torch.cat([found.target_power, found.residual_power[0]])

    def known() -> Known:
        """Nothing is left of a target that the layer holds, but for the least penalty, of 1e-8 at most."""
        target = layer @ normal(4, 1, seed=8)
        whole = line.power(line.coefficients(target))
        return Known(target, torch.cat([whole, torch.zeros_like(whole)]), 1e-6)

    def closure(values: Tensor) -> tuple[Tensor, Tensor]:
        found = read_out({"layer": layer}, values, line, width=FeatureBudget.full())
        return found.target_power.sum(0), mean_square(values)

    return Estimator(
        draw=lambda seed: layer @ normal(4, 2, seed=seed) + 1e-4 * normal(n, 2, seed=seed + 1),
        power=power,
        known=known,
        closure=closure,
        moved=lambda v: power(v, 3 * layer + 5),
        rough=lambda v: power(v.roll(5, 0)),
        twins=(
            "spectra_linear_readout/test_readout.py::test_the_read_out_is_that_of_plain_loops",
            "spectra_linear_readout/test_readout.py::test_the_ridge_is_that_of_normal_equations_and_refits",
        ),
        slack=1e-6,
    )
