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
"""Function of the inputs, or of the network and the inputs, that returns the outputs."""

Outputs = Callable[[Any], Tensor]


def output_function(network: nn.Module, forward: Forward | None, outputs: Outputs | None) -> Forward:
    """Return one function that maps a chunk of inputs to the tensor to compare."""
    # forward= replaces the call of the network; outputs= replaces the choice of one entry among several.
    call: Forward = functools.partial(_call, network)
    if forward is not None:
        call = functools.partial(forward, network) if _takes_network(forward) else forward
    return lambda arguments: (outputs or _only_tensor)(call(arguments))


def _takes_network(forward: Forward) -> bool:
    """Return whether a function requires two positional arguments."""
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in parameters) == 2


def _call(network: nn.Module, arguments: Any) -> Any:
    """Call the network: entries of a dict by name if `forward` has these parameters, those of a tuple by position."""
    if isinstance(arguments, tuple):
        return network(*arguments)
    if isinstance(arguments, Mapping) and _has_parameters(network, arguments):
        return network(**arguments)
    return network(arguments)


def _has_parameters(network: nn.Module, arguments: Mapping[str, Any]) -> bool:
    parameters = inspect.signature(network.forward).parameters.values()
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return True
    return set(arguments) <= {p.name for p in parameters if p.kind is not inspect.Parameter.POSITIONAL_ONLY}


def _only_tensor(answer: Any) -> Any:
    """Return the tensor itself, the entry "logits", or the only tensor among several entries."""
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
    # Hugging Face models return optional entries as None beside the logits.
    tensors = [entry for entry in entries.values() if entry is not None]
    single = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], Tensor) else answer
    return entries.get("logits", single)


def enclosed_modules(*functions: Any) -> Iterator[nn.Module]:
    """Yield the networks that functions enclose, are bound to or refer to by name."""
    for function in functions:
        if isinstance(function, nn.Module):
            yield function
        elif isinstance(function, functools.partial):
            yield from enclosed_modules(function.func, *function.args, *function.keywords.values())
        elif isinstance(function, MethodType):
            owner = function.__self__
            referenced = (owner, *getattr(owner, "__dict__", {}).values())
            yield from (value for value in referenced if isinstance(value, nn.Module))
        elif isinstance(function, FunctionType):
            # Closures and globals: lambdas in user code refer to the network by name.
            used = inspect.getclosurevars(function)
            referenced = (*used.nonlocals.values(), *used.globals.values(), *(function.__defaults__ or ()))
            yield from (value for value in referenced if isinstance(value, nn.Module))


def unwrapped_network(network: nn.Module) -> nn.Module:
    """Return the network itself, without wrappers that compile it or spread it over devices."""
    while isinstance(network, nn.parallel.DistributedDataParallel | nn.DataParallel):
        network = network.module
    inner = getattr(network, "_orig_mod", None)
    return unwrapped_network(inner) if isinstance(inner, nn.Module) else network


def check_initialised(network: nn.Module) -> None:
    """Refuse a network with lazy layers, whose sizes are set by the first call.

    Raises:
        InputError: If a parameter or buffer is lazy.
    """
    lazy = [
        name
        for name, tensor in itertools.chain(network.named_parameters(), network.named_buffers())
        if nn.parameter.is_lazy(tensor)
    ]
    if lazy:
        raise InputError(
            "a network whose layers have their sizes",
            f"{len(lazy)} tensors that are created by the first call ({lazy[0]})",
            "call the network once on a batch before making the probe: the first call draws its weights",
            "network",
        )


@contextmanager
def no_new_parameters(network: nn.Module) -> Iterator[None]:
    """Refuse a network that creates parameters when it is called."""
    before = {name for name, _ in network.named_parameters()}
    yield
    new = [name for name, _ in network.named_parameters() if name not in before]
    if new:
        raise InputError(
            "a network whose layers exist before the first call",
            f"a network that creates {new[0]!r} when it is called",
            "call the network once on a batch before making the probe: the first call draws its weights",
            "network",
        )


