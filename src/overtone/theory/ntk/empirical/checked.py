"""Per-sample gradients of all trained parameters, every sample's checked against plain backward passes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, final

import torch
from torch import Tensor, nn

from overtone._utils import seeding as rng
from overtone.theory.ntk.empirical.backward import pulled, real, wide
from overtone.theory.ntk.empirical.calling import FAILURES, alone, check_independent, outputs_of
from overtone.theory.ntk.empirical.excluded import Excluded, RevisionError
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.invariant import close, floor, groups, lonely, weights
from overtone.theory.ntk.empirical.plan import choose, trained_parameters
from overtone.theory.ntk.empirical.positions import Placed
from overtone.theory.ntk.empirical.sources import Idle, Layers, Part, Samples, Source, Taken

T = TypeVar("T")


@final
class Gradients:
    """The gradients of a network's parameters, taken in the fastest way that is right for every sample.

    Three samples choose the way (`plan.choose`). Then, for all samples that are taken, the sum of the per-sample
    gradients with random weights, one for each sample and output, is compared with the backward pass of the outputs'
    sum with these weights. That pass sees the samples in groups of another order and size than the gradients were
    taken in, so that it also tells whether outputs depend on the company of other samples. A layer that does not
    agree, wherever in the samples that is, goes another way from then on, and all samples are taken anew.

    Args:
        network: The network, in evaluation mode for as long as gradients are taken.
        x: (N, ...) samples.
        workspace: Numbers that one product may hold at once.

    Raises:
        InputError: As `plan.choose`.
    """

    def __init__(self, network: nn.Module, x: Tensor, workspace: int) -> None:
        self.network, self._x, self._workspace = network, x, workspace
        self._trained = trained_parameters(network)
        self._draws = torch.Generator("cpu").manual_seed(rng.derive(0, "tangent kernel", "check"))
        self.excluded = Excluded()
        self.sources: list[Source] = choose(network, x, workspace)
        self._checked: set[tuple[int, int, int]] = set()
        self._kinds: list[object] = []

    def settle(self, attempt: Callable[[], T]) -> T:
        """The result of `attempt`, begun anew whenever it meets samples that rule out the present sources.

        Args:
            attempt: Calls `take` and uses `sources`.

        Raises:
            InputError: If a sample's output depends on the others.
        """
        while True:
            try:
                return attempt()
            except RevisionError as found:
                before, self.excluded = self.excluded, self.excluded | found.excluded
                if self.excluded == before:
                    self.excluded = before | Excluded(batches=True)
                self.sources = choose(self.network, self._x, self._workspace, self.excluded)
                self._checked.clear()
                self._kinds.clear()

    def take(self, x: Tensor, rows: slice) -> list[Part]:
        """The gradients of some of the samples; the same parts in the same order for all.

        Args:
            x: (N, ...) samples, the same tensor for all of its rows.
            rows: Which of them.

        Raises:
            RevisionError: If these samples rule out the present sources; `settle` takes it.
            InputError: If a sample's output depends on the others.
        """
        some = x[rows]
        taken = [self._from(source, some) for source in self.sources]
        key = (id(x), rows.start, rows.stop)
        if key not in self._checked:
            self._check(some, taken, len(x))
            self._checked.add(key)
        parts = [part for each in taken for part in each.parts]
        self._check_kinds(parts)
        return parts

    def _from(self, source: Source, some: Tensor) -> Taken:
        try:
            return source.take(some)
        except FAILURES as failure:
            if source.excluded is None:
                raise
            raise RevisionError(source.excluded) from failure

    def _check_kinds(self, parts: Sequence[Part]) -> None:
        """Features of one layer can be multiplied only if they are of one kind."""
        kinds = [_kind(part.features) for part in parts]
        self._kinds = self._kinds or list(kinds)
        odd = [part for part, one, two in zip(parts, kinds, self._kinds, strict=True) if one != two]
        if odd:
            raise RevisionError(_without(odd))

    def _check(self, x: Tensor, taken: Sequence[Taken], total: int) -> None:
        """Compare the gradients of all parts with backward passes over groups of the samples."""
        absent = [part for each in taken for part in each.parts if part.features is None]
        if absent:
            raise RevisionError(_without(absent))
        known = [each.outputs for each in taken if each.outputs is not None]
        last = any(isinstance(source, Layers) and source.last for source in self.sources)
        outputs = known[-1] if known else outputs_of(self.network, x).detach()
        for i in lonely(len(x), total):
            y = alone(self.network, x[i : i + 1], outputs.shape[1]).detach()
            self._check_outputs(taken, slice(i, i + 1), torch.zeros(1, dtype=torch.int64, device=x.device), y)
        for rows in groups(len(x), outputs.dtype, total):
            order = torch.randperm(rows.stop - rows.start, generator=self._draws, device="cpu").to(x.device)
            given = weights(len(order), outputs, self._draws)
            try:
                some = x[rows][order]
                if last:
                    some = some.contiguous(memory_format=torch.channels_last)
                y, grads = pulled(
                    self.network,
                    lambda some=some: outputs_of(self.network, some),  # type: ignore[misc]
                    list(self._trained.values()),
                    given[order],
                )
            except FAILURES as failure:
                if all(isinstance(source, Samples | Idle) for source in self.sources):
                    return
                raise RevisionError(Excluded(batches=True)) from failure
            self._check_outputs(taken, rows, order, y)
            self._check_gradients(taken, rows, given, dict(zip(self._trained, grads, strict=True)))

    def _check_outputs(self, taken: Sequence[Taken], rows: slice, order: Tensor, y: Tensor) -> None:
        for source, each in zip(self.sources, taken, strict=True):
            if each.outputs is None:
                continue
            try:
                check_independent(y, each.outputs[rows][order], each.outputs)
            except FAILURES:
                # Modules in the place of others, or `torch.func`, may be what differs: the network itself is asked.
                if not isinstance(source, Samples) and not (
                    isinstance(source, Layers) and not source.stand_ins
                ):
                    assert source.excluded is not None
                    raise RevisionError(source.excluded) from None
                raise

    def _check_gradients(
        self, taken: Sequence[Taken], rows: slice, given: Tensor, grads: Mapping[str, Tensor | None]
    ) -> None:
        filled = {
            name: torch.zeros_like(self._trained[name]) if g is None else g for name, g in grads.items()
        }
        norms = {name: float(wide(real(g)).norm()) for name, g in filled.items()}
        least = floor(given.dtype) * math.hypot(*norms.values())
        wrong = Excluded()
        for source, each in zip(self.sources, taken, strict=True):
            if isinstance(source, Idle):
                wrong |= Excluded(
                    idle=frozenset(n for n in source.parameters if norms[n] and not norms[n] <= least)
                )
            elif not isinstance(source, Samples):
                odd = [
                    part
                    for part in each.parts
                    if not _agrees(part, rows, given, filled, norms, least, self._draws)
                ]
                if odd:
                    wrong |= _without(odd) if isinstance(source, Layers) else source.excluded or Excluded()
        if wrong != Excluded():
            raise RevisionError(wrong)


def _without(parts: Sequence[Part]) -> Excluded:
    return Excluded(layers=frozenset(itertools.chain(*(part.names.values() for part in parts))))


def _kind(features: Features | None) -> object:
    return type(features.way) if isinstance(features, Placed) else type(features)


def _agrees(
    part: Part,
    rows: slice,
    given: Tensor,
    grads: Mapping[str, Tensor],
    norms: Mapping[str, float],
    least: float,
    draws: torch.Generator,
) -> bool:
    """Whether a part's gradients, summed with the given weights (n, C), are those of the backward pass.

    Where both are not finite there is nothing to compare.
    """
    assert part.features is not None
    features, exact = part.features.rows(rows), part.arranged(grads)
    mine = given.mT.to(features.like)
    sizes = [norms[name] for name in part.names.values()]
    if len(exact) == 1:
        apart, sizes = [features.apart(mine, exact[0], draws)], [math.hypot(*sizes)]
    else:
        blocks = features.pull(mine).reshape(-1).split([len(each) for each in exact])
        apart = [float((one - two).norm()) for one, two in zip(blocks, exact, strict=True)]
    if all(one <= max(close(given.dtype) * size, least) for one, size in zip(apart, sizes, strict=True)):
        return True
    return not all(map(math.isfinite, sizes)) and not bool(features.pull(mine).isfinite().all())
