"""Classical reconstructions of a picture: adjoint, filtered back-projection, SART, total variation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overtone._utils.display import Result
from overtone._utils.optional import missing_packages
from overtone.signals import Grid, Measured
from overtone.signals._measured import SamplesOperator, term_frequencies
from overtone.signals._measurements import nonuniform_transforms

PASSES = 3
"""Passes of SART over all angles: more of them fit the noise."""

STRENGTHS = (1e-3, 3e-3, 3e-4, 1e-2)
"""Weights of total variation, as parts of the largest value of the adjoint; held-out measurements choose. The
usual ones come first, since a limit of time may leave the others out."""

ITERATIONS, INNER = 200, 10
"""Steps of the reconstruction with total variation, and of the denoising within each; with 60 steps pictures of 64 x 64
lose up to 3 dB."""


DENSITY_STEPS = 20
"""Steps towards the density of k-space samples that are on no lattice."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction(Result):
    """A picture that no network made.

    Attributes:
        name: The method.
        values: (P, C) real or complex values at all samples.
        seconds: Time to make it, with the choice of its weight.
    """

    name: str
    values: Tensor
    seconds: float = 0.0


def reconstruct(
    problem: Measured, judge: Callable[[Tensor], float], inner: Measured | None = None
) -> list[Reconstruction]:
    """Return the classical reconstructions of a picture from its measurements; some need scikit-image.

    The adjoint, scaled to fit the data best, is the zero-filled picture of k-space; coefficients at other frequencies
    than those of a lattice are weighted by their density as well (gridding). Parallel projections get filtered
    back-projection (`skimage.transform.iradon`) and SART, everything gets least squares with total variation by an
    accelerated proximal gradient with `skimage.restoration.denoise_tv_chambolle`.

    Args:
        problem: Measurements of samples on a grid, those that may be used.
        judge: Error of values (P, C) on measurements that are held out, by which the weight of total variation is
            chosen.
        inner: The measurements without those, if they are part of the problem: the weight is chosen on these, and the
            picture made from all.

    Source:
        Beck and Teboulle 2009, "A fast iterative shrinkage-thresholding algorithm", section 4; Andersen and Kak 1984
        (SART); Chambolle 2004; Pipe and Menon 1999, "Sampling density compensation in MRI".

    Example:
        >>> import numpy as np
        >>> from overtone import signals
        >>> from overtone.baselines import reconstruct
        >>> full = np.fft.fftshift(np.fft.fft2(np.eye(8), norm="ortho"))
        >>> [one.name for one in reconstruct(signals.kspace(full), lambda values: float(values.abs().mean()))]
        ['zero-filled', 'total variation']
    """
    return reconstruct_in_time(problem, judge, inner)[0]


def reconstruct_in_time(
    problem: Measured,
    judge: Callable[[Tensor], float],
    inner: Measured | None = None,
    seconds: float | None = None,
) -> tuple[list[Reconstruction], tuple[str, ...]]:
    """As `reconstruct`, within a time.

    Args:
        problem: As in `reconstruct`.
        judge: As in `reconstruct`.
        inner: As in `reconstruct`.
        seconds: Time for all; None for no limit. Fewer weights of total variation are tried within it.

    Returns:
        The reconstructions, and the names of those that were not finished in time.
    """
    deadline = math.inf if seconds is None else time.monotonic() + seconds
    results: list[Reconstruction] = []
    left_out: list[str] = []
    methods: list[tuple[str, Callable[[], Tensor | None]]] = []
    operator, data = _whole_operator(problem)
    frequencies = term_frequencies(problem.terms[0]) if len(problem.terms) == 1 else None
    lattice = data.is_complex() and frequencies is None
    name = "zero-filled" if lattice else "scaled adjoint"
    methods.append((name, lambda: _scaled(operator, data, operator.adjoint(data))))
    if frequencies is not None:
        methods.append(
            (
                "density-compensated adjoint",
                lambda: _density_compensated(operator, data, frequencies, problem),
            )
        )
    if not missing_packages("demo"):
        methods += _from_projections(problem, deadline)
        methods.append(
            ("total variation", lambda: _total_variation(problem, judge, inner or problem, deadline))
        )
    for name, method in methods:
        began = time.monotonic()
        values = method() if began <= deadline else None
        if values is None:
            left_out.append(name)
        else:
            results.append(Reconstruction(name, values, time.monotonic() - began))
    return results, tuple(left_out)


