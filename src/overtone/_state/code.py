"""What the caller's own functions and classes hold: enclosed variables, globals that they name, class attributes."""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, final

from overtone._state.containers import ClassAttributes, NamedAttributes
from overtone._state.part import Part

_LIBRARIES = frozenset(
    {"torch", "numpy", "scipy", "overtone", "lightning", "pytorch_lightning", "lightning_fabric", "builtins"}
    | {"accelerate", "pandas", "xarray", "matplotlib", "plotly", "tqdm", "wandb", "tensorboard", "pytest"}
    | {"_pytest", "ignite", "jax", "sklearn"}
)
"""Packages whose functions and classes keep nothing that belongs to a network."""

_GLOBAL = frozenset({"LOAD_GLOBAL", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_NAME", "STORE_NAME"})

_APART = (
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
"""Parts of torch whose objects belong to training, not to a network."""

_PLAIN = frozenset({"types", "collections", "argparse", "queue", "scipy"})
"""Packages whose objects hold what others put into them."""


def is_user_code(module: str | None) -> bool:
    """Whether code of a module may be the caller's or a library's of networks."""
    top = (module or "builtins").partition(".")[0]
    return top not in _LIBRARIES and (top == "__main__" or top not in sys.stdlib_module_names)


def holds_network_state(kind: type) -> bool:
    """Whether objects of a class may hold what belongs to a network."""
    module = kind.__module__ or "builtins"
    if module.partition(".")[0] == "torch":
        return not module.startswith(_APART)
    return is_user_code(module) or module.partition(".")[0] in _PLAIN


@final
class ClosureCell(Part):
    """An enclosed variable."""

    def __init__(self, live: CellType) -> None:
        self._live, self._before = live, _cell_contents(live)

    def restore(self) -> None:
        """What it stood for."""
        if self._before and _cell_contents(self._live) != self._before:
            self._live.cell_contents = self._before[0].thing


@final
class CachedResults(Part):
    """What `functools.lru_cache` keeps: an empty cache is emptied again.

    What others hold cannot be seen; more entries change nothing there, unless the function itself draws.
    """

    def __init__(self, live: Any) -> None:
        self._live, self._size = live, live.cache_info().currsize

    def restore(self) -> None:
        """Only where it was empty."""
        if not self._size and self._live.cache_info().currsize:
            self._live.cache_clear()


@final
class _Same:
    """An object, equal to itself alone."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.thing is self.thing

    __hash__ = None  # type: ignore[assignment]


def _cell_contents(cell: CellType) -> list[_Same]:
    """What a variable stands for, if it was set."""
    try:
        return [_Same(cell.cell_contents)]
    except ValueError:
        return []


def function_parts(function: FunctionType) -> Iterator[tuple[Part | None, list[Any]]]:
    """The parts of one function, each with what lies within."""
    yield None, [function.__defaults__, function.__kwdefaults__, function.__dict__]
    for cell in function.__closure__ or ():
        yield ClosureCell(cell), [entry.thing for entry in _cell_contents(cell)]
    used = NamedAttributes(None, function.__globals__, _globals(function.__code__))
    yield used, used.values
    for module in used.values:
        if isinstance(module, ModuleType) and is_user_code(module.__name__):
            there = NamedAttributes(None, vars(module), _names(function.__code__))
            yield there, there.values


def class_parts(cls: type) -> Iterator[tuple[Part | None, list[Any]]]:
    """The parts of one class: its attributes, and what its functions hold."""
    yield ClassAttributes(cls), list(vars(cls).values())


@functools.lru_cache(maxsize=1 << 14)
def _globals(code: CodeType) -> tuple[str, ...]:
    """NamedAttributes of global variables that a function and those within it read or set."""
    direct = [step.argval for step in dis.get_instructions(code) if step.opname in _GLOBAL]
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _globals(part)]
    return tuple(dict.fromkeys((*direct, *inner)))


@functools.lru_cache(maxsize=1 << 14)
def _names(code: CodeType) -> tuple[str, ...]:
    """NamedAttributes that a function and those within it look up, those of attributes among them."""
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _names(part)]
    return tuple(dict.fromkeys((*code.co_names, *inner)))
