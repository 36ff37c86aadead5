"""Containers of Python, remembered item by item; what the items hold is remembered apart."""

from __future__ import annotations

import contextlib
import contextvars
import io
import zlib
from array import array
from collections import OrderedDict, deque
from collections.abc import Iterable, MutableMapping
from typing import Any, final

import numpy as np

from overtone._state.part import Part
from overtone.errors import InputError

_MISSING = object()


@final
class DictItems(Part):
    """A dict and its subclasses: which values its keys have, in their order."""

    def __init__(self, live: dict[Any, Any]) -> None:
        self._live, self._before = live, list(live.items())

    def restore(self) -> None:
        """Only where something is another object than before."""
        now, before = list(self._live.items()), self._before
        if len(now) == len(before) and all(
            a is c and b is d for (a, b), (c, d) in zip(now, before, strict=True)
        ):
            return
        kind = OrderedDict if isinstance(self._live, OrderedDict) else dict
        kind.clear(self._live)
        for key, value in before:
            kind.__setitem__(self._live, key, value)


@final
class SequenceItems(Part):
    """A list or deque."""

    def __init__(self, live: list[Any] | deque[Any]) -> None:
        self._live, self._before = live, list(live)

    def restore(self) -> None:
        """Only where an element is another object than before."""
        if not same_objects(self._live, self._before):
            self._live.clear()
            self._live.extend(self._before)


@final
class WritableBuffer(Part):
    """A bytearray or an `array.array`."""

    def __init__(self, live: bytearray | array[Any]) -> None:
        self._live, self._before = live, live[:]

    def restore(self) -> None:
        """As it was."""
        if bytes(self._live) != bytes(self._before):
            self._live[:] = self._before  # type: ignore[assignment]


@final
class SetItems(Part):
    """A set."""

    def __init__(self, live: set[Any]) -> None:
        self._live, self._before = live, set(live)

    def restore(self) -> None:
        """Only where it holds others than before."""
        if self._live != self._before:
            self._live.clear()
            self._live.update(self._before)


@final
class WritableArray(Part):
    """A NumPy array that can be written to.

    Args:
        live: The array.
        copied: Whether a copy is kept; else a sum tells that it has changed, and nothing can be put back.
    """

    def __init__(self, live: np.ndarray, copied: bool = True) -> None:
        self._live, self._copied = live, copied
        self._before = live.copy() if copied else np.array(_check(live))

    def restore(self) -> None:
        """Bit by bit, so that NaN is not taken for a change.

        Raises:
            InputError: If one that was not copied has changed.
        """
        if not self._copied:
            if _check(self._live) != int(self._before):
                raise InputError(
                    "a network that can be put back as it was after it is asked for its outputs",
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
class NamedAttributes(Part):
    """Some names of a namespace: a module's globals, or the attributes of an object or a class.

    Args:
        owner: Whose attributes they are; None where `namespace` itself can be written to.
        namespace: Where they are looked up.
        names: Which ones.
    """

    def __init__(self, owner: Any, namespace: MutableMapping[str, Any] | Any, names: Iterable[str]) -> None:
        self._owner, self._namespace = owner, namespace
        self.before = {name: self._value(name) for name in names}

    @property
    def values(self) -> list[Any]:
        """What they stood for."""
        return [value for value in self.before.values() if value is not _MISSING]

    def restore(self) -> None:
        """Only those that stand for something else than before."""
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
class ClassAttributes(Part):
    """The attributes of a class, those that it gets later among them."""

    def __init__(self, cls: type) -> None:
        self._cls, self._before = cls, dict(vars(cls))

    def restore(self) -> None:
        """Only those that stand for something else than before."""
        for name, value in list(vars(self._cls).items()):
            if name not in self._before and not name.startswith("__"):
                delattr(self._cls, name)
            elif self._before.get(name, value) is not value:
                setattr(self._cls, name, self._before[name])
        for name in self._before.keys() - vars(self._cls).keys():
            setattr(self._cls, name, self._before[name])


@final
class MemoryFile(Part):
    """A file in memory: its contents, and where it is read next."""

    def __init__(self, live: io.BytesIO | io.StringIO) -> None:
        self._live, self._before, self._place = live, live.getvalue(), live.tell()

    def restore(self) -> None:
        """As it was."""
        if self._live.getvalue() != self._before:
            self._live.seek(0)
            self._live.truncate()
            self._live.write(self._before)  # type: ignore[arg-type]
        self._live.seek(self._place)


@final
class ContextVariables(Part):
    """The variables of `contextvars`."""

    def __init__(self) -> None:
        self._before = contextvars.copy_context()

    def restore(self) -> None:
        """Only those that stand for something else than before; one that was not set gets its default."""
        for variable, value in contextvars.copy_context().items():
            before = self._before.get(variable, _MISSING)
            if before is _MISSING:
                with contextlib.suppress(LookupError):
                    before = contextvars.Context().run(variable.get)
            if before is not value and before is not _MISSING:
                variable.set(before)


def _check(array: np.ndarray) -> int:
    """A sum of the bytes of an array."""
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)


def same_objects(now: Iterable[Any], before: Iterable[Any]) -> bool:
    """Whether both hold the same objects in the same order."""
    first, second = list(now), list(before)
    return len(first) == len(second) and all(a is b for a, b in zip(first, second, strict=True))