@contextmanager
def explained_call_errors() -> Iterator[None]:
    """Convert errors of a network at unsuitable inputs to an `InputError`."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OvertoneError) or is_out_of_memory(error):
            raise
        if isinstance(error, RuntimeError) and "does not require grad" in str(error):
            raise InputError(
                "a network that can be evaluated without gradients, which are disabled during measurements",
                "a network that differentiates in its forward pass",
                "pass forward=, a function of the network and its inputs that calls it under torch.enable_grad()",
                "network",
            ) from error
        raise InputError(
            "a network that can be called on the measured inputs",
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            "pass inputs that the network accepts, or pass forward=, a function from these (or from the network and "
            "these) to its outputs",
            "network",
        ) from error


@contextmanager
def largest_output(network: nn.Module) -> Iterator[list[int]]:
    """Yield a list whose one entry becomes the number of elements in the largest output of any module.

    With gradients enabled it becomes the sum over all outputs, because autograd retains them all.
    """
    largest = [0]

    def note_size(module: nn.Module, arguments: Any, answer: Any) -> None:
        del module, arguments
        if isinstance(answer, Tensor):
            earlier = largest[0] if torch.is_grad_enabled() else 0
            largest[0] = max(largest[0], earlier + answer.numel())
        elif isinstance(answer, list | tuple):
            for part in answer:
                note_size(network, None, part)
        elif isinstance(answer, Mapping):
            note_size(network, None, list(answer.values()))

    modules = [module for module in network.modules() if not isinstance(module, torch.jit.ScriptModule)]
    handles = [module.register_forward_hook(note_size) for module in modules]
    try:
        yield largest
    finally:
        for handle in handles:
            handle.remove()


InputDtype = torch.dtype | None
"""Precision of floating-point inputs; None leaves their precision unchanged."""

_INPUT_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def candidate_dtypes(network: nn.Module, samples: Inputs, prepared: bool = False) -> list[InputDtype]:
    """Return the precisions of inputs to try, best first; the first that the network accepts is used.

    Inputs provided by the caller are first tried unchanged. Coordinates are computed by overtone: the widest real
    floating-point precision among the network's parameters comes first, unless points coincide in it or the caller
    transforms them. Integers, packed weights and counters among the parameters do not indicate a precision of inputs.

    Args:
        network: The network. A `Field` takes float64.
        samples: The inputs.
        prepared: Whether a function of the caller transforms the inputs before the network.
    """
    if isinstance(network, Field):
        return [torch.float64]
    floating = [*_widest(network.parameters()), *_widest(network.buffers())]
    real = [dtype.to_real() for dtype in floating]
    first: list[InputDtype] = []
    if not samples.generated:
        first = [None]
    elif prepared or samples.crowding(real[0] if real else torch.float32):
        first = [torch.float64]
    complex_types: list[InputDtype] = [dtype for dtype in floating if dtype.is_complex]
    return list(dict.fromkeys([*first, *real, torch.float32, torch.float64, *complex_types]))


def _widest(tensors: Iterable[Tensor]) -> list[torch.dtype]:
    """Return floating-point types that inputs may have, widest first."""
    dtypes = dict.fromkeys(tensor.dtype for tensor in tensors)
    parameters = [dtype for dtype in dtypes if dtype.to_real() in _INPUT_DTYPES]
    return sorted(parameters, key=lambda dtype: dtype.to_real().itemsize, reverse=True)


_TENSOR_FLOAT_32 = 2.0**-11
"""Relative rounding of a GPU's multiplications of float32 numbers in TensorFloat-32."""


def outputs_agree(network: nn.Module, first: Tensor, second: Tensor, reference: Tensor | None = None) -> bool:
    """Return whether two evaluations agree, up to the square root of the precision relative to the largest entry.

    The precision is the coarsest of the outputs and of the network's floating-point parameters. Outputs that are not
    finite agree with all outputs.

    Args:
        network: The network.
        first: (M, ...) outputs at some samples.
        second: (M, ...) outputs at the same samples.
        reference: (N, ...) outputs whose largest entry sets the scale; the first ones if None. Outputs at a few samples
            may all be small differences of large numbers.
    """
    if not bool(first.isfinite().all() and second.isfinite().all()):
        return True
    dtypes = {first.dtype, *(p.dtype for p in network.parameters())}
    real = [dtype for dtype in dtypes if dtype.is_floating_point or dtype.is_complex]
    eps = max((torch.finfo(dtype).eps for dtype in real), default=0.0)
    if any(p.is_cuda for p in network.parameters()):
        eps = max(eps, _TENSOR_FLOAT_32)
    # Half the digits: a different order of sums changes the last few, coupled samples change the first.
    scale = float((first if reference is None else reference).abs().max()) * eps**0.5
    return bool(((first - second).abs() <= scale).all())
