"""Views of a field known through operators: residuals by frequency band, per term, and errors of the solution."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Never, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.probes._inputs import CoordinateInputs, Inputs
from overtone.probes._view import Metric, MetricView, Row, View
from overtone.probes.views._solution import channel_power, grid_attributes, picture, real_values, solution
from overtone.signals import Grid, Measured, Term
from overtone.signals._measured import SamplesOperator, term_frequencies
from overtone.spectra import Bands, BandTransform, GridTransform, PointsTransform

DRAWS = 8
"""Random fields from which the power of noise and the gain per band are estimated."""

FLOOR = 1e-3
"""Smallest reference power of a band, as part of the mean over bands: residuals are compared with it."""

FEW = 8
"""Points below which a term has one band that holds everything."""


def residuals(
    problem: Measured,
    network: nn.Module | Callable[[Tensor], Tensor] | None = None,
    *,
    held_out: Measured | None = None,
    name: str = "residuals",
) -> list[View]:
    """Measure what a network leaves of each term of a problem, by frequency band; no targets are needed.

    For equations and boundary conditions, residuals at the term's own points are transformed
    (`spectra.PointsTransform`). They are compared with those of the zero field and of the network as it is now, the
    larger of the two in each band. For measurements of samples (k-space, projections, blur), A* r stands beside A* d:
    the residual in the frequencies of the picture. Where the problem has a reference, one more view has the errors of
    the field by band.

    Args:
        problem: From `operators.equation`, `signals.kspace` and others.
        network: The network in its present state, or a function of float64 points, for equations; not needed for
            measurements of samples.
        held_out: Measurements or points that are not trained on, whose loss each row states; of equations the rows of
            the first record, for all terms together.
        name: Name of the first record; that of others is the term's.

    Returns:
        One view per term, and one of the solution where it is known. A probe writes one record for each.

    Raises:
        InputError: If an equation comes without a network.

    Example:
        >>> import torch
        >>> import overtone as ot
        >>> def residual(x, u):
        ...     (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        ...     return du - torch.cos(x)
        >>> terms = {"equation": (residual, 40), "start": (lambda x, u: u, [[0.0]])}
        >>> problem = ot.operators.equation(terms, [(0, 1)])
        >>> network = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
        >>> with ot.Probe(ot.probes.views.residuals(problem, network), network) as probe:
        ...     _ = ot.operators.train_network(problem, network, 3, observe=probe)
        >>> sorted(probe.records), probe.records["start"].sizes["band"]
        (['residuals', 'start'], 1)
    """
    views: list[View] = []
    for term in problem.terms:
        label = name if not views else _file_name(term.name)
        if term.derivatives or not isinstance(problem.geometry, Grid):
            if network is None:
                raise InputError(
                    "the network, whose present residuals are the reference",
                    "none",
                    "pass views.residuals(problem, network)",
                    "network",
                )
            # The first record has the loss on held-out points of all terms, which can end a run.
            views.append(_equation_view(problem, term, network, None if views else held_out, label))
        else:
            views.append(_samples_view(problem, term, held_out, label))
    if problem.reference is not None and not (len(views) == 1 and isinstance(problem.geometry, Grid)):
        views.append(solution(problem))
    return views


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name) or "term"


def _samples_view(problem: Measured, term: Term, held_out: Measured | None, name: str) -> MetricView:
    metric = SamplesMetric(problem, term, held_out)
    assert isinstance(problem.geometry, Grid)
    attrs = grid_attributes(problem.geometry) | {
        "kind": problem.name if problem.name else term.name,
        "estimator": "spectrum of A* applied to residuals",
        "term": term.name,
        "gain": metric.gain.tolist(),
    }
    if metric.noise_power is not None:
        attrs["noise_verdict"] = "noise"
    return MetricView(CoordinateInputs(problem.geometry), metric, name=name, attrs=attrs)


def adjoint_of(term: Term, data: Tensor) -> Tensor:
    """Return A* of functionals (M, C) of a term that reads samples, (P, C).

    Args:
        term: A term, or some of the functionals of one (`Term.select`).
        data: Its functionals.
    """
    operator, masks = term.operator, []
    while not isinstance(operator, SamplesOperator):
        masks.append(operator.mask)  # type: ignore[attr-defined]
        operator = operator.operator  # type: ignore[attr-defined]
    for mask in masks:
        whole = torch.zeros((len(mask), *data.shape[1:]), dtype=data.dtype, device=data.device)
        whole[mask] = data
        data = whole
    return operator.adjoint(data)


@final
class SamplesMetric(Metric):
    """Residuals of measurements of samples, in the frequencies of the picture.

    Args:
        problem: The problem.
        term: The measurements that are trained on.
        held_out: Those that are not.

    Attributes:
        gain: (band,) power of A* A applied to white noise over that of the noise, largest 1: what is measured. Of
            Fourier coefficients that are on no lattice, the part of the picture's own frequencies with one nearby.
        noise_power: (band, channel) power of A* applied to the measurements' noise; None where it is unknown.
    """

    def __init__(self, problem: Measured, term: Term, held_out: Measured | None) -> None:
        grid = problem.geometry
        assert isinstance(grid, Grid)
        self._problem, self._term, self._held_out = problem, term, held_out
        self._count = len(problem.channels)
        self._transform = GridTransform(grid.shape, grid.spacing, grid.periodic)
        self.bands, self.channels = self._transform.bands, problem.channels
        self._reference = None if problem.reference is None else real_values(problem.reference(grid.coords()))
        self._data = self._transformed(term.data)
        self.target_power = self._power(self._data)
        self.gain, self.noise_power = self._random_fields()

    def check(self, outputs: Tensor) -> None:
        """Refuse outputs that are not one value per channel, two of a complex one."""
        needed = self._problem.outputs
        if outputs.ndim != 2 or outputs.shape[1] != needed:
            raise InputError(
                f"{needed} outputs of the network",
                f"shape {tuple(outputs.shape)}",
                "give its last layer as many features",
                "network",
            )

    def row(self, outputs: Tensor) -> Row:
        """Return powers per band, mean square residuals, and the picture."""
        field = outputs.double()
        residual = self._term.functionals(lambda _: field, self._problem.complex_values) - self._term.data
        back = self._transformed(residual)
        row: Row = {"residual_power": self._power(back), "train_error": _mean_square(residual)}
        # F is linear: with r = A u - d, Re<F(A* A u), F(A* d)> = |F(A* d)|^2 + Re<F(A* r), F(A* d)>.
        shared = channel_power(self._transform.cross(back, self._data).double(), self._count).numpy()
        row["cross_power"] = self.target_power + shared
        if self._held_out is not None:
            row["held_out_error"] = float(self._held_out.loss(lambda _: field))
        shape = self._transform.shape
        row["pictures"] = {"prediction": picture(field, shape, self._count)}
        if (known := self._reference) is not None:
            row["clean_error"] = float(
                (field - known).square().reshape(len(field), self._count, -1).sum(2).mean()
            )
            row["pictures"] |= {"target": picture(known, shape, self._count)}
        return row

    def _transformed(self, functionals: Tensor) -> Tensor:
        return self._transform.coefficients(
            self._transform.field(real_values(adjoint_of(self._term, functionals)))
        )

    def _power(self, coefficients: Tensor) -> NDArray[np.float64]:
        power: NDArray[np.float64] = channel_power(
            self._transform.power(coefficients).double(), self._count
        ).numpy()
        return power

    def _random_fields(self) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        draw = torch.Generator(device="cpu").manual_seed(derive_seed(0, "gain of a measurement") % 2**63)
        shape = (len(self._term.points), self._count)
        before, after = np.zeros(self.bands.count), np.zeros(self.bands.count)
        noise = np.zeros_like(self.target_power)
        dtype = torch.complex128 if self._problem.complex_values else torch.float64
        mask = _lattice_frequencies(self._problem, self._term)
        for _ in range(DRAWS):
            field = torch.randn(*shape, generator=draw, dtype=dtype, device="cpu")
            before += self._power(
                self._transform.coefficients(self._transform.field(real_values(field)))
            ).sum(1)
            if mask is None:
                measured = self._transformed(self._term.operator(self._term.points, field))
            else:
                pictures = field.reshape(*mask.shape, self._count)
                axes = tuple(range(mask.dim()))
                passed = torch.fft.ifftn(torch.fft.fftn(pictures, dim=axes) * mask[..., None], dim=axes)
                passed = passed.reshape(shape) if self._problem.complex_values else passed.real.reshape(shape)
                measured = self._transform.coefficients(self._transform.field(real_values(passed)))
            after += self._power(measured).sum(1)
            error = torch.randn(
                self._term.data.shape, generator=draw, dtype=self._term.data.dtype, device="cpu"
            )
            noise += self._power(self._transformed(error)) / DRAWS
        gain = after / np.maximum(before, np.finfo(float).tiny)
        deviation = self._term.noise
        return gain / max(float(gain.max()), 1e-300), None if deviation is None else noise * deviation**2


def _lattice_frequencies(problem: Measured, term: Term) -> Tensor | None:
    """(*shape) which of the picture's own frequencies have a sample nearby; None for other measurements."""
    frequencies = term_frequencies(term)
    if frequencies is None:
        return None
    grid = problem.geometry
    assert isinstance(grid, Grid)
    sides = torch.tensor(grid.shape, device=frequencies.device)
    index = (frequencies * sides).round().long()
    mask = torch.zeros(grid.shape, dtype=torch.bool, device="cpu")
    # Of real pictures, the opposite frequency has the conjugate.
    for place in (index,) if problem.complex_values else (index, -index):
        mask[tuple(place.remainder(sides).T.cpu())] = True
    return mask


def _mean_square(residual: Tensor) -> float:
    return float(residual.abs().square().mean())


def _equation_view(
    problem: Measured,
    term: Term,
    network: nn.Module | Callable[[Tensor], Tensor],
    held_out: Measured | None,
    name: str,
) -> MetricView:
    inputs = TermInputs(problem, term, held_out)
    metric = EquationMetric(problem, term, network, held_out is not None)
    geometry = problem.geometry
    attrs = {
        "kind": problem.name,
        "term": term.name,
        "estimator": metric.estimator,
        "frequency_unit": geometry.frequency_unit,
        "geometry": {"samples": len(term.points), "units": list(geometry.units)},
    }
    return MetricView(inputs, metric, name=name, attrs=attrs)


@final
class TermInputs(Inputs):
    """The points of a term as one input: an operator may read several of them at once, and differentiates by them.

    Args:
        problem: The problem.
        term: One of its terms.
        held_out: Points that are not trained on, whose loss follows the residuals.
    """

    def __init__(self, problem: Measured, term: Term, held_out: Measured | None = None) -> None:
        self._problem, self._term, self._held_out = problem, term, held_out

    @property
    def count(self) -> int:
        """One: all points together."""
        return 1

    @property
    def generated(self) -> bool:
        """True: fields of high frequencies get their coordinates in full precision."""
        return True

    def slice(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Tensor:
        """Return the points (P, d)."""
        del begin, end
        return self._term.points.to(device, dtype or torch.float64)

    def arrays(self) -> Never:
        """Raise an error: residuals need derivatives of the network.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "a network that can be differentiated", "predictions alone", "use a Probe", self._term.name
        )

    def evaluate(self, network: nn.Module, call: Callable[[Any], Any], arguments: Any) -> Tensor:
        """Return the residuals (1, M K) of the term, and the loss on held-out points."""
        del network
        values = term_residuals(self._problem, self._term, call, arguments).flatten()
        if self._held_out is not None:
            with torch.enable_grad():
                loss = self._held_out.loss(lambda x: call(x.to(arguments))).detach()
            values = torch.cat([values, loss.cpu().double()[None]])
        return values[None]


def term_residuals(
    problem: Measured, term: Term, field: Callable[[Tensor], Tensor], points: Tensor | None = None
) -> Tensor:
    """Return the residuals (M, K) of a term, real and imaginary parts of complex ones apart.

    Args:
        problem: The problem.
        term: One of its terms.
        field: From points (P, d) to values (P, outputs).
        points: The term's points in another precision or on another device.
    """
    x = (term.points if points is None else points).detach().clone()
    with torch.enable_grad():
        x.requires_grad_(term.derivatives)
        values = field(x)
        if problem.complex_values:
            values = torch.view_as_complex(values.reshape(len(values), -1, 2).contiguous())
        residual = term.operator(x, values).detach()
    return real_values((residual.cpu() - term.data.cpu()).reshape(len(residual), -1))


@final
class EquationMetric(Metric):
    """Residuals of an equation or condition at its own points, by frequency band.

    Args:
        problem: The problem.
        term: One of its terms.
        network: The network in its present state, whose residuals are part of the reference.
        held_out: Whether the outputs end with the loss on held-out points.

    Attributes:
        estimator: How the spectrum is computed.
    """

    def __init__(
        self,
        problem: Measured,
        term: Term,
        network: nn.Module | Callable[[Tensor], Tensor],
        held_out: bool = False,
    ) -> None:
        self._transform = _points_transform(problem, term)
        self.estimator = (
            "mean square of residuals in one band"
            if self._transform is None
            else "spectrum of residuals at scattered points"
        )
        extent = max(problem.geometry.extent)
        self.bands = Bands((0.0, 1 / extent)) if self._transform is None else self._transform.bands
        present = term_residuals(problem, term, _in_precision(network))

        # sin, since derivatives of 0 * x have no graph.
        def zero(x: Tensor) -> Tensor:
            return torch.sin(0 * x.sum(1, keepdim=True)).expand(-1, problem.outputs)

        self._held_out = held_out
        size = present.shape[1]
        self.channels = (term.name,) if size == 1 else tuple(f"{term.name} {i + 1}" for i in range(size))
        power = np.maximum(self._power(term_residuals(problem, term, zero)), self._power(present))
        self.target_power = np.maximum(power, FLOOR * power.mean(0, keepdims=True))

    def check(self, outputs: Tensor) -> None:
        """Accept any residuals: the inputs have computed them."""

    def row(self, outputs: Tensor) -> Row:
        """Return the power of residuals (1, M K) by band, their mean square, and the loss on held-out points."""
        values = outputs[0].double()
        row: Row = {}
        if self._held_out:
            row["held_out_error"] = float(values[-1])
            values = values[:-1]
        residual = values.reshape(-1, len(self.channels))
        return row | {"residual_power": self._power(residual), "train_error": _mean_square(residual)}

    def _power(self, residual: Tensor) -> NDArray[np.float64]:
        if self._transform is None:
            return residual.square().mean(0, keepdim=True).numpy()
        power: NDArray[np.float64] = (
            self._transform.power(self._transform.coefficients(residual)).double().cpu().numpy()
        )
        return power


def _in_precision(network: nn.Module | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The network as a function of float64 points, in its own precision; fields take float64 themselves."""
    from overtone.nn import Field

    if not isinstance(network, nn.Module):
        return network
    parameter = next(network.parameters(), None)
    if isinstance(network, Field) or parameter is None:
        return network
    return lambda x: network(x.to(parameter.device, parameter.dtype))


def _points_transform(problem: Measured, term: Term) -> BandTransform | None:
    """Transform of a term's residuals along the axes on which its points lie; None for two ends of an axis."""
    if not term.local or len(term.points) < FEW:
        return None
    geometry, points = problem.geometry, term.points.cpu().double()
    values = [len(points[:, axis].unique()) for axis in range(points.shape[1])]
    axes = [axis for axis, count in enumerate(values) if count > 1]
    # Of faces at both ends residuals are two functions, which have no common spectrum.
    if not axes or min(values[axis] for axis in axes) < FEW:
        return None
    box = [
        (o, o + e)
        for axis, (o, e) in enumerate(zip(geometry.origin, geometry.extent, strict=True))
        if axis in axes
    ]
    try:
        return PointsTransform(points[:, axes], domain=box, periodic=False)
    except InputError:
        return None
