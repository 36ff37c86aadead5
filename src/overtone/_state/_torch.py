"""State of tensors, random generators, iterators and TorchScript modules."""

from __future__ import annotations

import functools
import itertools
import operator
import random
import re
from collections.abc import Iterable
from types import GeneratorType
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from overtone._state._python import StatePart, same_objects
from overtone.errors import InputError

_SUM_CHUNK = 1 << 20
"""Number of 8-byte words in one chunk of a checksum."""


@final
class TensorIdentity(StatePart):
    """Memory that a tensor refers to, its gradient and its version; `StorageBytes` holds the numbers."""

    def __init__(self, live: Tensor) -> None:
        self._live, self._alias = live, live.data
        self._leaf = live.is_leaf
        self._grad = live.grad if self._leaf else None
        self._requires_grad = live.requires_grad
        self._version = None
        if not live.is_inference():
            self._version = torch.autograd._unsafe_preserve_version_counter(live)

    def restore(self) -> None:
        """Restore memory, gradient and version counter."""
        live, alias = self._live, self._alias
        if _address(live) != _address(alias):
            live.data = alias
        if self._leaf:
            if live.requires_grad != self._requires_grad:
                live.requires_grad_(self._requires_grad)
            if live.grad is not self._grad:
                live.grad = self._grad
        # Autograd compares version counters in backward passes: an in-place write and its undoing must not count.
        if self._version is not None:
            self._version.__exit__(None, None, None)


@final
class StorageBytes(StatePart):
    """Bytes of one piece of memory.

    Writes of other processes to shared memory are not undone.

    Args:
        live: The same memory as a contiguous tensor of integers.
        name: Description for the error.
        copied: Whether a copy is stored; else a checksum detects changes, which cannot be undone.
        owner: The tensor that uses this memory.

    Attributes:
        copied: The copied bytes.
    """

    def __init__(self, live: Tensor, name: str, copied: bool, owner: Tensor) -> None:
        self._live, self._name, self._owner = live, name, owner
        self._copy = live.clone() if copied else None
        self.copied = live.numel() * live.element_size() if copied else 0
        self._sum = 0 if copied else _sum(live)
        shared = owner.device.type == "cpu" and owner.is_shared() and not owner.is_inference()
        self._written = owner._version if shared else None

    def restore(self) -> None:
        """Restore the bytes; a change of memory without a copy is an error."""
        # The version counter of shared memory counts only writes of this process.
        if self._written is not None and self._owner._version == self._written:
            return
        if self._copy is not None:
            if not torch.equal(self._live, self._copy):
                self._live.copy_(self._copy)
        elif _sum(self._live) != self._sum:
            raise InputError(
                "a network whose state can be restored after an evaluation",
                f"one that writes to {self._name}, which is too large to be copied",
                "pass a larger memory=, in GiB, or forward=, a function that does not write to it",
                "network",
            )


def storage_bytes(live: Tensor, budget: int, known: set[tuple[Any, ...]]) -> StorageBytes | None:
    """Return the memory of a tensor as a part, or None if it has no memory or the memory is already known.

    Args:
        live: A dense tensor.
        budget: Number of bytes that may be copied.
        known: Known pieces of memory; this one is added.
    """
    if not live.numel() or live.is_meta:
        return None
    size = live.element_size()
    last = sum((n - 1) * step for n, step in zip(live.shape, live.stride(), strict=True))
    begin, count = live.storage_offset() * size, (last + 1) * size
    storage = live.untyped_storage()
    key = (str(live.device), storage.data_ptr(), begin, count)
    # Views of one storage overlap: each piece of memory is stored once.
    if key in known or not storage.data_ptr():
        return None
    known.add(key)
    # As 8-byte words where alignment allows: they are several times faster to compare and sum than bytes.
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
    """Return a sum of products with random odd numbers modulo 2^64; a change of any one word changes it."""
    weights, total = _weights(words.device), 0
    for part in words.split(_SUM_CHUNK):
        part_sum = int((part * weights[: len(part)]).sum())
        total = (31 * total + part_sum) % (1 << 64)
    return total


@functools.cache
def _weights(device: torch.device) -> Tensor:
    source = torch.Generator("cpu").manual_seed(0)
    numbers = torch.randint(
        -(1 << 62), 1 << 62, (_SUM_CHUNK,), generator=source, dtype=torch.int64, device="cpu"
    )
    return (2 * numbers + 1).to(device)


GENERATOR_TYPES = (
    torch.Generator,
    np.random.Generator,
    np.random.RandomState,
    np.random.BitGenerator,
    random.Random,
)
"""Types of generators that a network may hold."""