def _scaled(operator: SamplesOperator, data: Tensor, values: Tensor) -> Tensor:
    """A picture times the factor that fits the data best."""
    image = operator.forward(values)
    square = float(image.abs().square().sum())
    return values * (float((image.conj() * data).sum().real) / square if square > 0 else 0.0)


def _density_compensated(
    operator: SamplesOperator, data: Tensor, frequencies: Tensor, problem: Measured
) -> Tensor:
    """The adjoint of coefficients that count the less, the closer their neighbours are: gridding."""
    grid = problem.geometry
    assert isinstance(grid, Grid)
    forward, adjoint = nonuniform_transforms(frequencies.numpy(), grid.shape, True)
    # sum_j sinc^2(k_i - k_j) w_j, which is positive, is the transform of a field that falls to its border.
    window = torch.ones(grid.shape, dtype=torch.float64, device="cpu")
    for axis, count in enumerate(grid.shape):
        places = torch.arange(count, dtype=torch.float64, device="cpu") - count // 2
        shape = [1] * grid.axes
        shape[axis] = count
        window = window * (1 - (2 * places / count).abs()).reshape(shape)
    weights = torch.ones(len(frequencies), 1, dtype=torch.complex128, device="cpu")
    for _ in range(DENSITY_STEPS):
        spread = forward(window.reshape(-1, 1) * adjoint(weights)).abs()
        weights = weights / spread.clamp_min(1e-6 * float(spread.max()))
    return _scaled(operator, data, operator.adjoint(weights * data))


def _whole_operator(problem: Measured) -> tuple[SamplesOperator, Tensor]:
    """The map of all terms of a problem, each weighted as in the loss, and its data."""
    parts = []
    for term in problem.terms:
        operator, masks = term.operator, []
        while not isinstance(operator, SamplesOperator):
            masks.append(operator.mask)  # type: ignore[attr-defined]
            operator = operator.operator  # type: ignore[attr-defined]
        parts.append((operator, masks[::-1], math.sqrt(term.weight / term.size), term.data))

    def forward(values: Tensor) -> Tensor:
        rows = []
        for operator, masks, factor, _ in parts:
            result = operator.forward(values)
            for mask in masks:
                result = result[mask]
            rows.append(result * factor)
        return torch.cat(rows)

    def adjoint(data: Tensor) -> Tensor:
        total, first = torch.zeros((), dtype=torch.float64, device=data.device), 0
        for operator, masks, factor, measured_part in parts:
            part = data[first : first + len(measured_part)] * factor
            first += len(measured_part)
            for mask in masks[::-1]:
                whole = torch.zeros((len(mask), *part.shape[1:]), dtype=part.dtype, device=part.device)
                whole[mask] = part
                part = whole
            total = total + operator.adjoint(part)
        return total

    # One term keeps its own scale, so that the adjoint of orthonormal coefficients is the zero-filled picture.
    if len(parts) == 1:
        parts[0] = (*parts[0][:2], 1.0, parts[0][3])
    return SamplesOperator(forward, adjoint), torch.cat([d * factor for _, _, factor, d in parts])


