"""Snapshot of all objects reachable from a network, for restoring its state."""

from __future__ import annotations

import functools
import io
import threading
from array import array
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any, final
from weakref import WeakKeyDictionary, WeakSet, WeakValueDictionary

import numpy as np
import torch
from torch import Tensor, nn

from overtone._state._python import (
    CachedResults,
    ContextVariables,
    DictItems,
    MemoryFile,
    NamedAttributes,
    SequenceItems,
    SetItems,
    StatePart,
    WritableArray,
    WritableBuffer,
    class_parts,
    function_parts,
    holds_network_state,
    is_user_code,
)
from overtone._state._torch import (
    GENERATOR_TYPES,
    ITERATOR_TYPES,
    GeneratorState,
    GlobalGenerators,
    GlobalSettings,
    IteratorPosition,
    Scripted,
    TensorIdentity,
    storage_bytes,
)

Parts = Iterator[tuple[StatePart | None, Iterable[Any]]]
"""Parts of the state, each with the objects it refers to."""

_ATOMS = frozenset(
    (
        *(int, float, complex, bool, str, bytes, type(None), type(...), range, slice),
        *(torch.dtype, torch.device, torch.Size, torch.memory_format, torch.layout),
    )
)

_DICTS = frozenset((dict, OrderedDict))

_TRAINING_OBJECTS = (torch.optim.Optimizer, torch.utils.data.Dataset, torch.utils.data.DataLoader)


@final
class StateSnapshot:
    """State that a call of networks may change: tensors, attributes, caches, counters, hooks and random generators.

    It covers modules, containers, attributes of other objects, and the variables that the caller's functions enclose
    or refer to. Objects of training itself (optimizers, data loaders, trainers, loggers) are excluded.

    Args:
        roots: Networks and other objects; a device stands for its random generator.
        memory: GiB available for copies; larger tensors are only checked.
    """

    def __init__(self, roots: Iterable[Any], memory: float = 1.0) -> None:
        self._budget = int(memory * 2**30)
        self._visited: dict[int, Any] = {}
        self._pieces: set[tuple[Any, ...]] = set()
        self._devices: set[torch.device] = set()
        self._parts: list[StatePart] = []
        self._empty: list[dict[Any, Any]] = []
        # Depth-first search over references. Visited objects are held, so that ids stay unique while new objects are
        # created.
        waiting = list(roots)
        with torch._C.DisableTorchFunctionSubclass():
            while waiting:
                thing = waiting.pop()
                if type(thing) is torch.device and thing.type not in ("cpu", "meta"):
                    self._devices.add(thing)
                if type(thing) in _ATOMS or id(thing) in self._visited:
                    continue
                self._visited[id(thing)] = thing
                if type(thing) in _DICTS and not thing:
                    # Most dicts of a network are empty hooks: clearing them needs no separate part.
                    self._empty.append(thing)
                    continue
                for part, within in self._parts_of(thing):
                    if part is not None:
                        self._parts.append(part)
                    waiting.extend(within)
        self._parts += [GlobalGenerators(self._devices), GlobalSettings(), ContextVariables()]

    def restore(self) -> None:
        """Restore everything.

        Raises:
            InputError: If a change cannot be undone; everything else is still restored.
        """
        refused: list[Exception] = []
        # Tensor subclasses may override any operation; restoring must not run their code.
        with torch._C.DisableTorchFunctionSubclass():
            for empty in self._empty:
                if empty:
                    empty.clear()
            for part in self._parts:
                try:
                    part.restore()
                except Exception as error:  # noqa: BLE001
                    refused.append(error)
        if refused:
            raise refused[0]

    def _parts_of(self, thing: Any) -> Parts:
        if isinstance(thing, Tensor):
            yield from self._tensor(thing)
        elif isinstance(thing, np.ndarray):
            yield from self._array(thing)
        elif isinstance(thing, GENERATOR_TYPES):
            yield GeneratorState(thing), ()
        elif isinstance(thing, ITERATOR_TYPES):
            part = IteratorPosition(thing)
            yield part, part.values
        elif isinstance(thing, nn.Module):
            yield from self._module(thing)
        elif isinstance(thing, dict | list | deque | bytearray | array | set | tuple | frozenset):
            yield from _container(thing)
        elif isinstance(
            thing, FunctionType | MethodType | functools.partial | staticmethod | classmethod | property
        ):
            yield from _function(thing)
        elif isinstance(thing, type):
            if is_user_code(thing.__module__):
                yield from class_parts(thing)
        elif isinstance(thing, WeakKeyDictionary | WeakValueDictionary | WeakSet):
            yield None, (vars(thing)["data"],)
        elif isinstance(thing, threading.local):
            yield None, (thing.__dict__,)
        elif isinstance(thing, io.BytesIO | io.StringIO):
            yield MemoryFile(thing), ()
        elif isinstance(thing, functools._lru_cache_wrapper):
            yield CachedResults(thing), (thing.__wrapped__,)
        elif not isinstance(thing, ModuleType):
            yield from _object(thing)

    def _tensor(self, live: Tensor) -> Parts:
        # Tensors under a transform, fake tensors and lazy parameters have no memory.
        wrapped = torch._C._functorch.is_functorch_wrapped_tensor(live) or type(live).__name__ == "FakeTensor"
        if wrapped or nn.parameter.is_lazy(live):
            return
        if live.device.type not in ("cpu", "meta"):
            self._devices.add(live.device)
        inner = [live.__dict__, live.grad if live.is_leaf else None]
        if hasattr(live, "__tensor_flatten__"):
            inner += [getattr(live, name) for name in live.__tensor_flatten__()[0]]
        elif live.layout is torch.sparse_coo:
            inner += [live._indices(), live._values()]
        elif live.layout is torch.strided and not live.is_nested:
            part = storage_bytes(live, self._budget, self._pieces)
            if part is not None:
                self._budget -= part.copied
                yield part, ()
        yield TensorIdentity(live), inner

    def _array(self, live: np.ndarray) -> Parts:
        if live.flags.writeable and not isinstance(live, np.memmap):
            copied = live.nbytes <= self._budget or live.dtype.hasobject
            self._budget -= live.nbytes * copied
            yield WritableArray(live, copied), live.flat if live.dtype.hasobject else ()

    def _module(self, live: nn.Module) -> Parts:
        yield None, [live.__dict__, *(c for c in type(live).__mro__ if is_user_code(c.__module__))]
        if isinstance(live, torch.jit.ScriptModule):
            part = Scripted(live)
            yield (
                part,
                [
                    *part.values,
                    *live.parameters(recurse=False),
                    *live.buffers(recurse=False),
                    *live.children(),
                ],
            )


