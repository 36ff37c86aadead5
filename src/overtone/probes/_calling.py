"""Calls of a network: arguments, precision, outputs and errors of the first call."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from overtone._utils.memory_errors import is_out_of_memory
from overtone.errors import InputError, OvertoneError
from overtone.nn import Field
from overtone.probes._inputs import Inputs

Forward = Callable[..., Any]
"""From inputs to outputs, or from the network and inputs: a function of one or of two arguments."""

Outputs = Callable[[Any], Tensor]


def output_function(network: nn.Module, forward: Forward | None, outputs: Outputs | None) -> Forward:
    """One function from a chunk of samples to the tensor that is meant."""
    ask: Forward = functools.partial(_ask, network)
    if forward is not None:
        ask = functools.partial(forward, network) if _takes_network(forward) else forward
    return lambda given: (outputs or _only_tensor)(ask(given))


def _takes_network(forward: Forward) -> bool:
    """Whether a function cannot do without two positional arguments."""
    try:
        known = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in known) == 2


def _ask(network: nn.Module, given: Any) -> Any:
    """Its answer: dicts become named arguments where `forward` knows the names, tuples positional ones."""
    if isinstance(given, tuple):
        return network(*given)
    if isinstance(given, Mapping) and _knows(network, given):
        return network(**given)
    return network(given)


def _knows(network: nn.Module, given: Mapping[str, Any]) -> bool:
    known = inspect.signature(network.forward).parameters.values()
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known):
        return True
    return set(given) <= {p.name for p in known if p.kind is not inspect.Parameter.POSITIONAL_ONLY}


def _only_tensor(answer: Any) -> Any:
    """The tensor itself, the entry "logits", or the only tensor in an answer of several entries."""
    entries: dict[Any, Any]
    if dataclasses.is_dataclass(answer) and not isinstance(answer, Mapping):
        entries = {field.name: getattr(answer, field.name) for field in dataclasses.fields(answer)}
    elif isinstance(answer, tuple | list):
        names = getattr(answer, "_fields", range(len(answer)))
        entries = dict(zip(names, answer, strict=True))
    elif isinstance(answer, Mapping):
        entries = dict(answer)
    else:
        return answer
    tensors = [entry for entry in entries.values() if entry is not None]
    alone = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], Tensor) else answer
    return entries.get("logits", alone)


def enclosed_modules(*functions: Any) -> Iterator[nn.Module]:
    """The networks that functions enclose, are bound to or name, apart from themselves."""
    for function in functions:
        if isinstance(function, nn.Module):
            yield function
        elif isinstance(function, functools.partial):
            yield from enclosed_modules(function.func, *function.args, *function.keywords.values())
        elif isinstance(function, MethodType):
            owner = function.__self__
            held = (owner, *getattr(owner, "__dict__", {}).values())
            yield from (value for value in held if isinstance(value, nn.Module))
        elif isinstance(function, FunctionType):
            used = inspect.getclosurevars(function)
            held = (*used.nonlocals.values(), *used.globals.values(), *(function.__defaults__ or ()))
            yield from (value for value in held if isinstance(value, nn.Module))


def unwrapped_network(network: nn.Module) -> nn.Module:
    """The network itself, out of what compiles it or spreads it over devices."""
    while isinstance(network, nn.parallel.DistributedDataParallel | nn.DataParallel):
        network = network.module
    inner = getattr(network, "_orig_mod", None)
    return unwrapped_network(inner) if isinstance(inner, nn.Module) else network


def check_initialised(network: nn.Module) -> None:
    """Refuse a network of layers whose sizes its first call finds.

    Raises:
        InputError: If there is one.
    """
    lazy = [
        name
        for name, tensor in itertools.chain(network.named_parameters(), network.named_buffers())
        if nn.parameter.is_lazy(tensor)
    ]
    if lazy:
        raise InputError(
            "a network whose layers know their sizes",
            f"{len(lazy)} tensors that the first call makes ({lazy[0]})",
            "call it once on a batch before it is watched: the first call draws its weights",
            "network",
        )


@contextmanager
def no_new_parameters(network: nn.Module) -> Iterator[None]:
    """Refuses a network that makes parameters when it is called."""
    before = {name for name, _ in network.named_parameters()}
    yield
    new = [name for name, _ in network.named_parameters() if name not in before]
    if new:
        raise InputError(
            "a network whose layers exist",
            f"one that makes {new[0]!r} when it is called",
            "call it once on a batch before it is watched: the first call draws its weights",
            "network",
        )


@contextmanager
def explained_call_errors() -> Iterator[None]:
    """Says in one sentence what a network answers to inputs that it cannot take."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OvertoneError) or is_out_of_memory(error):
            raise
        if isinstance(error, RuntimeError) and "does not require grad" in str(error):
            raise InputError(
                "a network that answers without gradients, which are off while it is watched",
                "one that differentiates inside",
                "pass forward=, a function of the network and its inputs that calls it under torch.enable_grad()",
                "network",
            ) from error
        raise InputError(
            "a network that can be called with what is watched",
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            "watch inputs that it takes, or pass forward=, a function from these (or from the network and these) to "
            "its outputs",
            "network",
        ) from error


