"""What may go wrong when a network is called for the first time, in sentences, and how large its outputs are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from overtone.errors import InputError, OvertoneError


def refuse_lazy(network: nn.Module) -> None:
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
def no_new_layers(network: nn.Module) -> Iterator[None]:
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


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out."""
    text = str(error)
    told = "can't allocate memory" in text or "not enough memory" in text
    return told or isinstance(error, torch.OutOfMemoryError | MemoryError)


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """Says in one sentence what a network answers to inputs that it cannot take."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OvertoneError) or out_of_memory(error):
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
