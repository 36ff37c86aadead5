"""State of Python objects: containers, attributes, closures and globals."""

from __future__ import annotations

import contextlib
import contextvars
import dis
import functools
import io
import sys
import zlib
from array import array
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, MutableMapping
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, Protocol, final

import numpy as np

from overtone.errors import InputError


class StatePart(Protocol):
    """One part of the state, stored at construction."""

    def restore(self) -> None:
        """Restore the stored state.

        Raises:
            InputError: If a change cannot be undone.
        """


_MISSING = object()


@final
class DictItems(StatePart):
    """Keys and values of a dict, in order."""

    def __init__(self, live: dict[Any, Any]) -> None:
        self._live, self._before = live, list(live.items())

    def restore(self) -> None:
        """Restore the dict if an entry is a different object."""
        now, before = list(self._live.items()), self._before
        if len(now) == len(before) and all(
            a is c and b is d for (a, b), (c, d) in zip(now, before, strict=True)
        ):
            return
        # Methods of the base class, because methods of a subclass may have side effects.
        kind = OrderedDict if isinstance(self._live, OrderedDict) else dict
        kind.clear(self._live)
        for key, value in before:
            kind.__setitem__(self._live, key, value)


@final
class SequenceItems(StatePart):
    """Entries of a list or deque."""

    def __init__(self, live: list[Any] | deque[Any]) -> None:
        self._live, self._before = live, list(live)

    def restore(self) -> None:
        """Restore the entries if one is a different object."""
        if not same_objects(self._live, self._before):
            self._live.clear()
            self._live.extend(self._before)


@final
class WritableBuffer(StatePart):
    """Contents of a bytearray or an `array.array`."""

    def __init__(self, live: bytearray | array[Any]) -> None:
        self._live, self._before = live, live[:]

    def restore(self) -> None:
        """Restore the contents."""
        if bytes(self._live) != bytes(self._before):
            self._live[:] = self._before  # type: ignore[assignment]


@final
class SetItems(StatePart):
    """Entries of a set."""

    def __init__(self, live: set[Any]) -> None:
        self._live, self._before = live, set(live)

    def restore(self) -> None:
        """Restore the entries if they differ."""
        if self._live != self._before:
            self._live.clear()
            self._live.update(self._before)


@final
class WritableArray(StatePart):
    """Contents of a writable NumPy array.

    Args:
        live: The array.
        copied: Whether a copy is stored; else a checksum detects changes, which cannot be undone.
    """

    def __init__(self, live: np.ndarray, copied: bool = True) -> None:
        self._live, self._copied = live, copied
        self._before = live.copy() if copied else np.array(_check(live))

    def restore(self) -> None:
        """Restore the contents if a bit differs, so that NaN counts as unchanged.

        Raises:
            InputError: If an array without a copy has changed.
        """
        if not self._copied:
            if _check(self._live) != int(self._before):
                raise InputError(
                    "a network whose state can be restored after an evaluation",
                    f"one that writes to an array of shape {self._live.shape}, which is too large to be copied",
                    "pass a larger memory=, in GiB, or forward=, a function that does not write to it",
                    "network",
                )
            return
        objects = self._live.dtype.hasobject
        if (objects and not same_objects(self._live.flat, self._before.flat)) or (
            not objects and self._live.tobytes() != self._before.tobytes()
        ):
            self._live[...] = self._before


@final
class NamedAttributes(StatePart):
    """Values of some names: a module's globals, or the attributes of an object or a class.

    Args:
        owner: The object with the attributes; None if `namespace` itself is writable.
        namespace: Mapping of the names to values.
        names: The names.
    """

    def __init__(self, owner: Any, namespace: MutableMapping[str, Any] | Any, names: Iterable[str]) -> None:
        self._owner, self._namespace = owner, namespace
        self.before = {name: self._value(name) for name in names}

    @property
    def values(self) -> list[Any]:
        """Return the values of the names."""
        return [value for value in self.before.values() if value is not _MISSING]

    def restore(self) -> None:
        """Restore names that refer to a different object."""
        for name, value in self.before.items():
            if self._value(name) is not value:
                self._set(name, value)

    def _value(self, name: str) -> Any:
        if self._namespace is None:
            return getattr(self._owner, name, _MISSING)
        return self._namespace.get(name, _MISSING)

    def _set(self, name: str, value: Any) -> None:
        if self._owner is not None:
            delattr(self._owner, name) if value is _MISSING else setattr(self._owner, name, value)
        elif value is _MISSING:
            del self._namespace[name]
        else:
            self._namespace[name] = value


@final
class ClassAttributes(StatePart):
    """Attributes of a class; attributes added later are removed."""

    def __init__(self, cls: type) -> None:
        self._cls, self._before = cls, dict(vars(cls))

    def restore(self) -> None:
        """Restore attributes that refer to a different object."""
        for name, value in list(vars(self._cls).items()):
            if name not in self._before and not name.startswith("__"):
                delattr(self._cls, name)
            elif self._before.get(name, value) is not value:
                setattr(self._cls, name, self._before[name])
        for name in self._before.keys() - vars(self._cls).keys():
            setattr(self._cls, name, self._before[name])


@final
class MemoryFile(StatePart):
    """Contents and position of a file in memory."""

    def __init__(self, live: io.BytesIO | io.StringIO) -> None:
        self._live, self._before, self._place = live, live.getvalue(), live.tell()

    def restore(self) -> None:
        """Restore the contents."""
        if self._live.getvalue() != self._before:
            self._live.seek(0)
            self._live.truncate()
            self._live.write(self._before)  # type: ignore[arg-type]
        self._live.seek(self._place)


