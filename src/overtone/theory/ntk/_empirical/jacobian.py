"""A network's Jacobian as products with vectors, checked for all samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone._utils import seeding as rng
from overtone.errors import InputError
from overtone.theory.ntk._empirical.passes import (
    NETWORK_ERRORS,
    check_independent,
    check_samples,
    detached_samples,
    flat,
    network_outputs,
    real,
    rows,
    single_sample_outputs,
    trial_outputs,
    vector_jacobian_product,
    wide,
)
from overtone.theory.ntk._empirical.selection import probe_samples, trained_parameters
from overtone.theory.ntk._empirical.verification import close, floor, groups, lonely, weights

Direction = dict[str, Tensor]
"""A vector in parameter space, by the parameters' names and in their shapes."""


@final
class Jacobian:
    """J of all samples, as J^T w and J u, chunk by chunk.

    J^T w is one backward pass, and J u the derivative of u.(J^T w) with respect to w, which every layer that can be
    differentiated twice allows. Both are checked once for all samples: J^T w for random w against passes over other
    groups of the samples and over three of them alone, J u against J^T w by w.(J u) = u.(J^T w). If they disagree,
    or cannot be taken, both are from then on taken one sample after the other, by plain backward passes.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...); it must not change while in use.
        x: (N, ...) samples.
        chunk: Samples per pass.

    Attributes:
        parameters: The trained parameters, by name.
        channels: C.
        dtype: Precision of the outputs.
        sample_by_sample: Whether products go one sample after the other.

    Raises:
        InputError: If there are no samples, the network does not take them, nothing is trained, or a sample's output
            depends on the others.
    """

    def __init__(self, network: nn.Module, x: Tensor, chunk: int) -> None:
        check_samples(network, x=x)
        self.network, self.x, self.chunk = network, detached_samples(x), chunk
        self.parameters = trained_parameters(network)
        self.sample_by_sample = False
        with evaluation_mode_with_gradients(network, x.device):
            first = trial_outputs(network, probe_samples(self.x))
            self.channels, self.dtype = first.shape[1], first.dtype
            self._draws = torch.Generator("cpu").manual_seed(rng.derive(0, "Jacobian", "check"))
            with sdpa_kernel(SDPBackend.MATH):
                self._check()

    def vjp(self, weights: Tensor) -> Direction:
        """J^T w for (N, C) weights."""
        with evaluation_mode_with_gradients(self.network, self.x.device), sdpa_kernel(SDPBackend.MATH):
            return self._vjp(weights, self._parts())[0]

    def jvp(self, direction: Mapping[str, Tensor]) -> Tensor:
        """J u, (N, C), for a direction in some of the parameters."""
        with evaluation_mode_with_gradients(self.network, self.x.device), sdpa_kernel(SDPBackend.MATH):
            return torch.cat([self._jvp(part, direction) for part in self._parts()])

    def _parts(self) -> Sequence[Tensor]:
        return self.x.split(1 if self.sample_by_sample else self.chunk)

    def _vjp(self, weights: Tensor, parts: Sequence[Tensor]) -> tuple[Direction, Tensor]:
        """J^T w over these parts, and the outputs."""
        chosen = list(self.parameters.values())
        total, seen = [torch.zeros_like(p) for p in chosen], []
        for part, w in zip(parts, weights.split([len(each) for each in parts]), strict=True):
            call = functools.partial(self._call, part)
            if self.sample_by_sample:
                y, each = rows(self.network, call, chosen)
                grads = [_combined(some, w) for some in zip(*each, strict=True)]
            else:
                y, grads = vector_jacobian_product(self.network, call, chosen, w)
            seen.append(y)
            for sum_, grad in zip(total, grads, strict=True):
                if grad is not None:
                    sum_ += grad
        return dict(zip(self.parameters, total, strict=True)), torch.cat(seen)

    def _call(self, x: Tensor) -> Tensor:
        return (
            single_sample_outputs(self.network, x, self.channels)
            if len(x) == 1
            else network_outputs(self.network, x)
        )

    def _jvp(self, x: Tensor, direction: Mapping[str, Tensor]) -> Tensor:
        """J u for some samples."""
        chosen = [self.parameters[name] for name in direction]
        along = [u.to(p) for u, p in zip(direction.values(), chosen, strict=True)]
        if self.sample_by_sample:
            y, grads = rows(self.network, functools.partial(self._call, x), chosen)
            straight = torch.cat(flat(along, along))
            return (
                torch.stack([torch.cat(flat(chosen, each)) @ straight for each in grads])
                .to(y)
                .reshape(y.shape)
            )
        y = self._call(x)
        nothing = torch.zeros_like(y)
        if not y.requires_grad:
            return nothing
        dummy = nothing.clone().requires_grad_()
        found = torch.autograd.grad(y, chosen, dummy, create_graph=True, allow_unused=True)
        pairs = [(g, u) for g, u in zip(found, along, strict=True) if g is not None and g.requires_grad]
        if not pairs:
            return nothing
        (moved,) = torch.autograd.grad([g for g, _ in pairs], dummy, [u for _, u in pairs], allow_unused=True)
        return nothing if moved is None else moved

    def _check(self) -> None:
        """Find out whether products may take many samples at once."""
        probe = probe_samples(self.x)
        try:
            parts = self._parts()
            self.sample_by_sample = not (
                self._alike(probe, probe.split(1)) and all(map(self._checked, parts))
            )
        except InputError:
            raise
        except NETWORK_ERRORS:
            self.sample_by_sample = True

    def _checked(self, part: Tensor) -> bool:
        """Whether products of a chunk are those of other groups of its samples, and of each other's transpose."""
        y = self._call(part).detach()
        for i in lonely(len(part), len(self.x)):
            check_independent(
                single_sample_outputs(self.network, part[i : i + 1], y.shape[1]).detach(), y[i : i + 1], y
            )
        order = torch.randperm(len(part), generator=self._draws, device="cpu").to(part.device)
        apart = [order[each] for each in groups(len(part), self.dtype, len(self.x))]
        direction = {name: self._random(p) for name, p in self.parameters.items()}
        return self._alike(part, [part[each] for each in apart], order, direction)

    def _random(self, p: Tensor) -> Tensor:
        drawn = torch.randn(real(p).shape, generator=self._draws, device="cpu").to(real(p))
        return torch.view_as_complex(drawn) if p.is_complex() else drawn

    def _alike(
        self,
        x: Tensor,
        parts: Sequence[Tensor],
        order: Tensor | None = None,
        direction: Direction | None = None,
    ) -> bool:
        """Whether samples together have the gradients that they have in parts, and J is the transpose of J^T.

        Args:
            x: The samples.
            parts: The same samples in parts.
            order: Which they are, part after part; as in `x` if None.
            direction: u to compare J and J^T by, if wanted.
        """
        order = torch.arange(len(x), device=x.device) if order is None else order
        like = torch.empty(1, self.channels, dtype=self.dtype, device=x.device)
        given = weights(len(x), like, self._draws)
        one, together = self._vjp(given, [x])
        two, divided = self._vjp(given[order], parts)
        check_independent(divided, together[order])
        sizes = {name: float(wide(real(g)).norm()) for name, g in two.items()}
        size = math.hypot(*sizes.values())
        tolerance, least = close(self.dtype), floor(self.dtype) * size
        far = {name: float(wide(real(one[name] - two[name])).norm()) for name in two}
        if any(each > max(tolerance * sizes[name], least) for name, each in far.items()):
            return False
        if direction is None:
            return True
        forward = float((wide(given) * wide(self._jvp(x, direction))).sum())
        back = sum(float(wide(real(one[name]) * real(u)).sum()) for name, u in direction.items())
        return not abs(forward - back) > tolerance * size


def _combined(grads: Sequence[Tensor | None], weights: Tensor) -> Tensor | None:
    """The sum of the outputs' gradients with the outputs' weights."""
    found = [w * g for g, w in zip(grads, weights.reshape(-1), strict=True) if g is not None]
    return torch.stack(found).sum(0) if found else None
