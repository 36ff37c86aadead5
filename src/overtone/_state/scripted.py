"""Attributes of modules of TorchScript, which live outside of Python."""

from __future__ import annotations

import re
from typing import Any, final

import torch
from torch import Tensor

from overtone._state.part import Part


@final
class Scripted(Part):
    """The attributes that a scripted module's code names."""

    def __init__(self, live: torch.jit.ScriptModule) -> None:
        self._live = live._c
        code = [self._live._get_method(name).code for name in self._live._method_names()]
        named = {"training", *re.findall(r"\.(\w+)", "\n".join(code))}
        self._before = {name: self._live.getattr(name) for name in named if self._holds_data(name)}

    @property
    def values(self) -> list[Any]:
        """What they stand for."""
        return list(self._before.values())

    def restore(self) -> None:
        """Only those that stand for something else than before."""
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