def _from_projections(
    problem: Measured, deadline: float
) -> Iterator[tuple[str, Callable[[], Tensor | None]]]:
    """Filtered back-projection and SART, where rays are parallel and as many as samples along a side."""
    grid, term = problem.geometry, problem.terms[0]
    if not problem.angles or term.groups is None or len(problem.terms) > 1 or not isinstance(grid, Grid):
        return
    from skimage.transform import iradon, iradon_sart

    numbers = term.groups.unique()
    rays = term.size // len(numbers)
    if rays * len(numbers) != term.size or rays != grid.shape[0] or len(problem.channels) > 1:
        return
    turns = np.asarray(problem.angles)[numbers.cpu().numpy()]
    # Lengths of rays are counted in samples there.
    sinogram = term.data.cpu().double().numpy().reshape(len(numbers), rays).T / grid.spacing[0]

    def values(picture: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(picture)).reshape(-1, 1)

    def sart() -> Tensor | None:
        picture = None
        for _ in range(PASSES):
            if time.monotonic() > deadline:
                return None
            picture = iradon_sart(sinogram, turns, image=picture)
        return values(np.asarray(picture))

    yield "filtered back-projection", lambda: values(iradon(sinogram, turns, circle=True))
    yield f"SART, {PASSES} passes", sart


def _total_variation(
    problem: Measured, judge: Callable[[Tensor], float], inner: Measured, deadline: float
) -> Tensor | None:
    """Least squares with total variation; the weight of the least held-out error among those finished in time."""
    pictures = {strength: _smooth_picture(inner, strength, deadline) for strength in STRENGTHS}
    errors = {strength: judge(values) for strength, values in pictures.items() if values is not None}
    if not errors:
        return None
    best = min(sorted(errors), key=lambda strength: errors[strength])
    return pictures[best] if inner is problem else _smooth_picture(problem, best, deadline)


def _smooth_picture(problem: Measured, strength: float, deadline: float) -> Tensor | None:
    if time.monotonic() > deadline:
        return None
    grid = problem.geometry
    assert isinstance(grid, Grid)
    operator, data = _whole_operator(problem)
    start = operator.adjoint(data)
    largest = _largest_eigenvalue(operator, torch.ones_like(start))
    weight = strength * float((start / largest).abs().max())
    return _descend(operator, data, grid, largest, weight, deadline)


def _largest_eigenvalue(operator: SamplesOperator, start: Tensor) -> float:
    """Largest eigenvalue of A* A, by the power method, 5 % larger to be safe."""
    draw = torch.Generator(device="cpu").manual_seed(0)
    vector = start + torch.randn(start.shape, generator=draw, dtype=start.dtype, device="cpu")
    value = 1.0
    for _ in range(20):
        vector = vector / vector.norm()
        vector = operator.adjoint(operator.forward(vector))
        value = float(vector.norm())
    return 1.05 * value


def _descend(
    operator: SamplesOperator, data: Tensor, grid: Grid, largest: float, weight: float, deadline: float
) -> Tensor | None:
    """Minimise |A u - d|^2 / 2 + weight * largest * TV(u); None if it takes too long."""
    current = operator.adjoint(data) / largest
    ahead, momentum = current, 1.0
    for _ in range(ITERATIONS):
        if time.monotonic() > deadline:
            return None
        step = ahead - operator.adjoint(operator.forward(ahead) - data) / largest
        update = _denoised(step, grid, weight)
        grown = 0.5 * (1 + math.sqrt(1 + 4 * momentum**2))
        ahead = update + (momentum - 1) / grown * (update - current)
        current, momentum = update, grown
    return current


def _denoised(values: Tensor, grid: Grid, weight: float) -> Tensor:
    from skimage.restoration import denoise_tv_chambolle

    def one(part: Tensor) -> Tensor:
        picture = part.cpu().double().numpy().reshape(grid.shape)
        return torch.from_numpy(
            np.ascontiguousarray(denoise_tv_chambolle(picture, weight=weight, max_num_iter=INNER))
        ).reshape(-1)

    columns = []
    for channel in values.unbind(1):
        if channel.is_complex():
            columns.append(torch.complex(one(channel.real), one(channel.imag)))
        else:
            columns.append(one(channel))
    return torch.stack(columns, 1)