@final
class ContextVariables(StatePart):
    """Variables of `contextvars`."""

    def __init__(self) -> None:
        self._before = contextvars.copy_context()

    def restore(self) -> None:
        """Restore variables that refer to a different object; a variable that was not set gets its default."""
        for variable, value in contextvars.copy_context().items():
            before = self._before.get(variable, _MISSING)
            if before is _MISSING:
                with contextlib.suppress(LookupError):
                    before = contextvars.Context().run(variable.get)
            if before is not value and before is not _MISSING:
                variable.set(before)


def _check(array: np.ndarray) -> int:
    """Return a checksum of the bytes of an array."""
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)


def same_objects(now: Iterable[Any], before: Iterable[Any]) -> bool:
    """Whether both contain the same objects in the same order."""
    first, second = list(now), list(before)
    return len(first) == len(second) and all(a is b for a, b in zip(first, second, strict=True))


_LIBRARIES = frozenset(
    {"torch", "numpy", "scipy", "overtone", "lightning", "pytorch_lightning", "lightning_fabric", "builtins"}
    | {"accelerate", "pandas", "xarray", "matplotlib", "plotly", "tqdm", "wandb", "tensorboard", "pytest"}
    | {"_pytest", "ignite", "jax", "sklearn"}
)
"""Packages whose functions and classes store no state of a network."""

_GLOBAL = frozenset({"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "STORE_NAME"})

_TRAINING_MODULES = (
    *(
        "torch.optim",
        "torch.utils",
        "torch.fx",
        "torch.jit",
        "torch._dynamo",
        "torch.distributed",
        "torch.cuda",
    ),
    *("torch.autograd", "torch._C", "torch._ops", "torch.profiler"),
)
"""Modules of torch whose objects belong to training, not to a network."""

_CONTAINER_PACKAGES = frozenset({"types", "collections", "argparse", "queue", "scipy"})
"""Packages whose objects are containers of the caller's objects."""


def is_user_code(module: str | None) -> bool:
    """Return whether a module may belong to the caller or to a library of networks."""
    top = (module or "builtins").partition(".")[0]
    return top not in _LIBRARIES and (top == "__main__" or top not in sys.stdlib_module_names)


def holds_network_state(kind: type) -> bool:
    """Return whether objects of a class may hold state of a network."""
    module = kind.__module__ or "builtins"
    # Most of torch's classes hold tensors; optimizers, loaders and compilers belong to training.
    if module.partition(".")[0] == "torch":
        return not module.startswith(_TRAINING_MODULES)
    return is_user_code(module) or module.partition(".")[0] in _CONTAINER_PACKAGES


@final
class ClosureCell(StatePart):
    """Value of an enclosed variable."""

    def __init__(self, live: CellType) -> None:
        self._live, self._before = live, _cell_contents(live)

    def restore(self) -> None:
        """Restore the value."""
        if self._before and _cell_contents(self._live) != self._before:
            self._live.cell_contents = self._before[0].thing


@final
class CachedResults(StatePart):
    """Results of `functools.lru_cache`: an empty cache is emptied again.

    The entries of other caches are not accessible; further entries change no result, unless the function is random.
    """

    def __init__(self, live: Any) -> None:
        self._live, self._size = live, live.cache_info().currsize

    def restore(self) -> None:
        """Empty the cache if it was empty."""
        if not self._size and self._live.cache_info().currsize:
            self._live.cache_clear()


@final
class _Same:
    """An object compared by identity."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    __hash__ = None  # type: ignore[assignment]


def _cell_contents(cell: CellType) -> list[_Same]:
    """Return the value of a variable, if it is set."""
    try:
        return [_Same(cell.cell_contents)]
    except ValueError:
        return []


def function_parts(function: FunctionType) -> Iterator[tuple[StatePart | None, list[Any]]]:
    """Yield the parts of one function, each with the objects it refers to."""
    yield None, [function.__defaults__, function.__kwdefaults__, function.__dict__]
    for cell in function.__closure__ or ():
        yield ClosureCell(cell), [entry.thing for entry in _cell_contents(cell)]
    used = NamedAttributes(None, function.__globals__, _globals(function.__code__))
    yield used, used.values
    for module in used.values:
        if isinstance(module, ModuleType) and is_user_code(module.__name__):
            # From the caller's modules, only names that the function looks up are stored, not the whole module.
            attributes = NamedAttributes(None, vars(module), _names(function.__code__))
            yield attributes, attributes.values


def class_parts(cls: type) -> Iterator[tuple[StatePart | None, list[Any]]]:
    """Yield the parts of one class: its attributes and their values."""
    yield ClassAttributes(cls), list(vars(cls).values())


@functools.lru_cache(maxsize=1 << 14)
def _globals(code: CodeType) -> tuple[str, ...]:
    """Return the global variables that a function and its nested functions read or set."""
    direct = [step.argval for step in dis.get_instructions(code) if step.opname in _GLOBAL]
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _globals(part)]
    return tuple(dict.fromkeys((*direct, *inner)))


@functools.lru_cache(maxsize=1 << 14)
def _names(code: CodeType) -> tuple[str, ...]:
    """Return the names that a function and its nested functions look up, including attributes."""
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _names(part)]
    return tuple(dict.fromkeys((*code.co_names, *inner)))
