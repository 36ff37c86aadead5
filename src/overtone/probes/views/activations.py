"""Samples of which the activations of a network's layers are read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Never, final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.probes.crowding import Crowding
from overtone.probes.samples import Samples, leaves
from overtone.spectra.linear_readout import Projected


@final
class Activations(Samples):
    """The same samples, of which the activations of layers are read instead of the outputs.

    Args:
        samples: What the network is given.
        names: Layers.
        places: Axes that targets have between samples and channels, such as time; activations have them too.
        width: How activations are combined; narrower layers are filled up with zeros, which no read-out sees.
    """

    def __init__(
        self, samples: Samples, names: Sequence[str], places: tuple[int, ...], width: Projected
    ) -> None:
        self._samples, self._names, self._places, self._width = samples, tuple(names), places, width
        self._matrices: dict[int, Tensor] = {}

    @property
    def count(self) -> int:
        """Number of samples."""
        return self._samples.count

    @property
    def whole(self) -> tuple[Samples, Tensor | None]:
        """All that the samples belong to, of which the same layers are read."""
        every, index = self._samples.whole
        return (self if index is None else Activations(every, self._names, self._places, self._width)), index

    @property
    def bytes_each(self) -> float:
        """As the samples have them."""
        return self._samples.bytes_each

    @property
    def made(self) -> bool:
        """As the samples are."""
        return self._samples.made

    def crowding(self, dtype: torch.dtype | None) -> Crowding | None:
        """As the samples do."""
        return self._samples.crowding(dtype)

    def take(self, begin: int, end: int, device: torch.device, dtype: torch.dtype | None) -> Any:
        """What the network is given."""
        return self._samples.take(begin, end, device, dtype)

    def arrays(self) -> Never:
        """Refused: predictions say nothing of layers.

        Raises:
            InputError: Always.
        """
        raise InputError(
            "a network whose layers can be seen",
            "predictions alone",
            "watch it with a Probe, or hand its activations to spectra.layers.read_out",
            "layers",
        )

    def answer(self, network: nn.Module, call: Callable[[Any], Any], given: Any) -> Tensor:
        """(B, *places, layers x features) combinations of the activations.

        Raises:
            InputError: If a layer is not there, is not called, or returns other than rows of numbers.
        """
        found: dict[str, Any] = {}
        known = dict(network.named_modules())
        missing = [name for name in self._names if name not in known]
        if missing:
            raise InputError(
                f"layers among {', '.join(map(repr, list(known)[1:]))}",
                f"{missing[0]!r}",
                "pass names as network.named_modules() has them",
                "layers",
            )

        def keep(name: str, module: nn.Module, inputs: Any, answer: Any) -> None:
            del module, inputs
            found[name] = answer

        handles = [known[name].register_forward_hook(functools.partial(keep, name)) for name in self._names]
        try:
            call(given)
        finally:
            for handle in handles:
                handle.remove()
        rows = len(leaves(given, "inputs")[0][1])
        return torch.cat([self._narrow(name, found.get(name), rows) for name in self._names], -1)

    def _narrow(self, name: str, answer: Any, rows: int) -> Tensor:
        while isinstance(answer, tuple | list) and answer:
            answer = answer[0]
        shape = (rows, *self._places)
        if not isinstance(answer, Tensor) or answer.shape[: len(shape)] != shape or not answer.numel():
            raise InputError(
                f"activations of shape ({', '.join(map(str, shape))}, ...)",
                f"shape {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__,
                "name a layer that the network calls and that returns so",
                f"layer {name!r}",
            )
        wide = torch.view_as_real(answer.resolve_conj()) if answer.is_complex() else answer
        wide = wide if wide.is_floating_point() and wide.itemsize >= 4 else wide.float()
        wide = wide.reshape(*shape, -1)
        given, wanted = wide.shape[-1], self._width.features
        if given <= wanted:
            return nn.functional.pad(wide, (0, wanted - given))
        if given not in self._matrices:
            self._matrices[given] = self._width.matrix(given).float()
        return wide @ self._matrices[given].to(wide)
