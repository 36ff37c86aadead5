"""Forward and backward passes through any network, and checks of its samples and outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from overtone.errors import InputError

NETWORK_ERRORS = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError)
"""Errors of a network on samples that it does not accept, or that `torch.func` cannot trace."""


def network_outputs(network: nn.Module, x: Tensor) -> Tensor:
    """Return the network's outputs as (N, C); for a single sample the axis of samples may be missing.

    Raises:
        InputError: If the output is not one floating-point tensor with a row per sample.
    """
    y = network(x)
    if isinstance(y, Tensor) and y.is_floating_point() and len(x) == 1:
        return y.reshape(1, -1)
    if not isinstance(y, Tensor) or not y.is_floating_point() or y.ndim == 0 or len(y) != len(x):
        got = f"shape {tuple(y.shape)} of {y.dtype}" if isinstance(y, Tensor) else type(y).__name__
        raise InputError(
            f"a network with one floating-point output row for each of {len(x)} samples",
            got,
            "wrap the network in a module that returns the required tensor",
            "network",
        )
    return y.reshape(len(x), -1)


def single_sample_outputs(network: nn.Module, sample: Tensor, channels: int | None = None) -> Tensor:
    """Return the outputs (1, C) for one sample (1, ...).

    Args:
        network: The network.
        sample: One sample.
        channels: C, if it is known.

    Raises:
        InputError: If the network does not accept a single sample, or returns a different number of outputs for it.
    """
    try:
        y = network_outputs(network, sample)
    except InputError:
        raise
    except NETWORK_ERRORS as failure:
        raise InputError(
            "a network that accepts a single sample",
            f"the error: {str(failure).rstrip('.')}",
            "remove operations that need several samples, for instance batch statistics",
            "network",
        ) from failure
    if channels is not None and y.shape[1] != channels:
        raise InputError(
            "a network with as many outputs for a single sample as for several",
            f"{y.shape[1]} and {channels}",
            "retain the axis of the samples",
            "network",
        )
    return y


def sqrt_eps_tolerance(dtype: torch.dtype) -> float:
    """Return a relative difference that is above rounding errors and below systematic errors."""
    return 4 * math.sqrt(torch.finfo(dtype).eps)


def check_independent(first: Tensor, second: Tensor, reference: Tensor | None = None) -> None:
    """Refuse a network that returned different outputs (N, C) for the same samples in different batches.

    Outputs that are not finite in both are left to the caller.

    Args:
        first: (N, C) outputs.
        second: (N, C) outputs in different batches.
        reference: All outputs, whose largest value sets the scale of rounding; `second` if None.
    """
    difference = (first - second).nan_to_num().abs().max()
    largest = (second if reference is None else reference).nan_to_num().abs().max()
    if difference > sqrt_eps_tolerance(second.dtype) * largest:
        raise InputError(
            "a network whose output for a sample depends only on that sample",
            f"a difference of {float(difference):.1e} between batches",
            "remove operations that mix the samples of a batch",
            "network",
        )


def check_samples(network: nn.Module, **samples: Tensor | None) -> None:
    """Refuse samples that are not tensors of at least one row, on the network's device.

    Args:
        network: The network.
        samples: (N, ...) tensors by the name of their argument.
    """
    tensors = {name: x for name, x in samples.items() if x is not None}
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise InputError("a tensor of samples", type(x).__name__, "pass torch.as_tensor(...)", name)
        if x.ndim == 0 or len(x) == 0:
            raise InputError("at least one sample", f"shape {tuple(x.shape)}", "pass (N, ...) samples", name)
    state = [*network.named_parameters(), *network.named_buffers()]
    for name, value in state:
        _check_state(name, value)
    places = {str(value.device): name for name, value in reversed(state)}
    places |= {str(x.device): "the samples" for x in tensors.values()}
    if len(places) > 1:
        raise InputError(
            "the network and all samples on one device",
            ", ".join(f"{name} on {device}" for device, name in sorted(places.items())),
            "move them to one with .to(device)",
            "network",
        )


def detached_samples(x: Tensor) -> Tensor:
    """Return samples detached from any graph; copies of inference-mode samples, so that graphs may use them."""
    with torch.inference_mode(False):
        return x.clone() if x.is_inference() else x.detach()


def _check_state(name: str, value: Tensor) -> None:
    if nn.parameter.is_lazy(value):
        raise InputError(
            "a network whose layers have their sizes",
            f"{name}, which has no size yet",
            "call the network once on one of the samples first",
            "network",
        )
    if value.is_inference():
        raise InputError(
            "a network that can be differentiated",
            f"{name}, which was created in inference mode",
            "make or load the network outside torch.inference_mode()",
            "network",
        )


def trial_outputs(network: nn.Module, x: Tensor) -> Tensor:
    """Return the outputs (N, C) for a few samples, without a graph.

    Gradients are enabled, because some networks differentiate themselves in the forward pass.

    Raises:
        InputError: If the network does not accept the samples; the error includes the network's message.
    """
    try:
        return network_outputs(network, x).detach()
    except InputError:
        raise
    except NETWORK_ERRORS as failure:
        reason = (str(failure).splitlines() or [""])[0].rstrip(".") or type(failure).__name__
        raise InputError(
            "samples that the network accepts",
            f"shape {tuple(x.shape)} of {x.dtype}, which cause the error: {reason}",
            "check their shape, and convert them to the precision of its parameters",
            "network",
        ) from failure


Forward = Callable[[], Tensor]

ParameterGradients = list[Tensor | None]
"""Gradients of the parameters in their order; None for a parameter without one."""


def vector_jacobian_product(
    network: nn.Module, forward: Forward, parameters: Sequence[nn.Parameter], weights: Tensor
) -> tuple[Tensor, ParameterGradients]:
    """Return J^T w: the gradient of the outputs' sum with `weights`, in one backward pass.

    Args:
        network: The network.
        forward: Function that calls the network and returns its outputs.
        parameters: Parameters of the network, used or not.
        weights: In the outputs' shape.

    Returns:
        The outputs, and the gradients in the parameters' shapes, dense.

    Raises:
        InputError: If gradients require a backward pass that would also take optimizer steps.
    """
    y, (grads,) = _passes(network, forward, parameters, lambda y: [weights.to(y)])
    return y, grads


def output_gradients(
    network: nn.Module, forward: Forward, parameters: Sequence[nn.Parameter]
) -> tuple[Tensor, list[ParameterGradients]]:
    """Return the gradient of every single output, by one backward pass each.

    Args:
        network: The network.
        forward: Function that calls the network and returns its outputs.
        parameters: Parameters of the network, used or not.

    Returns:
        The outputs, and the gradients of each in flat order.

    Raises:
        InputError: As `vector_jacobian_product`.
    """

    def units(y: Tensor) -> list[Tensor]:
        return list(torch.eye(y.numel(), dtype=y.dtype, device=y.device).reshape(-1, *y.shape))

    return _passes(network, forward, parameters, units)


def flatten_gradients(parameters: Sequence[Tensor], grads: Sequence[Tensor | None]) -> list[Tensor]:
    """Return gradients as real vectors in at least single precision, zeros for missing ones.

    Args:
        parameters: The parameters; a complex one counts as real and imaginary part.
        grads: Their gradients.
    """
    filled = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, grads, strict=True)]
    return [at_least_float32(as_real_pairs(g).reshape(-1)) for g in filled]


def at_least_float32(values: Tensor) -> Tensor:
    """Convert to at least single precision, as sums over many parameters require."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def as_real_pairs(values: Tensor) -> Tensor:
    """View complex numbers as pairs of real ones."""
    return torch.view_as_real(values) if values.is_complex() else values


