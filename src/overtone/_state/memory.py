"""Tensors: where their numbers lie, what they are and how often they were written to."""

from __future__ import annotations

import functools
from typing import Any, final

import torch
from torch import Tensor

from overtone._state.part import Part
from overtone.errors import InputError

_SUM_CHUNK = 1 << 20
"""Words of 8 bytes that a sum is taken over at once."""


@final
class TensorIdentity(Part):
    """Which memory a tensor shows, its gradient and its version, not the numbers themselves."""

    def __init__(self, live: Tensor) -> None:
        self._live, self._alias = live, live.data
        self._leaf = live.is_leaf
        self._grad = live.grad if self._leaf else None
        self._requires_grad = live.requires_grad
        self._version = None
        if not live.is_inference():
            self._version = torch.autograd._unsafe_preserve_version_counter(live)

    def restore(self) -> None:
        """Where it shows other memory, is another kind or counts more writes than before."""
        live, alias = self._live, self._alias
        if _address(live) != _address(alias):
            live.data = alias
        if self._leaf:
            if live.requires_grad != self._requires_grad:
                live.requires_grad_(self._requires_grad)
            if live.grad is not self._grad:
                live.grad = self._grad
        if self._version is not None:
            self._version.__exit__(None, None, None)


@final
class StorageBytes(Part):
    """The bytes of a piece of memory.

    What other processes write to memory that they share is left.

    Args:
        live: The same memory as a contiguous tensor of whole numbers.
        name: What it is, for the error.
        copied: Whether a copy is kept; else a sum tells that it has changed, and nothing can be put back.
        owner: The tensor whose memory it is.

    Attributes:
        copied: Bytes of the copy.
    """

    def __init__(self, live: Tensor, name: str, copied: bool, owner: Tensor) -> None:
        self._live, self._name, self._owner = live, name, owner
        self._copy = live.clone() if copied else None
        self.copied = live.numel() * live.element_size() if copied else 0
        self._sum = 0 if copied else _sum(live)
        shared = owner.device.type == "cpu" and owner.is_shared() and not owner.is_inference()
        self._written = owner._version if shared else None

    def restore(self) -> None:
        """Bit by bit; a large one that was not copied is refused if it has changed."""
        if self._written is not None and self._owner._version == self._written:
            return
        if self._copy is not None:
            if not torch.equal(self._live, self._copy):
                self._live.copy_(self._copy)
        elif _sum(self._live) != self._sum:
            raise InputError(
                "a network that can be put back as it was after it is asked for its outputs",
                f"one that writes to {self._name}, which is too large to be copied",
                "pass a larger memory=, in GiB, or forward=, a function that does not write to it",
                "network",
            )


def storage_bytes(live: Tensor, budget: int, known: set[tuple[Any, ...]]) -> StorageBytes | None:
    """The memory that a tensor shows, unless it has none or that is among those `known`.

    Args:
        live: A dense tensor.
        budget: Bytes that may be copied.
        known: Pieces of memory that are remembered already; gets this one.
    """
    if not live.numel() or live.is_meta:
        return None
    size = live.element_size()
    last = sum((n - 1) * step for n, step in zip(live.shape, live.stride(), strict=True))
    begin, count = live.storage_offset() * size, (last + 1) * size
    storage = live.untyped_storage()
    key = (str(live.device), storage.data_ptr(), begin, count)
    if key in known or not storage.data_ptr():
        return None
    known.add(key)
    word = 8 if begin % 8 == count % 8 == 0 else 1
    whole = torch.empty(0, dtype=torch.int64 if word == 8 else torch.uint8, device=live.device)
    whole.set_(storage, begin // word, (count // word,), (1,))
    return StorageBytes(whole, f"a tensor of shape {tuple(live.shape)}", count <= budget, live)


def _address(tensor: Tensor) -> tuple[Any, ...]:
    if tensor.is_nested or tensor.layout is not torch.strided or hasattr(tensor, "__tensor_flatten__"):
        return (tensor.dtype,)
    if tensor.is_meta:
        return (tensor.dtype, tensor.shape)
    return (tensor.dtype, tensor.shape, tensor.stride(), tensor.data_ptr())


def _sum(words: Tensor) -> int:
    """A sum of products with random odd numbers, which a change of any one word changes."""
    weights, total = _weights(words.device), 0
    for part in words.split(_SUM_CHUNK):
        part_sum = int((part * weights[: len(part)]).sum())
        total = (31 * total + part_sum) % (1 << 64)
    return total


@functools.cache
def _weights(device: torch.device) -> Tensor:
    source = torch.Generator("cpu").manual_seed(0)
    drawn = torch.randint(
        -(1 << 62), 1 << 62, (_SUM_CHUNK,), generator=source, dtype=torch.int64, device="cpu"
    )
    return (2 * drawn + 1).to(device)
