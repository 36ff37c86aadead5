"""Operators applied to the features of a network: its encoding and random copies of its hidden layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, final

import torch
from torch import Tensor, nn

from overtone._config import ModelConfig
from overtone._utils.seeding import derive_seed
from overtone.nn._build import build_field
from overtone.operators._derivatives import MultiIndex, derivatives, multi_indices, wave_derivatives
from overtone.operators._hidden_layer import HiddenLayer, hidden_layer
from overtone.operators._linear_part import MAX_ORDER, Check, linear_part, spread_columns
from overtone.signals import Measured, Term
from overtone.signals._measured import Selected, maps_columns

Builder: TypeAlias = Callable[[tuple[float, ...], int], nn.Module]
"""From a bandwidth per axis, in cycles per unit, and a seed to an untrained network of physical coordinates."""

Features: TypeAlias = Callable[[Tensor], Tensor]
"""From points (N, d) to features (N, F), each row from its own point."""

ORDINARY = 20.0
"""Factor by which a field's size may differ from 1 before the network's outputs are scaled to it."""

COLUMNS = 320
"""Features of all random copies together."""


@final
@dataclass(frozen=True)
class _Scaling:
    """Outputs of a network as they are, in the form of a signal's normalisation."""

    offset: Tensor
    scale: Tensor


@final
@dataclass(frozen=True)
class _Shape:
    """Attributes of a signal that `build_field` reads."""

    geometry: Any
    normalisation: _Scaling


@final
@dataclass(frozen=True)
class ConfiguredNetwork:
    """The builder of networks from settings.

    Attributes:
        problem: The measured field.
        settings: Encoding, activations and sizes.
        size: Factor of the outputs; that of `field_scale` if None.
    """

    problem: Measured
    settings: ModelConfig
    size: float | None = None

    def __call__(self, bandwidth: tuple[float, ...], seed: int) -> nn.Module:
        """Return an untrained network of a bandwidth."""
        outputs = self.problem.outputs
        size = field_scale(self.problem) if self.size is None else self.size
        scaling = _Scaling(
            torch.zeros(outputs, device="cpu"), torch.full((outputs,), size, device="cpu").double()
        )
        settings = replace(self.settings, bandwidth=bandwidth)
        return build_field(_Shape(self.problem.geometry, scaling), settings, seed)


def field_scale(problem: Measured) -> float:
    """Return the factor of a network's outputs: 1, or the field's size where measurements say that it is far from 1.

    The size is that of the first step of steepest descent from 0. Units would decide how well a network trains.

    Args:
        problem: The measured field; of equations the factor is 1.
    """
    if any(term.derivatives for term in problem.terms):
        return 1.0
    points = problem.terms[0].points
    values = torch.zeros(len(points), problem.outputs, dtype=torch.float64, device=points.device)
    field = values.requires_grad_(True)
    (slope,) = torch.autograd.grad(problem.loss(lambda _: field), field)
    with torch.no_grad():
        images = zip(problem.apply(lambda _: slope), problem.terms, strict=True)
        curvature = sum(float(term.weight * image.abs().square().mean()) for image, term in images)
        # The loss along the slope is least at half of its square over that of its image.
        size = (
            float(slope.square().sum()) / (2 * curvature) * float(slope.square().mean().sqrt())
            if curvature
            else 0.0
        )
    return unless_ordinary(size)


def unless_ordinary(size: float) -> float:
    """Return the factor of outputs for a field of a size: 1 where it is near 1.

    Args:
        size: Root mean square of the field.
    """
    return 1.0 if size == 0 or not math.isfinite(size) or 1 / ORDINARY < size < ORDINARY else size


