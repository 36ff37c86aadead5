"""Operators of a network's kernel: factored, sketched, implicit, and the choice between them."""

from __future__ import annotations

import contextlib
import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, final

import torch
from torch import Tensor, nn

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone._utils.enums import parse_enum
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.theory.ntk._empirical.assembly import GIB, MemoryPerSample, measure_memory
from overtone.theory.ntk._empirical.features import GradientFeatures
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.jacobian import Jacobian
from overtone.theory.ntk._empirical.kernel import empirical_ntk
from overtone.theory.ntk._empirical.passes import check_samples, detached_samples, trial_outputs
from overtone.theory.ntk._empirical.selection import probe_samples
from overtone.theory.ntk._empirical.verification import VerifiedGradients
from overtone.theory.ntk._operators.base import KernelOperator, MatrixOperator

T = TypeVar("T")

PASS_BYTES = 1 << 26
"""Maximum bytes in one pass through the network."""

PILOT = 16
"""Number of projections for estimating the number that a tolerance requires."""

MAX_CHUNK = 1024
"""Samples per pass of an implicit kernel: more are no faster on any device."""


class MemoryBudgetError(InputError):
    """The factors exceed a memory budget."""


@final
class GradientFactors:
    """The gradients of samples in factored form, computed chunk by chunk.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
    """

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        check_samples(network, x=x)
        self.network, self.x = network, detached_samples(x)
        with evaluation_mode_with_gradients(network, x.device):
            first = trial_outputs(network, probe_samples(self.x))
            self.dtype, self.channels = first.dtype, first.shape[1]
            self.scale = max(1, first.element_size() // 4)
            self._gradients = VerifiedGradients(network, self.x, PASS_BYTES)
            self._gradients.retry_until_verified(self._measure)

    def _measure(self) -> None:
        self.sample_memory: MemoryPerSample = measure_memory(
            self._gradients.sources, probe_samples(self.x)[:1]
        )
        self.chunk = max(1, min(len(self.x), PASS_BYTES // (self.sample_memory.workspace * self.scale)))

    @property
    def stored_bytes(self) -> int:
        """Bytes of the gradients of all samples."""
        return self.sample_memory.stored * self.scale * len(self.x)

    def collect(self, make: Callable[[list[GradientFeatures]], T], max_bytes: float = math.inf) -> list[T]:
        """Return the results of `make` for the features of successive chunks of the samples.

        Args:
            make: Function of the features of one chunk of samples.
            max_bytes: Maximum bytes of the gradients of all samples.

        Raises:
            MemoryBudgetError: If they exceed the maximum.
            InputError: If a sample's output depends on the others.
        """

        def attempt() -> list[T]:
            self._measure()
            if self.stored_bytes > max_bytes:
                raise MemoryBudgetError(
                    f"a budget above the {self.stored_bytes / GIB:.3g} GiB of the gradients' factors",
                    f"{max_bytes / GIB:g} GiB",
                    "increase it, or use an implicit representation, which stores none",
                    "memory",
                )
            bounds = range(0, len(self.x), self.chunk)
            parts = (self._gradients.take(self.x, slice(first, first + self.chunk)) for first in bounds)
            return [make([part.features for part in some if part.features is not None]) for some in parts]

        with evaluation_mode_with_gradients(self.network, self.x.device):
            return self._gradients.retry_until_verified(attempt)


@final
class FactoredOperator(KernelOperator):
    """The complete kernel of a network as an operator that stores the factors of its gradients.

    Element n C + c of an (N C,) vector belongs to output c of sample n. For a linear layer with input h and output
    gradient g, J^T v is one product of (v g)^T with (h, 1) and J u another: 4 N in out operations altogether, whereas
    repeated differentiation of the network takes more than twice that and many more passes over memory.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...); it must not change while in use.
        x: (N, ...) samples.
        memory: Budget in GiB.

    Raises:
        InputError: If the factors do not fit, or as `empirical_ntk` does.
    """

    def __init__(self, network: nn.Module, x: Tensor, *, memory: float = 2.0) -> None:
        factors = GradientFactors(network, x)
        self.channels = factors.channels
        self.size, self.dtype, self.device = len(x) * self.channels, factors.dtype, x.device
        self._chunks = factors.collect(lambda features: features, memory * GIB)
        self._chunk = factors.chunk

    @torch.no_grad()
    def _apply(self, vector: Tensor) -> Tensor:
        # J^T v first, summed over all chunks; then J u chunk by chunk. The kernel is never formed.
        weights = vector.view(-1, self.channels).mT.split(self._chunk, 1)
        pulled: list[Tensor] = []
        for features, mine in zip(self._chunks, weights, strict=True):
            parts = [each.vjp(mine.to(each.like)) for each in features]
            pulled = [a.add_(b) for a, b in zip(pulled, parts, strict=True)] if pulled else parts
        pushed = [
            torch.stack([each.jvp(u) for each, u in zip(features, pulled, strict=True)]).sum(0)
            for features in self._chunks
        ]
        return torch.cat(pushed, 1).mT.reshape(-1).to(self.dtype)


@final
class JacobianOperator(KernelOperator):
    """The complete kernel of a network as an operator that differentiates the network in every product.

    Element n C + c of an (N C,) vector belongs to output c of sample n. A product is one backward pass for u = J^T v,
    and J u as the derivative of u.(J^T w) with respect to w, which is defined for every layer that can be
    differentiated twice (forward mode is not defined for fused recurrent layers). Products are computed chunk by
    chunk, so memory does not grow with N beyond a chunk's activations. All samples are checked once; if their
    gradients differ from those of each sample alone, or a layer cannot be differentiated twice, products are computed
    one sample at a time. The state of the network is restored; it must not change while in use.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
        chunk: Samples per pass.
        weights: D by parameter name, all 0 or more, for the kernel J D J^T of an optimizer with a learning rate per
            parameter; None for ones.

    Attributes:
        sample_by_sample: Whether products are computed one sample at a time, which is slow.

    Raises:
        InputError: If there are no samples, no parameter is trained, the outputs do not fit, a sample's output
        depends on
            the others, or `chunk` is below 1.
    """

    def __init__(
        self,
        network: nn.Module,
        x: Tensor,
        *,
        chunk: int = 1024,
        weights: Mapping[str, Tensor] | None = None,
    ) -> None:
        if chunk < 1:
            raise InputError("at least one sample per pass", f"{chunk}", "use the default of 1024", "chunk")
        self._jacobian, self._weights = Jacobian(network, x, chunk), weights
        self.channels, self.sample_by_sample = self._jacobian.channels, self._jacobian.sample_by_sample
        self.size, self.dtype, self.device = len(x) * self.channels, self._jacobian.dtype, x.device

    def _apply(self, vector: Tensor) -> Tensor:
        direction = self._jacobian.vjp(vector.reshape(-1, self.channels))
        if self._weights is not None:
            direction = {name: self._weights[name].to(u) * u for name, u in direction.items()}
        return self._jacobian.jvp(direction).reshape(-1)


@final
class SketchedOperator(KernelOperator):
    """The kernel S S^T with S = J R / sqrt(k), for k random directions R in parameter space.

    It is unbiased; with independent standard normal R an entry has variance (K_ii K_jj + K_ij^2) / k, so the expected
    squared Frobenius error is (tr(K)^2 + |K|^2) / k. Both are estimated from S and reported as `error`.

    Attributes:
        factor: (N C, k) S; row n C + c belongs to output c of sample n.
        error: Expected |S S^T - K| / |K| in the Frobenius norm.
        entry_error: Standard deviation of a diagonal entry relative to its value, sqrt(2 / k); off-diagonal entries
            have less, relative to sqrt(K_ii K_jj).

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...).
        x: (N, ...) samples.
        probes: k.
        seed: Seed of the directions.

    Raises:
        InputError: If `probes` is below 2, or as `empirical_ntk` does.

    Source: Johnson, Lindenstrauss 1984; the variance is Isserlis' theorem.
    """

    def __init__(self, network: nn.Module, x: Tensor, *, probes: int, seed: int = 0) -> None:
        if probes < 2:
            raise InputError("at least 2 probes", f"{probes}", "increase the number", "probes")
        factors = GradientFactors(network, x)

        def sketched(features: list[GradientFeatures]) -> Tensor:
            return torch.stack([_project(features, probe, seed) for probe in range(probes)], -1)

        rows = [each.to(factors.dtype) for each in factors.collect(sketched)]
        self.factor = torch.cat(rows) / probes**0.5
        self.size, self.dtype, self.device = len(self.factor), factors.dtype, x.device
        self.entry_error = (2 / probes) ** 0.5
        self.error = _error(self.factor.double() if len(self.factor) < 1 << 20 else self.factor)

    def _apply(self, vector: Tensor) -> Tensor:
        return self.factor @ (self.factor.mT @ vector)


@torch.no_grad()
def _project(features: list[GradientFeatures], probe: int, seed: int) -> Tensor:
    """Return (n C,) J r for direction number `probe`, the same for every chunk of samples."""
    total = None
    for number, each in enumerate(features):
        source = torch.Generator(each.like.device).manual_seed(
            derive_seed(seed, "sketch", str(probe), str(number))
        )
        direction = torch.randn(each.shape, generator=source, dtype=each.like.dtype, device=each.like.device)
        part = each.jvp(direction)
        total = part if total is None else total + part
    assert total is not None
    return total.mT.reshape(-1)


def _error(factor: Tensor) -> float:
    """Return the expected relative Frobenius error; |S S^T|^2 is |K|^2 (1 + 1/k) + tr(K)^2 / k on average."""
    probes = factor.shape[1]
    trace = float(factor.square().sum())
    both = float((factor.mT @ factor).square().sum())
    norm = max((both - trace**2 / probes) / (1 + 1 / probes), trace**2 / len(factor))
    return ((trace**2 + norm) / probes / norm) ** 0.5


class KernelForm(enum.Enum):
    """Stored form of a kernel, from the fastest in use to the smallest.

    Attributes:
        DENSE: The matrix, exact; (N C)^2 numbers.
        FACTORED: The factors of the gradients, exact; a few hundred to a few thousand numbers per sample.
        SKETCHED: Random projections of the gradients, with an error.
        IMPLICIT: Nothing is stored; every product differentiates the network, exact.
    """

    DENSE = "dense"
    FACTORED = "factored"
    SKETCHED = "sketched"
    IMPLICIT = "implicit"


@final
@dataclass(frozen=True)
class Representation:
    """A kernel as an operator.

    Attributes:
        operator: The complete kernel; row n C + c belongs to output c of sample n.
        form: Its stored form.
        error: Expected relative Frobenius error, 0 for the exact forms.
        matrix_bytes: Size of the matrix.
        factor_bytes: Size of the gradients' factors.
    """

    operator: KernelOperator
    form: KernelForm
    error: float
    matrix_bytes: int
    factor_bytes: int

    @property
    def reason(self) -> str:
        """Description of the sizes of the forms, and of the chosen form."""
        matrix, factors = f"{self.matrix_bytes / GIB:.3g} GiB", f"{self.factor_bytes / GIB:.3g} GiB"
        return f"{self.form.value}: the matrix needs {matrix}, the factors of the gradients need {factors}"


def choose_representation(
    network: nn.Module,
    x: Tensor,
    *,
    memory: float = 2.0,
    tolerance: float = 0.0,
    form: KernelForm | str | None = None,
    probes: int | None = None,
    seed: int = 0,
) -> Representation:
    """Return the complete kernel of a network as an operator within a memory budget.

    The first form that fits is chosen: the matrix; the gradients' factors; random projections, if an error is allowed
    and the required number fits; products that differentiate the network.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...); it must not change while in use.
        x: (N, ...) samples, on the network's device.
        memory: Budget in GiB.
        tolerance: Largest expected Frobenius error relative to the kernel's norm; 0 for exact forms only.
        form: "dense", "factored", "sketched" or "implicit", regardless of the budget; None to choose.
        probes: Number of random projections of a sketch; None for the number that the tolerance requires.
        seed: Seed of the random projections.

    Returns:
        The operator, its form, and its error.

    Raises:
        InputError: If the tolerance is negative, if a requested form does not fit or cannot meet the tolerance, or as
            `empirical_ntk` does.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> network, x = torch.nn.Linear(2, 1), torch.ones(3, 2)
        >>> kernel = ntk.choose_representation(network, x, form="implicit")
        >>> kernel.operator @ torch.ones(3)
        tensor([9., 9., 9.])
    """
    if not tolerance >= 0:
        raise InputError("a tolerance of at least 0", f"{tolerance}", "pass 0 for exact forms", "tolerance")
    required = None if form is None else parse_enum(KernelForm, form, "form")
    factors = GradientFactors(network, x)
    rows = len(x) * factors.channels
    itemsize = 4 * factors.scale
    memory_bytes = memory * GIB
    workspace = factors.sample_memory.workspace * factors.scale

    def represented(operator: KernelOperator, kind: KernelForm, error: float = 0.0) -> Representation:
        return Representation(operator, kind, error, rows**2 * itemsize, factors.stored_bytes)

    # Twice the matrix: its chunks exist in addition to it before they are added.
    fits = 2 * rows**2 * itemsize + 2 * workspace <= memory_bytes
    if required is KernelForm.DENSE or (required is None and fits):
        matrix = empirical_ntk(network, x, outputs=OutputLayout.BLOCKS, memory=memory).matrix
        return represented(MatrixOperator(matrix), KernelForm.DENSE)
    if required is KernelForm.FACTORED:
        return represented(FactoredOperator(network, x, memory=memory), KernelForm.FACTORED)
    if required is None and factors.stored_bytes + PASS_BYTES <= memory_bytes:
        # Samples beyond the three probes may invalidate the layer rules, and explicit gradients may not fit.
        with contextlib.suppress(MemoryBudgetError):
            return represented(FactoredOperator(network, x, memory=memory), KernelForm.FACTORED)
    if required is KernelForm.SKETCHED or (required is None and tolerance):
        sketch = _sketch(network, x, rows * itemsize, memory_bytes, tolerance, probes, seed)
        if sketch is not None:
            return represented(sketch, KernelForm.SKETCHED, sketch.error)
        if required is not None:
            raise InputError(
                "a sketch that meets the tolerance within the budget",
                f"tolerance {tolerance:g} and {memory:g} GiB",
                "increase either, or pass the number of probes",
                "tolerance",
            )
    chunk = max(1, min(MAX_CHUNK, int(memory_bytes / 4) // workspace))
    return represented(JacobianOperator(network, x, chunk=chunk), KernelForm.IMPLICIT)


def _sketch(
    network: nn.Module,
    x: Tensor,
    column_bytes: int,
    memory_bytes: float,
    tolerance: float,
    probes: int | None,
    seed: int,
) -> SketchedOperator | None:
    """Return the smallest sketch expected to meet the tolerance; None if it does not fit or cannot meet it."""
    if probes is not None:
        return SketchedOperator(network, x, probes=probes, seed=seed)
    if not tolerance:
        return None
    # The error decreases as 1 / sqrt(k), so a few projections determine the number needed, plus a tenth for chance.
    pilot = SketchedOperator(network, x, probes=PILOT, seed=seed)
    count = math.ceil(1.1 * PILOT * (pilot.error / tolerance) ** 2)
    if 3 * count * column_bytes > memory_bytes:
        return None
    sketch = SketchedOperator(network, x, probes=max(2, count), seed=seed)
    return sketch if sketch.error <= tolerance else None
