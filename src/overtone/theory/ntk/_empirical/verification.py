"""Per-sample gradients of all trained parameters, verified for every sample against plain backward passes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, final

import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed
from overtone.theory.ntk._empirical.features import GradientFeatures
from overtone.theory.ntk._empirical.passes import (
    NETWORK_ERRORS,
    as_real_pairs,
    at_least_float32,
    check_independent,
    network_outputs,
    single_sample_outputs,
    vector_jacobian_product,
)
from overtone.theory.ntk._empirical.selection import select_sources, trained_parameters
from overtone.theory.ntk._empirical.sources import (
    ExcludedMethodError,
    ExcludedMethods,
    GradientPart,
    GradientSource,
    LayerwiseSource,
    PerSampleSource,
    SourceGradients,
    ZeroSource,
)
from overtone.theory.ntk._empirical.weight_sharing import SharedWeightGradients

MAX_SINGLE_GROUPS = 32
"""Number of samples up to which each forms a separate group, so that the check is complete."""

MIN_GROUPS = 4
"""Minimum number of groups for more samples: two samples that affect each other are seldom in the same group."""

GROUP = 256
"""Maximum group size: one wrong sample must be visible above rounding."""

HALF_PRECISION_GROUP = 8
"""Maximum group size for outputs in half precision."""

SINGLE_CALLS = 8
"""Number of samples that are also called individually, if there are more than `MAX_SINGLE_GROUPS` in all."""

ROUNDING = 64
"""Tolerance, in units in the last place of all gradients together, at which a parameter's gradient counts as zero."""