@final
@dataclass(frozen=True)
class NetworkFeatures:
    """Last hidden layers of random copies of a network, with a constant: what its output layer combines.

    Attributes:
        layers: One function per copy.
        width: Features in all, without the constant.
    """

    layers: tuple[HiddenLayer, ...]
    width: int

    @staticmethod
    def of(
        builder: Builder,
        bandwidth: tuple[float, ...],
        seed: int,
        axes: int,
        columns: int = COLUMNS,
        device: torch.device | None = None,
    ) -> NetworkFeatures:
        """Draw copies until they have enough features.

        Args:
            builder: Builds the network.
            bandwidth: Per axis, in cycles per unit.
            seed: Seed of the copies.
            axes: Number of coordinates.
            columns: Features in all, at least.
            device: Where the copies are evaluated; where they are built if None.
        """
        layers: list[HiddenLayer] = []
        count = 0
        probe = torch.zeros(1, axes, dtype=torch.float64, device="cpu" if device is None else device)
        while count < columns:
            # float64: second derivatives of high frequencies lose eight digits in float32.
            copy = builder(bandwidth, derive_seed(seed, "copy", str(len(layers))))
            layer = hidden_layer(copy.to(device, torch.float64).requires_grad_(False))
            layers.append(layer)
            count += layer(probe).shape[1]
        return NetworkFeatures(tuple(layers), count)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features (N, F + 1) at points (N, d) on the device of the copies: layers / sqrt(F), and 1."""
        parts = [layer(x) / math.sqrt(self.width) for layer in self.layers]
        return torch.cat([*parts, torch.ones_like(x[:, :1])], dim=1)

    def derivatives(self, points: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
        """Return (A, N, F + 1) partial derivatives at points (N, d)."""
        parts = [layer.derivatives(points, indices) / math.sqrt(self.width) for layer in self.layers]
        return torch.cat([*parts, _constant(points, indices)], dim=2)


@final
@dataclass(frozen=True)
class FourierFeatures:
    """cos and sin(2 pi b x) / sqrt(m) of random b, and 1: plain features for the kernel solution.

    Attributes:
        frequencies: (m, d) in cycles per unit.
    """

    frequencies: Tensor

    @staticmethod
    def of(bandwidths: Sequence[tuple[float, ...]], count: int, seed: int) -> FourierFeatures:
        """Draw equally many frequencies of each of several bandwidths.

        Args:
            bandwidths: Standard deviations per axis, in cycles per unit.
            count: Frequencies in all.
            seed: Seed of the draw.
        """
        draw = torch.Generator(device="cpu").manual_seed(derive_seed(seed, "Fourier features") % 2**63)
        parts = []
        for sigma in bandwidths:
            normal = torch.randn(
                max(1, count // len(bandwidths)),
                len(sigma),
                generator=draw,
                dtype=torch.float64,
                device="cpu",
            )
            parts.append(normal * torch.tensor(sigma, dtype=torch.float64, device="cpu"))
        return FourierFeatures(torch.cat(parts))

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features (N, 2 m + 1) at points (N, d)."""
        phase = 2 * math.pi * x @ self.frequencies.to(x.device).T
        scale = math.sqrt(len(self.frequencies))
        return torch.cat([phase.cos() / scale, phase.sin() / scale, torch.ones_like(x[:, :1])], dim=1)

    def derivatives(self, points: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
        """Return (A, N, 2 m + 1) partial derivatives: each order multiplies by 2 pi b and turns by a quarter."""
        frequencies = self.frequencies.to(points.device)
        return torch.cat(
            [wave_derivatives(self(points)[:, :-1], frequencies, indices), _constant(points, indices)], dim=2
        )

    def on_lines(self, coefficients: Tensor, start: Tensor, axis: int, steps: Tensor) -> Tensor:
        """Return combinations of the features on lines along an axis, (S, L, C), by sums of angles.

        Args:
            coefficients: (C, 2 m + 1).
            start: (L, d) a point of each line, whose coordinate along the axis does not matter.
            axis: The axis.
            steps: (S,) coordinates along the axis.
        """
        frequencies = self.frequencies.to(start.device)
        across = start.clone()
        across[:, axis] = 0.0
        first = 2 * math.pi * across @ frequencies.T
        second = 2 * math.pi * steps[:, None] * frequencies[:, axis]
        cosine, sine, constant = coefficients.split([len(frequencies), len(frequencies), 1], dim=1)
        # p cos(a + b) + q sin(a + b) = cos b (p cos a + q sin a) + sin b (q cos a - p sin a).
        rows = [
            torch.cat([p * first.cos() + q * first.sin(), q * first.cos() - p * first.sin()], dim=1)
            for p, q in zip(cosine, sine, strict=True)
        ]
        waves = torch.cat([second.cos(), second.sin()], dim=1) / math.sqrt(len(frequencies))
        return torch.einsum("sm,clm->slc", waves.to(coefficients.dtype), torch.stack(rows)) + constant[:, 0]


def _constant(points: Tensor, indices: Sequence[MultiIndex]) -> Tensor:
    """(A, N, 1) derivatives of the feature that is 1 everywhere."""
    values = [float(not any(index)) for index in indices]
    column = torch.tensor(values, dtype=torch.float64, device=points.device)
    return column[:, None, None].expand(-1, len(points), 1)


@final
@dataclass(eq=False)
class Applied:
    """A problem's operators applied to features: matrices, and their change where an equation is nonlinear.

    The unknowns are one coefficient per feature and channel, (C, F).

    Attributes:
        problem: The measured field.
        features: The features.
        checks: What each term's operator is.
    """

    problem: Measured
    features: Features
    checks: Sequence[Check]
    _jets: dict[int, Tensor] = field(default_factory=dict)
    _fixed: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def system(self, coefficients: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return A and r with weighted residuals r at the coefficients and A their derivative: loss = |r|^2.

        Args:
            coefficients: (C, F) about which to linearise; zeros if None.

        Returns:
            (R, C F) and (R,), float64, or complex128 for complex fields.
        """
        return self._weighted(
            [self._rows(i, term, coefficients) for i, term in enumerate(self.problem.terms)]
        )

    def linearised(self, near: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Return A and b with A w + b the weighted residuals at coefficients w, linearised about another field.

        Args:
            near: Differentiable field, from points (N, d) to values (N, C).
        """
        pairs = []
        for i, term in enumerate(self.problem.terms):
            if self.checks[i].linear or not self._on_polynomials(i, term):
                pairs.append(self._rows(i, term, None))
                continue
            order = max(self.checks[i].order, 1)
            state = derivatives(near, term.points.double(), multi_indices(term.points.shape[1], order))
            # The field itself as another feature of one channel each: what it adds to the linear part.
            jets = torch.cat([self._jets_of(i, term, order), state], dim=2)
            matrix, value = _linear_columns(term, self.problem.outputs, jets, order, state)
            count = matrix.shape[1] // self.problem.outputs
            blocks = matrix.reshape(len(matrix), self.problem.outputs, count)
            features = count - self.problem.outputs
            itself = torch.diagonal(blocks[:, :, features:], dim1=1, dim2=2).sum(1)
            pairs.append((blocks[:, :, :features].flatten(1), value - itself))
        return self._weighted(pairs)

    def _weighted(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Matrices and residuals of all terms below each other, with the roots of their weights."""
        rows, right = [], []
        for term, (matrix, start) in zip(self.problem.terms, pairs, strict=True):
            scale = math.sqrt(term.weight / len(start))
            rows.append(matrix * scale)
            right.append(start * scale)
        if not self.problem.complex_values:
            # Complex residuals of real coefficients: real and imaginary parts are rows of their own.
            rows = [torch.cat([m.real, m.imag]) if m.is_complex() else m for m in rows]
            right = [torch.cat([r.real, r.imag]) if r.is_complex() else r for r in right]
        dtype = torch.complex128 if self.problem.complex_values else torch.float64
        return torch.cat([m.to(dtype) for m in rows]), torch.cat([r.to(dtype) for r in right])

    def _rows(self, i: int, term: Term, coefficients: Tensor | None) -> tuple[Tensor, Tensor]:
        known = self.checks[i]
        if not known.linear and self._on_polynomials(i, term):
            order = max(known.order, 1)
            jets = self._jets_of(i, term, order)
            state = None if coefficients is None else torch.einsum("anf,cf->anc", jets, coefficients)
            return _linear_columns(term, self.problem.outputs, jets, order, state)
        if i not in self._fixed:
            self._fixed[i] = self._linear_rows(term, max(known.order, 1))
        matrix, start = self._fixed[i]
        return matrix, start if coefficients is None else start + matrix @ coefficients.flatten().to(
            matrix.dtype
        )

    def _on_polynomials(self, i: int, term: Term) -> bool:
        """Whether polynomials about each point show the linear part of a term."""
        return term.local or (term.derivatives and self.checks[i].order <= MAX_ORDER)

    def _jets_of(self, i: int, term: Term, order: int) -> Tensor:
        if i not in self._jets:
            indices = multi_indices(term.points.shape[1], order)
            self._jets[i] = derivatives(self.features, term.points.double(), indices)
        return self._jets[i]

    def _linear_rows(self, term: Term, order: int) -> tuple[Tensor, Tensor]:
        if term.local:
            part = linear_part(term, self.problem.outputs, order=order).reduced()
            jets = derivatives(self.features, term.points.double(), part.indices)
            return part.columns(jets).flatten(0, 1).flatten(1), part.value.flatten()
        if not term.derivatives and maps_columns(term):
            return _columns_at_once(term, self.features, self.problem)
        if term.derivatives and order <= MAX_ORDER:
            jets = derivatives(
                self.features, term.points.double(), multi_indices(term.points.shape[1], order)
            )
            return spread_columns(term, self.problem.outputs, jets, order)
        return _columns_one_by_one(term, self.features, self.problem)


def _linear_columns(
    term: Term, channels: int, jets: Tensor, order: int, state: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Change of a term's residuals by each feature in each channel, (R, C F), and residuals (R,)."""
    if not term.local:
        return spread_columns(term, channels, jets, order, state)
    part = linear_part(term, channels, state, order)
    return part.columns(jets).flatten(0, 1).flatten(1), part.value.flatten()


ROWS = 8192
"""Points at which features are evaluated at once."""

BATCH = 2**22
"""Values that an operator is applied to at once, in a batch of features."""


def samples_images(terms: Sequence[Term], features: Features) -> list[Tensor]:
    """Return maps of samples applied to every feature, (M, F) per term, in batches.

    Args:
        terms: Terms whose operators map each column of their values for itself.
        features: The features.
    """
    # Parts of the same measurements read the same image.
    tables: dict[int, Tensor] = {}
    images: dict[int, Tensor] = {}
    result = []
    for term in terms:
        operator = term.operator.operator if isinstance(term.operator, Selected) else term.operator
        if id(operator) not in images:
            with torch.no_grad():
                if id(term.points) not in tables:
                    # Rows in parts, which stay in the processor's cache.
                    blocks = term.points.double().split(ROWS)
                    tables[id(term.points)] = torch.cat([features(block) for block in blocks])
                table = tables[id(term.points)]
                parts = table.split(max(1, BATCH // len(table)), dim=1)
                images[id(operator)] = torch.cat([operator(term.points, part) for part in parts], dim=1)
        image = images[id(operator)]
        result.append(image[term.operator.mask] if isinstance(term.operator, Selected) else image)
    return result


def _columns_at_once(term: Term, features: Features, problem: Measured) -> tuple[Tensor, Tensor]:
    """The operator applied to each feature, the same in each channel."""
    (images,), channels = samples_images([term], features), len(problem.channels)
    # Row (m, c) has the images of the features in channel c alone.
    identity = torch.eye(channels, dtype=images.dtype, device=images.device)
    matrix = torch.einsum("mf,cd->mcdf", images, identity)
    return matrix.flatten(0, 1).flatten(1), -term.data.flatten().to(images.dtype)


def shared_system(problem: Measured, features: Features) -> tuple[Tensor, Tensor]:
    """Return A (R, F) and r (R, C) with weighted residuals r of the zero field; all channels have the same A.

    Args:
        problem: A field known through maps that treat each channel alike.
        features: The features.
    """
    matrices, starts = [], []
    for term, image in zip(problem.terms, samples_images(problem.terms, features), strict=True):
        scale = math.sqrt(term.weight / term.data.numel())
        matrix, start = image * scale, -term.data.reshape(term.size, -1) * scale
        if matrix.is_complex() and not problem.complex_values:
            # Complex residuals of real coefficients: real and imaginary parts are rows of their own.
            matrix, start = (torch.cat([part.real, part.imag]) for part in (matrix, start))
        matrices.append(matrix)
        starts.append(start)
    return torch.cat(matrices), torch.cat(starts)


def _columns_one_by_one(term: Term, features: Features, problem: Measured) -> tuple[Tensor, Tensor]:
    """The operator applied to each feature in each channel, for operators that read several points at once."""
    x = term.points.double()
    channels = len(problem.channels)
    if not term.derivatives:
        with torch.no_grad():
            table = features(x)
    count = features(x[:1]).shape[1]
    dtype = torch.complex128 if problem.complex_values else torch.float64

    def image(channel: int, column: int | None) -> Tensor:
        place = x.clone().requires_grad_(term.derivatives)
        # sin(0 x) instead of zeros keeps the graph of derivatives.
        base = torch.sin(0 * place.sum(1)) if term.derivatives else torch.zeros_like(place[:, 0])
        zero = base.to(dtype)
        values = [zero] * channels
        if column is not None:
            values[channel] = (features(place) if term.derivatives else table)[:, column].to(dtype) + zero
        return term.operator(place, torch.stack(values, dim=1)).detach().flatten()

    start = image(0, None)
    columns = [image(c, f) - start for c in range(channels) for f in range(count)]
    return torch.stack(columns, dim=1), start - term.data.flatten()
