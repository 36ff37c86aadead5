"""Modules whose frequencies and maps keep their precision when the network around them is cast."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable

from torch import Tensor, nn


class ExactBuffers(nn.Module, ABC):
    """Buffers move between devices but keep their dtype under `.half()`, `.float()` and `.to(dtype)`.

    Frequencies and coordinate maps in half precision would be wrong by whole cycles: with 11 bits, a phase of
    1000 cycles is known to half a cycle. The parameters named in `exact` are kept as buffers are.
    """

    exact: tuple[str, ...] = ()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ExactBuffers:
        before = {name: buffer for name, buffer in self._buffers.items() if buffer is not None}
        trained = {name: self._parameters[name] for name in self.exact}
        values = {name: p.data for name, p in trained.items() if p is not None}
        super()._apply(fn, recurse)
        for name, buffer in before.items():
            after = self._buffers[name]
            if after is not None and after.dtype != buffer.dtype:
                self._buffers[name] = buffer.to(after.device)
        for name, value in values.items():
            parameter = self._parameters[name]
            if parameter is not None and parameter.dtype != value.dtype:
                parameter.data = value.to(parameter.device)
                parameter.grad = None
        return self
