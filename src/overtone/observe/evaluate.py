"""Outputs of a network at many samples, in chunks that keep to a memory budget."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn

from overtone.errors import InputError, OvertoneError
from overtone.nn import Field
from overtone.observe.samples import GridSamples, Samples
from overtone.observe.untouched import untouched
from overtone.signals import Places

Forward = Callable[[Any], Any]
Outputs = Callable[[Any], Tensor]

LARGEST_CHUNK = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Samples beyond which a larger chunk gains nothing: on a CPU the activations should stay near the caches."""

SMALLEST_CHUNK = 256
"""Samples of a network without a known layer output; others may get fewer."""


def chunk_size(network: nn.Module, memory: float) -> int:
    """How many samples to evaluate at once, from the shapes of the parameters alone.

    A chunk's activations are taken to be four times the widest layer's output in float32, which covers an input, an
    output and the two temporaries of an activation.

    Args:
        network: The network.
        memory: Budget in GiB.

    Returns:
        Samples per chunk, between 256 and 8,192 (131,072 on a GPU).
    """
    device = next((p.device.type for p in network.parameters()), "cpu")
    largest = LARGEST_CHUNK.get(device, LARGEST_CHUNK["cpu"])
    widest = max(
        (max(parameter.shape) for parameter in network.parameters() if parameter.ndim > 0), default=64
    )
    return int(min(largest, max(SMALLEST_CHUNK, memory * 2**30 / (16 * widest))))


def predict(
    network: nn.Module, grid: Places, index: Tensor | None, *, chunk: int, forward: Forward | None = None
) -> Tensor:
    """Evaluate `network` at grid samples. Does not guard the network: wrap the call in `untouched`.

    Args:
        network: Maps coordinates (M, d) to values (M, C). A `Field` gets float64 coordinates, any other network its
            own parameters' precision.
        grid: Where the samples lie.
        index: (M,) flat indices, or None for all samples in order.
        chunk: Samples per evaluation.
        forward: Called with the coordinates instead of the network, for networks that want them prepared.

    Returns:
        (M, C) predictions on the CPU.

    Raises:
        InputError: If the output is not one (M, C) tensor.
    """
    samples = GridSamples(grid, index)
    return _in_chunks(network, samples, 0, samples.count, chunk, _caller(network, forward, None))