@contextmanager
def largest_output(network: nn.Module) -> Iterator[list[int]]:
    """Yields a list whose one entry becomes the number of elements in the largest output of any module.

    Where gradients are wanted all outputs are kept: then it is their sum.
    """
    largest = [0]

    def look(module: nn.Module, given: Any, answer: Any) -> None:
        del module, given
        if isinstance(answer, Tensor):
            kept = largest[0] if torch.is_grad_enabled() else 0
            largest[0] = max(largest[0], kept + answer.numel())
        elif isinstance(answer, list | tuple):
            for part in answer:
                look(network, None, part)
        elif isinstance(answer, Mapping):
            look(network, None, list(answer.values()))

    seen = [module for module in network.modules() if not isinstance(module, torch.jit.ScriptModule)]
    handles = [module.register_forward_hook(look) for module in seen]
    try:
        yield largest
    finally:
        for handle in handles:
            handle.remove()


InputDtype = torch.dtype | None
"""That of the floating-point inputs; None for as they are."""

_ORDINARY = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def candidate_dtypes(network: nn.Module, samples: Inputs, prepared: bool = False) -> list[InputDtype]:
    """What to try, best first: the first that the network takes is what it gets.

    What the caller hands over is tried as it is. Coordinates are made by overtone: of real floating-point precisions
    the widest among the network's parameters comes first, unless places coincide in it or the caller prepares them.
    Whole numbers, packed weights and counters among the parameters say nothing of inputs.

    Args:
        network: The network. A `Field` takes float64.
        samples: What it is to be given.
        prepared: Whether a function of the caller comes before the network.
    """
    if isinstance(network, Field):
        return [torch.float64]
    own = [*_widest(network.parameters()), *_widest(network.buffers())]
    real = [kind.to_real() for kind in own]
    first: list[InputDtype] = []
    if not samples.made:
        first = [None]
    elif prepared or samples.crowding(real[0] if real else torch.float32):
        first = [torch.float64]
    unreal: list[InputDtype] = [kind for kind in own if kind.is_complex]
    return list(dict.fromkeys([*first, *real, torch.float32, torch.float64, *unreal]))


def _widest(tensors: Iterable[Tensor]) -> list[torch.dtype]:
    """Floating-point types that inputs may have, widest first."""
    kinds = dict.fromkeys(tensor.dtype for tensor in tensors)
    known = [kind for kind in kinds if kind.to_real() in _ORDINARY]
    return sorted(known, key=lambda kind: kind.to_real().itemsize, reverse=True)


_TENSOR_FLOAT_32 = 2.0**-11
"""Relative rounding of the multiplications of float32 numbers that a GPU may carry out."""


def outputs_agree(network: nn.Module, first: Tensor, second: Tensor, among: Tensor | None = None) -> bool:
    """Whether all entries are the same up to the square root of the precision, relative to the largest.

    The precision is the coarsest of the outputs and of the network's floating-point parameters. Outputs that are not
    finite agree with all.

    Args:
        network: The network.
        first: (M, ...) outputs at some samples.
        second: (M, ...) outputs at the same samples.
        among: (N, ...) outputs whose largest entry counts; the first ones if None. Those of a few samples alone may
            all be small, while the numbers that they are differences of are not.
    """
    if not bool(first.isfinite().all() and second.isfinite().all()):
        return True
    kinds = {first.dtype, *(p.dtype for p in network.parameters())}
    real = [kind for kind in kinds if kind.is_floating_point or kind.is_complex]
    eps = max((torch.finfo(kind).eps for kind in real), default=0.0)
    if any(p.is_cuda for p in network.parameters()):
        eps = max(eps, _TENSOR_FLOAT_32)
    scale = float((first if among is None else among).abs().max()) * eps**0.5
    return bool(((first - second).abs() <= scale).all())
