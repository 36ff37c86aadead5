"""Random generators, remembered with their states."""

from __future__ import annotations

import itertools
import operator
import random
from collections.abc import Iterable
from types import GeneratorType
from typing import Any, final

import numpy as np
import torch

from overtone._state.containers import same_objects
from overtone._state.part import Part
from overtone.errors import InputError

GENERATOR_TYPES = (
    torch.Generator,
    np.random.Generator,
    np.random.RandomState,
    np.random.BitGenerator,
    random.Random,
)
"""Kinds of generators that a network may hold."""


@final
class GeneratorState(Part):
    """One generator."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator
        self._before = self._read()

    def restore(self) -> None:
        """Where it was."""
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
class GlobalGenerators(Part):
    """The generators that all share: of Python, of NumPy, and of PyTorch on the CPU and other devices.

    Args:
        devices: Devices other than the CPU that may be drawn on.
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
        """Where they were."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        torch.set_rng_state(self._cpu)
        for module, args, state in self._others:
            module.set_rng_state(state, *args)


def _stream(device: torch.device) -> tuple[Any, tuple[torch.device, ...]]:
    """The module of a device's generator, and how it is told which one."""
    return getattr(torch, device.type, None), () if device.type == "mps" else (device,)


ITERATOR_TYPES: tuple[type, ...] = (
    *(GeneratorType, itertools.count, type(iter([])), type(iter(())), type(iter(range(0)))),
    *(type(iter("")), type(iter({})), type(iter({}.values())), type(iter({}.items())), type(reversed([]))),
)
"""Iterators of which it can be seen how far they are."""


@final
class IteratorPosition(Part):
    """An iterator: it can be watched, not put back."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._before = _progress(live)

    @property
    def values(self) -> list[Any]:
        """What the variables of a function that yields stand for."""
        return self._before if isinstance(self._live, GeneratorType) else []

    def restore(self) -> None:
        """Refuse one that was advanced."""
        now = _progress(self._live)
        if not same_objects(now, self._before) and (
            isinstance(self._live, GeneratorType) or now != self._before
        ):
            raise InputError(
                "a network that can be put back as it was after it is asked for its outputs",
                f"one that advances an iterator ({type(self._live).__name__})",
                "draw from a torch.Generator, or hold a position in an attribute",
                "network",
            )


def _progress(live: Any) -> list[Any]:
    if isinstance(live, itertools.count):
        return [repr(live)]
    if not isinstance(live, GeneratorType):
        return [operator.length_hint(live)]
    return [] if live.gi_frame is None else [live.gi_frame.f_lasti, *live.gi_frame.f_locals.values()]