def _passes(
    network: nn.Module,
    forward: Forward,
    parameters: Sequence[nn.Parameter],
    weights: Callable[[Tensor], Sequence[Tensor]],
) -> tuple[Tensor, list[ParameterGradients]]:
    y = forward()
    ws = weights(y.detach())
    if not y.requires_grad:
        return y.detach(), [[None] * len(parameters) for _ in ws]
    gradients: list[ParameterGradients] = []
    try:
        for i, w in enumerate(ws):
            grads = torch.autograd.grad(y, parameters, w, retain_graph=i + 1 < len(ws), allow_unused=True)
            gradients.append([_dense(g) for g in grads])
    except RuntimeError as failure:
        if "torch.utils.checkpoint" not in str(failure):
            raise
    else:
        return y.detach(), gradients
    # Reentrant checkpoints support only `backward`, and the failed pass has freed the graph: run forward once more.
    y = forward()
    return y.detach(), [_accumulated(network, y, parameters, w) for w in ws]


def _accumulated(
    network: nn.Module, y: Tensor, parameters: Sequence[nn.Parameter], weights: Tensor
) -> ParameterGradients:
    """Return the gradients that `backward` accumulates in `.grad`, and restore `.grad` afterwards."""
    everything = list(network.parameters())
    if any(getattr(p, "_post_accumulate_grad_hooks", None) for p in everything):
        raise InputError(
            "a network whose backward pass takes no further steps",
            "reentrant checkpoints together with hooks that run after gradients are accumulated",
            "pass use_reentrant=False to torch.utils.checkpoint.checkpoint, or remove the hooks",
            "network",
        )
    before = [p.grad for p in everything]
    try:
        for p in everything:
            p.grad = None
        y.backward(weights, retain_graph=True)
        return [_dense(p.grad) for p in parameters]
    finally:
        for p, grad in zip(everything, before, strict=True):
            p.grad = grad


def _dense(grad: Tensor | None) -> Tensor | None:
    return grad if grad is None or grad.layout is torch.strided else grad.to_dense()
