"""How a network is called with samples, and which tensor of its answer is meant."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any

from torch import Tensor, nn

Forward = Callable[..., Any]
"""From inputs to outputs, or from the network and inputs: a function of one or of two arguments."""

Outputs = Callable[[Any], Tensor]


def caller(network: nn.Module, forward: Forward | None, outputs: Outputs | None) -> Forward:
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


def modules_of(*functions: Any) -> Iterator[nn.Module]:
    """The networks that functions enclose, are bound to or name, apart from themselves."""
    for function in functions:
        if isinstance(function, nn.Module):
            yield function
        elif isinstance(function, functools.partial):
            yield from modules_of(function.func, *function.args, *function.keywords.values())
        elif isinstance(function, MethodType):
            owner = function.__self__
            held = (owner, *getattr(owner, "__dict__", {}).values())
            yield from (value for value in held if isinstance(value, nn.Module))
        elif isinstance(function, FunctionType):
            used = inspect.getclosurevars(function)
            held = (*used.nonlocals.values(), *used.globals.values(), *(function.__defaults__ or ()))
            yield from (value for value in held if isinstance(value, nn.Module))


def unwrapped(network: nn.Module) -> nn.Module:
    """The network itself, out of what compiles it or spreads it over devices."""
    while isinstance(network, nn.parallel.DistributedDataParallel | nn.DataParallel):
        network = network.module
    inner = getattr(network, "_orig_mod", None)
    return unwrapped(inner) if isinstance(inner, nn.Module) else network