@final
class GeneratorState(StatePart):
    """State of one random generator."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator
        self._before = self._read()

    def restore(self) -> None:
        """Restore the state."""
        live, before = self._generator, self._before
        if isinstance(live, torch.Generator):
            live.set_state(before)
        elif isinstance(live, np.random.Generator):
            live.bit_generator.state = before
        elif isinstance(live, np.random.BitGenerator):
            live.state = before
        elif isinstance(live, np.random.RandomState):
            live.set_state(before)
        elif before is not None:
            live.setstate(before)

    def _read(self) -> Any:
        live = self._generator
        if isinstance(live, torch.Generator):
            return live.get_state()
        if isinstance(live, np.random.Generator):
            return live.bit_generator.state
        if isinstance(live, np.random.BitGenerator):
            return live.state
        if isinstance(live, np.random.RandomState):
            return live.get_state(legacy=False)
        return None if isinstance(live, random.SystemRandom) else live.getstate()


@final
class GlobalGenerators(StatePart):
    """State of the global generators: of Python, of NumPy, and of PyTorch on the CPU and other devices.

    Args:
        devices: Devices other than the CPU with generators.
    """

    def __init__(self, devices: Iterable[torch.device]) -> None:
        self._python, self._numpy = random.getstate(), np.random.get_state(legacy=False)
        self._cpu = torch.get_rng_state()
        self._others = [
            (module, args, module.get_rng_state(*args))
            for module, args in (_stream(device) for device in devices)
            if hasattr(module, "get_rng_state")
        ]

    def restore(self) -> None:
        """Restore the states."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._cpu)
        for module, args, state in self._others:
            module.set_rng_state(state, *args)


@final
class GlobalSettings(StatePart):
    """Settings of PyTorch for the whole process that a forward pass may set: each decides what training computes."""

    def __init__(self) -> None:
        self._dtype, self._threads = torch.get_default_dtype(), torch.get_num_threads()
        self._deterministic, self._only_warn = _determinism()
        self._products = torch.get_float32_matmul_precision()

    def restore(self) -> None:
        """Restore the settings that were changed."""
        if torch.get_default_dtype() != self._dtype:
            torch.set_default_dtype(self._dtype)
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        if _determinism() != (self._deterministic, self._only_warn):
            torch.use_deterministic_algorithms(self._deterministic, warn_only=self._only_warn)
        if torch.get_float32_matmul_precision() != self._products:
            torch.set_float32_matmul_precision(self._products)


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _stream(device: torch.device) -> tuple[Any, tuple[torch.device, ...]]:
    """Return the module of a device's generator, and its argument for the device."""
    return getattr(torch, device.type, None), () if device.type == "mps" else (device,)


ITERATOR_TYPES: tuple[type, ...] = (
    *(GeneratorType, itertools.count, type(iter([])), type(iter(())), type(iter(range(0)))),
    *(type(iter("")), type(iter({})), type(iter({}.values())), type(iter({}.items())), type(reversed([]))),
)
"""Types of iterators whose position can be read."""


@final
class IteratorPosition(StatePart):
    """Position of an iterator, which can be read but not restored."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._before = _progress(live)

    @property
    def values(self) -> list[Any]:
        """Return the local variables of a generator function."""
        return self._before if isinstance(self._live, GeneratorType) else []

    def restore(self) -> None:
        """Refuse an iterator that was advanced."""
        now = _progress(self._live)
        if not same_objects(now, self._before) and (
            isinstance(self._live, GeneratorType) or now != self._before
        ):
            raise InputError(
                "a network whose state can be restored after an evaluation",
                f"one that advances an iterator ({type(self._live).__name__})",
                "draw from a torch.Generator, or store a position in an attribute",
                "network",
            )


def _progress(live: Any) -> list[Any]:
    if isinstance(live, itertools.count):
        return [repr(live)]
    if not isinstance(live, GeneratorType):
        return [operator.length_hint(live)]
    return [] if live.gi_frame is None else [live.gi_frame.f_lasti, *live.gi_frame.f_locals.values()]


@final
class Scripted(StatePart):
    """Attributes that a scripted module's code refers to; they are stored outside Python."""

    def __init__(self, live: torch.jit.ScriptModule) -> None:
        self._live = live._c
        code = [self._live._get_method(name).code for name in self._live._method_names()]
        named = {"training", *re.findall(r"\.(\w+)", "\n".join(code))}
        self._before = {name: self._live.getattr(name) for name in named if self._holds_data(name)}

    @property
    def values(self) -> list[Any]:
        """Return the values of the attributes."""
        return list(self._before.values())

    def restore(self) -> None:
        """Restore attributes with a different value."""
        for name, value in self._before.items():
            if not _same(self._live.getattr(name), value):
                self._live.setattr(name, value)

    def _holds_data(self, name: str) -> bool:
        return self._live.hasattr(name) and not isinstance(
            self._live.getattr(name), torch._C.ScriptModule | torch._C.ScriptObject
        )


def _same(now: Any, before: Any) -> bool:
    if isinstance(before, Tensor) or isinstance(now, Tensor):
        return now is before
    if isinstance(before, list | tuple) and isinstance(now, list | tuple):
        return len(now) == len(before) and all(map(_same, now, before))
    if isinstance(before, dict) and isinstance(now, dict):
        return list(now) == list(before) and all(map(_same, now.values(), before.values()))
    return bool(now == before)
