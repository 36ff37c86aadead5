"""Products of a network's Jacobian with vectors, verified for all samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone._utils.seeding import derive_seed
from overtone.errors import InputError
from overtone.theory.ntk._empirical.passes import (
    NETWORK_ERRORS,
    as_real_pairs,
    at_least_float32,
    check_independent,
    check_samples,
    detached_samples,
    flatten_gradients,
    network_outputs,
    output_gradients,
    single_sample_outputs,
    trial_outputs,
    vector_jacobian_product,
)
from overtone.theory.ntk._empirical.selection import probe_samples, trained_parameters
from overtone.theory.ntk._empirical.verification import (
    check_groups,
    random_weights,
    relative_tolerance,
    single_sample_indices,
    zero_tolerance,
)

Direction = dict[str, Tensor]
"""A vector in parameter space, by parameter name and in the parameters' shapes."""


@final
class Jacobian:
    """Products J^T w and J u of the Jacobian J of all samples, chunk by chunk.

    J^T w is one backward pass, and J u the derivative of u.(J^T w) with respect to w, which is defined for every
    layer that can be differentiated twice. Both are checked once for all samples: J^T w for random w against passes
    over other groups of the samples and over three individual samples, J u against J^T w by w.(J u) = u.(J^T w). If
    they disagree, or cannot be computed, both are computed one sample at a time afterwards, by plain backward passes.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...); it must not change while in use.
        x: (N, ...) samples.
        chunk: Samples per pass.

    Attributes:
        parameters: The trained parameters, by name.
        channels: C.
        dtype: Precision of the outputs.
        sample_by_sample: Whether products are computed one sample at a time.

    Raises:
        InputError: If there are no samples, the network does not accept them, no parameter is trained, or a sample's
            output depends on the others.
    """

    def __init__(self, network: nn.Module, x: Tensor, chunk: int) -> None:
        check_samples(network, x=x)
        self.network, self.x, self.chunk = network, detached_samples(x), chunk
        self.parameters = trained_parameters(network)
        self.sample_by_sample = False
        with evaluation_mode_with_gradients(network, x.device):
            first = trial_outputs(network, probe_samples(self.x))
            self.channels, self.dtype = first.shape[1], first.dtype
            self._generator = torch.Generator("cpu").manual_seed(derive_seed(0, "Jacobian", "check"))
            with sdpa_kernel(SDPBackend.MATH):
                self._check()

    def vjp(self, weights: Tensor) -> Direction:
        """Return J^T w for (N, C) weights."""
        with evaluation_mode_with_gradients(self.network, self.x.device), sdpa_kernel(SDPBackend.MATH):
            return self._vjp(weights, self._parts())[0]

    def jvp(self, direction: Mapping[str, Tensor]) -> Tensor:
        """Return J u, (N, C), for a direction in some of the parameters."""
        with evaluation_mode_with_gradients(self.network, self.x.device), sdpa_kernel(SDPBackend.MATH):
            return torch.cat([self._jvp(part, direction) for part in self._parts()])

    def _parts(self) -> Sequence[Tensor]:
        return self.x.split(1 if self.sample_by_sample else self.chunk)

    def _vjp(self, weights: Tensor, parts: Sequence[Tensor]) -> tuple[Direction, Tensor]:
        """Return J^T w over these parts, and the outputs."""
        chosen = list(self.parameters.values())
        total, outputs = [torch.zeros_like(p) for p in chosen], []
        for part, w in zip(parts, weights.split([len(chunk) for chunk in parts]), strict=True):
            call = functools.partial(self._call, part)
            if self.sample_by_sample:
                y, gradients = output_gradients(self.network, call, chosen)
                grads = [_combined(output_grads, w) for output_grads in zip(*gradients, strict=True)]
            else:
                y, grads = vector_jacobian_product(self.network, call, chosen, w)
            outputs.append(y)
            for sum_, grad in zip(total, grads, strict=True):
                if grad is not None:
                    sum_ += grad
        return dict(zip(self.parameters, total, strict=True)), torch.cat(outputs)

    def _call(self, x: Tensor) -> Tensor:
        return (
            single_sample_outputs(self.network, x, self.channels)
            if len(x) == 1
            else network_outputs(self.network, x)
        )

    def _jvp(self, x: Tensor, direction: Mapping[str, Tensor]) -> Tensor:
        """Return J u for some samples."""
        chosen = [self.parameters[name] for name in direction]
        along = [u.to(p) for u, p in zip(direction.values(), chosen, strict=True)]
        if self.sample_by_sample:
            y, grads = output_gradients(self.network, functools.partial(self._call, x), chosen)
            straight = torch.cat(flatten_gradients(along, along))
            return (
                torch.stack([torch.cat(flatten_gradients(chosen, each)) @ straight for each in grads])
                .to(y)
                .reshape(y.shape)
            )
        y = self._call(x)
        nothing = torch.zeros_like(y)
        if not y.requires_grad:
            return nothing
        # J u by two reverse passes: J^T w is linear in w, and its derivative along u is J u.
        dummy = nothing.clone().requires_grad_()
        gradients = torch.autograd.grad(y, chosen, dummy, create_graph=True, allow_unused=True)
        pairs = [(g, u) for g, u in zip(gradients, along, strict=True) if g is not None and g.requires_grad]
        if not pairs:
            return nothing
        (moved,) = torch.autograd.grad([g for g, _ in pairs], dummy, [u for _, u in pairs], allow_unused=True)
        return nothing if moved is None else moved

    def _check(self) -> None:
        """Determine whether products may include many samples at once."""
        probe = probe_samples(self.x)
        try:
            parts = self._parts()
            self.sample_by_sample = not (
                self._is_consistent(probe, probe.split(1)) and all(map(self._checked, parts))
            )
        except InputError:
            raise
        except NETWORK_ERRORS:
            self.sample_by_sample = True

    def _checked(self, part: Tensor) -> bool:
        """Return whether products of a chunk equal those of other groups of its samples, and J equals (J^T)^T."""
        y = self._call(part).detach()
        for i in single_sample_indices(len(part), len(self.x)):
            check_independent(
                single_sample_outputs(self.network, part[i : i + 1], y.shape[1]).detach(), y[i : i + 1], y
            )
        order = torch.randperm(len(part), generator=self._generator, device="cpu").to(part.device)
        groups = [order[group] for group in check_groups(len(part), self.dtype, len(self.x))]
        direction = {name: self._random(p) for name, p in self.parameters.items()}
        return self._is_consistent(part, [part[group] for group in groups], order, direction)

    def _random(self, p: Tensor) -> Tensor:
        normal = torch.randn(as_real_pairs(p).shape, generator=self._generator, device="cpu").to(
            as_real_pairs(p)
        )
        return torch.view_as_complex(normal) if p.is_complex() else normal

    def _is_consistent(
        self,
        x: Tensor,
        parts: Sequence[Tensor],
        order: Tensor | None = None,
        direction: Direction | None = None,
    ) -> bool:
        """Return whether all samples at once have the same gradients as in parts, and J is the transpose of J^T.

        Args:
            x: The samples.
            parts: The same samples in parts.
            order: Indices of the samples, part after part; as in `x` if None.
            direction: u for comparing J and J^T, or None.
        """
        order = torch.arange(len(x), device=x.device) if order is None else order
        like = torch.empty(1, self.channels, dtype=self.dtype, device=x.device)
        cotangents = random_weights(len(x), like, self._generator)
        joint, joint_outputs = self._vjp(cotangents, [x])
        divided, divided_outputs = self._vjp(cotangents[order], parts)
        check_independent(divided_outputs, joint_outputs[order])
        sizes = {name: float(at_least_float32(as_real_pairs(g)).norm()) for name, g in divided.items()}
        size = math.hypot(*sizes.values())
        tolerance, floor = relative_tolerance(self.dtype), zero_tolerance(self.dtype) * size
        distances = {
            name: float(at_least_float32(as_real_pairs(joint[name] - divided[name])).norm())
            for name in divided
        }
        if any(distance > max(tolerance * sizes[name], floor) for name, distance in distances.items()):
            return False
        if direction is None:
            return True
        # w.(J u) = u.(J^T w) for all w and u if and only if the two products belong to one Jacobian.
        forward = float((at_least_float32(cotangents) * at_least_float32(self._jvp(x, direction))).sum())
        backward = sum(
            float(at_least_float32(as_real_pairs(joint[name]) * as_real_pairs(u)).sum())
            for name, u in direction.items()
        )
        return not abs(forward - backward) > tolerance * size


def _combined(grads: Sequence[Tensor | None], weights: Tensor) -> Tensor | None:
    """Return the sum of the outputs' gradients with the outputs' weights."""
    weighted = [w * g for g, w in zip(grads, weights.reshape(-1), strict=True) if g is not None]
    return torch.stack(weighted).sum(0) if weighted else None