def _container(live: Any) -> Parts:
    if isinstance(live, dict):
        yield DictItems(live), list(live.values())
    elif isinstance(live, set):
        yield SetItems(live), list(live)
    elif isinstance(live, tuple | frozenset):
        yield None, live
    elif isinstance(live, bytearray | array):
        yield WritableBuffer(live), ()
    else:
        yield SequenceItems(live), list(live)
    if type(live).__module__ not in ("builtins", "collections", "array"):
        yield from _object(live)


def _function(live: Any) -> Parts:
    if isinstance(live, MethodType):
        yield None, (live.__self__, live.__func__)
    elif isinstance(live, functools.partial):
        yield None, (live.func, live.args, live.keywords)
    elif isinstance(live, property):
        yield None, (live.fget, live.fset)
    elif isinstance(live, staticmethod | classmethod):
        yield None, (live.__func__,)
    elif is_user_code(live.__module__):
        yield from function_parts(live)


def _object(live: Any) -> Parts:
    """Yield the attributes of an instance of any other class, and the class if the caller defined it."""
    kind = type(live)
    if not holds_network_state(kind) or isinstance(live, _TRAINING_OBJECTS):
        return
    # Objects with __slots__ have no __dict__: their attributes are listed by name.
    slots = [name for base in kind.__mro__ for name in _slots(base)]
    part = NamedAttributes(live, None, slots)
    yield part, [getattr(live, "__dict__", None), kind, *part.values]


def _slots(base: type) -> list[str]:
    named = vars(base).get("__slots__", ())
    return [
        name if not name.startswith("__") or name.endswith("__") else f"_{base.__name__.lstrip('_')}{name}"
        for name in ([named] if isinstance(named, str) else named)
        if name not in ("__dict__", "__weakref__")
    ]