@final
class Evaluator:
    """Evaluates one network, left untouched, on any samples.

    A network compiled with `torch.compile` is evaluated eagerly, so that no other shape or mode recompiles it; of one
    wrapped in `DistributedDataParallel` the inner network is, so that no process waits for another.

    Args:
        network: The network. A `Field` gets float64 coordinates, any other network floating-point inputs in its
            parameters' precision and on their device, wherever they are at that moment.
        forward: Called with the inputs instead of the network.
        outputs: Called with what the network returns; gives the one (M, ..., C) tensor that is meant.
        memory: Budget for activations, in GiB. A chunk that does not fit all the same is cut to a quarter.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        forward: Forward | None = None,
        outputs: Outputs | None = None,
        memory: float = 1.0,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(
                "a torch.nn.Module",
                type(network).__name__,
                "for other libraries hand predictions to an Observer",
                "network",
            )
        self.network = _unwrapped(network)
        self._call = _caller(self.network, forward, outputs)
        self._memory = memory
        self._forms: dict[Samples, tuple[tuple[int, ...], torch.dtype]] = {}
        self._chunk = chunk_size(self.network, memory)

    def trial(self, samples: Samples) -> tuple[Tensor, bool]:
        """Outputs at the first two samples, and whether a second evaluation gives the same.

        Two evaluations count as the same up to the square root of the outputs' precision, relative to their largest.

        Raises:
            InputError: If the network cannot be called so.
        """
        count = min(2, samples.count)
        with untouched(self.network), _largest_output(self.network) as largest, _callable():
            first = _in_chunks(self.network, samples, 0, count, count, self._call)
            second = _in_chunks(self.network, samples, 0, count, count, self._call)
        self._forms[samples] = (tuple(first.shape[1:]), first.dtype)
        fits = self._memory * 2**30 * count / (16 * max(largest[0], 1))
        self._chunk = min(self._chunk, max(1, int(fits)))
        if not bool(first.isfinite().all()):
            return first, True
        scale = float(first.abs().max()) * torch.finfo(first.dtype).eps ** 0.5
        return first, bool(((first - second).abs() <= scale).all())

    def form(self, samples: Samples) -> tuple[tuple[int, ...], torch.dtype]:
        """Shape of the outputs at one sample, and their precision."""
        if samples not in self._forms:
            self.trial(samples)
        return self._forms[samples]

    @property
    def device(self) -> torch.device:
        """Where the network is now."""
        return next(self.network.parameters(), torch.zeros((), device="cpu")).device

    def __call__(self, samples: Samples, begin: int = 0, end: int | None = None) -> Tensor:
        """Outputs (M, ..., C) at samples `begin` to `end`, on the CPU, in float32 at least."""
        with untouched(self.network):
            while True:
                try:
                    last = samples.count if end is None else end
                    return _in_chunks(self.network, samples, begin, last, self._chunk, self._call)
                except (RuntimeError, MemoryError) as error:
                    if self._chunk == 1 or not _out_of_memory(error):
                        raise
                self._chunk = max(1, self._chunk // 4)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()


def _in_chunks(
    network: nn.Module, samples: Samples, begin: int, end: int, chunk: int, call: Forward
) -> Tensor:
    parameter = next(iter(network.parameters()), torch.zeros((), device="cpu"))
    dtype = torch.float64 if isinstance(network, Field) else parameter.dtype
    parts = []
    for first in range(begin, end, chunk):
        last = min(first + chunk, end)
        output = samples.answer(network, call, samples.take(first, last, parameter.device, dtype))
        if not isinstance(output, Tensor) or output.ndim < 2 or output.shape[0] != last - first:
            got = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise InputError(
                f"the network to return one tensor of shape ({last - first}, channels)",
                got,
                "pass forward=, a function from coordinates (N, d) to values (N, C), or outputs=, one from what "
                "the network returns to that tensor",
                "network",
            )
        parts.append(output.detach().float().cpu() if output.dtype.itemsize < 4 else output.detach().cpu())
    return torch.cat(parts)


def _caller(network: nn.Module, forward: Forward | None, outputs: Outputs | None) -> Forward:
    """One function from a chunk of samples to the tensor that is meant."""
    ask = forward or (lambda given: _ask(network, given))
    return lambda given: (outputs or _only_tensor)(ask(given))


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
    """The tensor itself, or the entry "logits" of a mapping."""
    return answer["logits"] if isinstance(answer, Mapping) and "logits" in answer else answer


def _unwrapped(network: nn.Module) -> nn.Module:
    while isinstance(network, nn.parallel.DistributedDataParallel | nn.DataParallel):
        network = network.module
    inner = getattr(network, "_orig_mod", None)
    return _unwrapped(inner) if isinstance(inner, nn.Module) else network


def _out_of_memory(error: Exception) -> bool:
    text = str(error)
    told = "can't allocate memory" in text or "not enough memory" in text
    return told or isinstance(error, torch.OutOfMemoryError | MemoryError)


@contextmanager
def _callable() -> Iterator[None]:
    """Says in one sentence what a network answers to inputs that it cannot take."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OvertoneError) or _out_of_memory(error):
            raise
        raise InputError(
            "a network that can be called with what is watched",
            f"{type(error).__name__}: {' '.join(str(error).split())[:300]}",
            "watch inputs that it takes, or pass forward=, a function from these to its outputs",
            "network",
        ) from error


@contextmanager
def _largest_output(network: nn.Module) -> Iterator[list[int]]:
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

    handles = [module.register_forward_hook(look) for module in network.modules()]
    try:
        yield largest
    finally:
        for handle in handles:
            handle.remove()
