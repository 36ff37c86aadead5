"""Checks of networks that callers build: what is refused would make every answer about them wrong without a word."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from overtone._utils.text import plural
from overtone.errors import InputError

SAME = 1e-2
"""Part of the largest output by which two evaluations may differ; rounding of high frequencies is below."""


def call_factory(factory: Callable[..., Any], *arguments: Any) -> nn.Module:
    """Return the network that a factory of the caller builds.

    Args:
        factory: The function.
        *arguments: What it is called with.

    Raises:
        InputError: If it does not take them, returns no module, or one without values yet.
    """
    try:
        inspect.signature(factory).bind(*arguments)
    except TypeError as refused:
        raise InputError(
            f"a function of {plural(len(arguments), 'argument')}",
            f"one that refuses them: {refused}",
            "let it take them in this order",
            "network",
        ) from refused
    except ValueError:
        # Functions of extension modules have no signature to read.
        pass
    module = factory(*arguments)
    if not isinstance(module, nn.Module):
        raise InputError(
            "a factory that returns a torch.nn.Module",
            f"{type(module).__name__}",
            "let it return the network that it builds",
            "network",
        )
    values = [*module.parameters(), *module.buffers()]
    if any(is_lazy(value) or value.is_meta for value in values):
        raise InputError(
            "a network whose parameters have values",
            "lazy layers, or parameters on the device meta",
            "call it once on coordinates inside the function, or build layers of fixed sizes",
            "network",
        )
    return module


TORCH_SEED = "draw its weights with torch's global generator, or seed the generator that it uses"
"""Requirement for a factory without an argument for a seed."""


def check_same(first: nn.Module, second: nn.Module, remedy: str = TORCH_SEED) -> None:
    """Refuse a factory whose two networks for the same arguments differ, or are one and the same.

    Args:
        first: The network of one call.
        second: That of the next.
        remedy: How a factory gets the same weights again.

    Raises:
        InputError: If so: a short training of the one would change the other.
    """
    tensors = [{id(t) for t in (*m.parameters(), *m.buffers())} for m in (first, second)]
    if first is second or tensors[0] & tensors[1]:
        raise InputError(
            "a factory that builds a new network at each call",
            "the same one again" if first is second else "one that shares parameters with the one before",
            "build all layers inside the function",
            "network",
        )
    if not same_state(first, second):
        raise InputError(
            "a factory that returns the same network for the same value and seed",
            "two different ones",
            remedy,
            "network",
        )


def same_state(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks have the same parameters and buffers.

    Args:
        first: The one.
        second: The other.
    """
    a, b = first.state_dict(), second.state_dict()
    return list(a) == list(b) and all(torch.equal(a[name], b[name]) for name in a)


def check_outputs(
    module: nn.Module, outputs_at: Callable[[Tensor], Any], coords: Tensor, outputs: int
) -> Tensor:
    """Refuse a network that is no function of each row of coordinates, or cannot be trained.

    Args:
        module: The network. It is called a few times in evaluation mode: pass one that is thrown away.
        outputs_at: Its outputs (n, outputs) at coordinates (n, d).
        coords: (n, d) at which it is called.
        outputs: How many per row it must have.

    Returns:
        The outputs.

    Raises:
        InputError: Says what it returns instead.
    """
    module.eval()
    try:
        result = outputs_at(coords)
    except (RuntimeError, ValueError, TypeError) as refused:
        raise InputError(
            f"a network that takes ({', '.join(map(str, coords.shape))}) coordinates",
            f"{str(refused).splitlines()[0]}",
            "let it take one column per axis and return one per channel",
            "network",
        ) from refused
    expected = (len(coords), outputs)
    if not isinstance(result, Tensor) or tuple(result.shape) != expected:
        got = f"{tuple(result.shape)}" if isinstance(result, Tensor) else f"{type(result).__name__}"
        raise InputError(
            f"a network that returns {plural(outputs, 'value')} per sample, a tensor {expected}",
            got,
            f"give its last layer {plural(outputs, 'output')}, and return them as they are",
            "network",
        )
    if not result.is_floating_point():
        raise InputError(
            "a network that returns real numbers",
            f"{str(result.dtype).removeprefix('torch.')}",
            "return real and imaginary part as two columns, or the part that is learned",
            "network",
        )
    if not bool(torch.isfinite(result).all()):
        raise InputError(
            "finite outputs of the untrained network", "nan or infinity", "check its first values", "network"
        )
    trained = [p for p in module.parameters() if p.requires_grad]
    if not (trained and result.requires_grad):
        raise InputError(
            "outputs that parameters can be trained by",
            "no parameter that requires a gradient" if not trained else "outputs without a gradient",
            "leave requires_grad on, and out of forward detach, numpy and torch.no_grad",
            "network",
        )
    rows = torch.cat([outputs_at(coords[i : i + 1]) for i in range(len(coords))]).detach()
    for again, difference in (
        (outputs_at(coords), "different ones at the second call"),
        (rows, "different ones in a batch"),
    ):
        change = float((again.detach() - result.detach()).abs().max())
        if result.dtype.itemsize > 2 and not change <= SAME * float(result.detach().abs().max()):
            raise InputError(
                "the same outputs for the same coordinates, in evaluation mode",
                difference,
                "leave random numbers, counters and statistics of the batch out of forward",
                "network",
            )
    return result.detach()


def check_frequencies(low: nn.Module, high: nn.Module, outputs: tuple[Tensor, Tensor]) -> None:
    """Refuse a factory whose networks of the lowest and the highest bandwidth are the same.

    Args:
        low: The network of the lowest.
        high: The network of the highest, of the same seed.
        outputs: Their outputs at the same coordinates.

    Raises:
        InputError: If weights and outputs are equal: no bandwidth of it could be chosen.
    """
    if same_state(low, high) and torch.equal(*outputs):
        raise InputError(
            "a factory whose argument sets the network's frequencies",
            "the same network for the smallest and the largest value",
            "use the argument, as the scale of the first layer for instance",
            "network",
        )