def check_groups(samples: int, dtype: torch.dtype, total: int) -> list[slice]:
    """Return groups of the samples; small groups in half precision.

    Args:
        samples: Number of samples to group.
        dtype: Precision of the outputs.
        total: Number of all samples.
    """
    group_size = 1 if total <= MAX_SINGLE_GROUPS else min(GROUP, -(-total // MIN_GROUPS))
    count = -(
        -samples // (group_size if torch.finfo(dtype).bits >= 32 else min(group_size, HALF_PRECISION_GROUP))
    )
    if samples > 1:
        count = max(count, 2)
    bounds = [samples * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


def single_sample_indices(samples: int, total: int) -> list[int]:
    """Return evenly spread indices of samples to call alone; none if every group is a single sample."""
    count = min(samples, -(-SINGLE_CALLS * samples // total)) if total > MAX_SINGLE_GROUPS else 0
    return [samples * (2 * i + 1) // (2 * count) for i in range(count)]


def random_weights(samples: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Return (n, C) random numbers, none of them small, so that no sample is overlooked.

    Args:
        samples: n.
        like: (N, C) outputs.
        generator: Source of the random numbers.
    """
    sizes, signs = torch.rand(2, samples, like.shape[1], generator=generator, device="cpu")
    return ((0.5 + sizes) * torch.where(signs < 0.5, -1.0, 1.0)).to(like)


def relative_tolerance(dtype: torch.dtype) -> float:
    """Return the relative distance of two sums that rounding explains.

    The tolerance is half the digits, which allows for single samples that fall on the other side of a kink; in half
    precision, which has too few digits for that, 16 units in the last place.
    """
    eps = float(torch.finfo(dtype).eps)
    return 4 * eps**0.5 if torch.finfo(dtype).bits >= 32 else 16 * eps


def zero_tolerance(dtype: torch.dtype) -> float:
    """Return the tolerance for gradients that are zero, relative to all gradients together."""
    return ROUNDING * float(torch.finfo(dtype).eps)


T = TypeVar("T")


@final
class VerifiedGradients:
    """The gradients of a network's parameters, computed by the fastest method that is correct for every sample.

    Three samples determine the method (`select_sources`). Then, for all samples, the sum of the per-sample gradients
    with random weights, one for each sample and output, is compared with the backward pass of the outputs' weighted
    sum. That pass groups the samples in another order and size than the computation of the gradients, so that it also
    detects outputs that depend on other samples. If a layer does not agree for some sample, it is computed by another
    method afterwards, and all samples are repeated.

    Args:
        network: The network, in evaluation mode for as long as gradients are computed.
        x: (N, ...) samples.
        workspace: Number of temporary values per product.

    Raises:
        InputError: As `select_sources`.
    """

    def __init__(self, network: nn.Module, x: Tensor, workspace: int) -> None:
        self.network, self._x, self._workspace = network, x, workspace
        self._trained = trained_parameters(network)
        self._generator = torch.Generator("cpu").manual_seed(derive_seed(0, "tangent kernel", "check"))
        self.excluded = ExcludedMethods()
        self.sources: list[GradientSource] = select_sources(network, x, workspace)
        self._checked: set[tuple[int, int, int]] = set()
        self._kinds: list[object] = []

    def retry_until_verified(self, attempt: Callable[[], T]) -> T:
        """Return the result of `attempt`, repeated whenever samples invalidate the current sources.

        Args:
            attempt: Function that calls `take` and uses `sources`.

        Raises:
            InputError: If a sample's output depends on the others.
        """
        while True:
            try:
                return attempt()
            except ExcludedMethodError as revision:
                before, self.excluded = self.excluded, self.excluded | revision.excluded
                # Without progress the loop would not end: the last resort is one sample at a time.
                if self.excluded == before:
                    self.excluded = before | ExcludedMethods(batches=True)
                self.sources = select_sources(self.network, self._x, self._workspace, self.excluded)
                self._checked.clear()
                self._kinds.clear()

    def take(self, x: Tensor, rows: slice) -> list[GradientPart]:
        """Return the gradients of some of the samples; the same parts in the same order for all.

        Args:
            x: (N, ...) samples, the same tensor for all of its rows.
            rows: Indices of the samples.

        Raises:
            ExcludedMethodError: If these samples invalidate the current sources; `retry_until_verified` handles it.
            InputError: If a sample's output depends on the others.
        """
        grouped = x[rows]
        source_gradients = [self._from(source, grouped) for source in self.sources]
        # Chunks recur for every pair of chunks; each is checked once.
        key = (id(x), rows.start, rows.stop)
        if key not in self._checked:
            self._check(grouped, source_gradients, len(x))
            self._checked.add(key)
        parts = [part for gradients in source_gradients for part in gradients.parts]
        self._check_kinds(parts)
        return parts

    def _from(self, source: GradientSource, grouped: Tensor) -> SourceGradients:
        try:
            return source.take(grouped)
        except NETWORK_ERRORS as failure:
            if source.excluded is None:
                raise
            raise ExcludedMethodError(source.excluded) from failure

    def _check_kinds(self, parts: Sequence[GradientPart]) -> None:
        """Require features of the same kind per layer, which inner products need."""
        kinds = [_kind(part.features) for part in parts]
        self._kinds = self._kinds or list(kinds)
        changed = [
            part
            for part, kind, known_kind in zip(parts, kinds, self._kinds, strict=True)
            if kind != known_kind
        ]
        if changed:
            raise ExcludedMethodError(_without(changed))

    def _check(self, x: Tensor, source_gradients: Sequence[SourceGradients], total: int) -> None:
        """Compare the gradients of all parts with backward passes over groups of the samples."""
        missing = [
            part for gradients in source_gradients for part in gradients.parts if part.features is None
        ]
        if missing:
            raise ExcludedMethodError(_without(missing))
        known = [gradients.outputs for gradients in source_gradients if gradients.outputs is not None]
        channels_last = any(
            isinstance(source, LayerwiseSource) and source.channels_last for source in self.sources
        )
        outputs = known[-1] if known else network_outputs(self.network, x).detach()
        for i in single_sample_indices(len(x), total):
            y = single_sample_outputs(self.network, x[i : i + 1], outputs.shape[1]).detach()
            self._check_outputs(
                source_gradients, slice(i, i + 1), torch.zeros(1, dtype=torch.int64, device=x.device), y
            )
        # Other groups in another order than in the computation: dependence on other samples becomes visible.
        for rows in check_groups(len(x), outputs.dtype, total):
            order = torch.randperm(rows.stop - rows.start, generator=self._generator, device="cpu").to(
                x.device
            )
            cotangents = random_weights(len(order), outputs, self._generator)
            try:
                grouped = x[rows][order]
                if channels_last:
                    grouped = grouped.contiguous(memory_format=torch.channels_last)
                y, grads = vector_jacobian_product(
                    self.network,
                    lambda grouped=grouped: network_outputs(self.network, grouped),  # type: ignore[misc]
                    list(self._trained.values()),
                    cotangents[order],
                )
            except NETWORK_ERRORS as failure:
                if all(isinstance(source, PerSampleSource | ZeroSource) for source in self.sources):
                    return
                raise ExcludedMethodError(ExcludedMethods(batches=True)) from failure
            self._check_outputs(source_gradients, rows, order, y)
            self._check_gradients(
                source_gradients, rows, cotangents, dict(zip(self._trained, grads, strict=True))
            )

    def _check_outputs(
        self, source_gradients: Sequence[SourceGradients], rows: slice, order: Tensor, y: Tensor
    ) -> None:
        for source, gradients in zip(self.sources, source_gradients, strict=True):
            if gradients.outputs is None:
                continue
            try:
                check_independent(y, gradients.outputs[rows][order], gradients.outputs)
            except NETWORK_ERRORS:
                # Replaced modules or `torch.func` may cause the difference, rather than the network itself.
                if not isinstance(source, PerSampleSource) and not (
                    isinstance(source, LayerwiseSource) and not source.replacements
                ):
                    assert source.excluded is not None
                    raise ExcludedMethodError(source.excluded) from None
                raise

    def _check_gradients(
        self,
        taken: Sequence[SourceGradients],
        rows: slice,
        cotangents: Tensor,
        grads: Mapping[str, Tensor | None],
    ) -> None:
        filled = {
            name: torch.zeros_like(self._trained[name]) if g is None else g for name, g in grads.items()
        }
        norms = {name: float(at_least_float32(as_real_pairs(g)).norm()) for name, g in filled.items()}
        # A gradient that is at rounding level relative to all others has no relative accuracy.
        floor = zero_tolerance(cotangents.dtype) * math.hypot(*norms.values())
        wrong = ExcludedMethods()
        for source, each in zip(self.sources, taken, strict=True):
            if isinstance(source, ZeroSource):
                wrong |= ExcludedMethods(
                    nonzero=frozenset(n for n in source.parameters if norms[n] and not norms[n] <= floor)
                )
            elif not isinstance(source, PerSampleSource):
                odd = [
                    part
                    for part in each.parts
                    if not _agrees(part, rows, cotangents, filled, norms, floor, self._generator)
                ]
                if odd:
                    wrong |= (
                        _without(odd)
                        if isinstance(source, LayerwiseSource)
                        else source.excluded or ExcludedMethods()
                    )
        if wrong != ExcludedMethods():
            raise ExcludedMethodError(wrong)


def _without(parts: Sequence[GradientPart]) -> ExcludedMethods:
    return ExcludedMethods(layers=frozenset(itertools.chain(*(part.names.values() for part in parts))))


def _kind(features: GradientFeatures | None) -> object:
    return type(features.product) if isinstance(features, SharedWeightGradients) else type(features)


def _agrees(
    part: GradientPart,
    rows: slice,
    cotangents: Tensor,
    grads: Mapping[str, Tensor],
    norms: Mapping[str, float],
    floor: float,
    generator: torch.Generator,
) -> bool:
    """Return whether a part's gradients, summed with the weights (n, C), are those of the backward pass.

    Where both are not finite they count as equal.
    """
    assert part.features is not None
    features, exact = part.features.rows(rows), part.flatten_gradient(grads)
    weights = cotangents.mT.to(features.like)
    sizes = [norms[name] for name in part.names.values()]
    if len(exact) == 1:
        distance, sizes = [features.distance(weights, exact[0], generator)], [math.hypot(*sizes)]
    else:
        blocks = features.vjp(weights).reshape(-1).split([len(each) for each in exact])
        distance = [float((one - two).norm()) for one, two in zip(blocks, exact, strict=True)]
    if all(
        one <= max(relative_tolerance(cotangents.dtype) * size, floor)
        for one, size in zip(distance, sizes, strict=True)
    ):
        return True
    return not all(map(math.isfinite, sizes)) and not bool(features.vjp(weights).isfinite().all())
