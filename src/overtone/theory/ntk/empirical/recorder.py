"""Record the inputs and results of chosen layers during a forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn


class Recorder:
    """While entered, keeps (input, result) of every call of `layers`.

    Args:
        layers: The layers to watch.
        copies: Whether the network goes on with a copy of each result, so that a later in-place operation does
            not change what was kept.
    """

    def __init__(self, layers: Sequence[nn.Module], *, copies: bool) -> None:
        self.calls: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
        self._copies = copies
        self._versions: list[tuple[Tensor, int]] = []
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def _keep(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        given = args[0] if args else next(iter(kwargs.values()))
        self.calls[layer].append((given.detach(), result))
        self._versions += [(each, each._version) for each in (given, result)]
        return result.clone() if self._copies else None

    @property
    def results(self) -> list[Tensor]:
        """The results of all calls, layer by layer."""
        return [result for calls in self.calls.values() for _, result in calls]

    @property
    def overwritten(self) -> bool:
        """Whether an in-place operation has changed an input or a result since it was kept."""
        return any(each._version != version for each, version in self._versions)

    def __enter__(self) -> Recorder:
        for layer in self.calls:
            self._handles.append(layer.register_forward_hook(self._keep, with_kwargs=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
