"""Networks of several scales: parallel sub-networks and grade by grade."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._networks.mlp import MLP, Choice, NetworkBase
from overtone.nn._utils import Seed, generator, last_axis, per_axis, size
from overtone.nn.activations import Activation, Sine
from overtone.nn.activations._base import HasInit, default_initialise


@final
class MultiScale(NetworkBase):
    """f(x) = sum_i f_i(alpha_i x), an `MLP` per scale alpha_i.

    A function of frequency alpha k of x is one of frequency k of alpha x, so that each sub-network has low
    frequencies to learn (Liu, Cai and Xu 2020, "MscaleDNN", section 3.2). They take activations of compact support; any
    is allowed.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer of each sub-network.
        depth: Hidden layers of each.
        activation: One for all hidden layers, or one for each.
        scales: The alphas, positive.
        seed: A seed, or the generator to draw the weights from.

    Raises:
        InputError: If a size is below 1, a scale is not positive and finite, or the number of activations is not
            `depth`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 64,
        depth: int = 3,
        activation: Choice | Sequence[Choice] = Activation.RELU,
        scales: Sequence[float] = (1.0, 2.0, 4.0, 8.0),
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.scales = per_axis(tuple(scales), len(scales), "scales")
        source = generator(seed, "weights")
        self.parts = nn.ModuleList(
            MLP(in_features, out_features, width, depth, activation, source) for _ in self.scales
        )
        self.in_features, self.out_features = in_features, out_features

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Per input, the 90 % point of the first layers' frequencies, all parts alike; None unless they are sines.

        A first sine layer of weights U(-w, w) holds frequencies evenly up to a reach r, so that the parts
        together hold the share mean_i min(f / (alpha_i r), 1) below f.
        """
        part = self.parts[0]
        assert isinstance(part, MLP)
        first = part.activations[0]
        if not isinstance(first, Sine):
            return None
        limits = sorted(a * first.bandwidth(self.in_features) / 0.9 for a in self.scales)
        return (_share_of_uniforms(limits),) * self.in_features

    def describe(self) -> str:
        """One line for titles and records, "MultiScale 1, 2, 4 of MLP 3 x 64 ReLU"."""
        part = self.parts[0]
        assert isinstance(part, MLP)
        return f"MultiScale {', '.join(f'{a:g}' for a in self.scales)} of {part.describe()}"

    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_features) to values (..., out_features)."""
        last_axis(features, self.in_features, "features")
        values = [part(scale * features) for scale, part in zip(self.scales, self.parts, strict=True)]
        return torch.stack(values).sum(0)


def _share_of_uniforms(limits: list[float], share: float = 0.9) -> float:
    """The `share` quantile of an even mixture of uniform laws on [0, reach], reaches ascending."""
    full, slope = 0.0, sum(1 / r for r in limits)
    for limit in limits:
        crossing = (share * len(limits) - full) / slope
        if crossing <= limit:
            return crossing
        full, slope = full + 1, slope - 1 / limit
    return limits[-1]


@final
class MultiGrade(NetworkBase):
    """f = sum of the heads of the grades learned so far, grade k a shallow network on top of grade k - 1.

    h_k = trunk_k(h_(k-1)), h_0 = x, f = sum_k V_k h_k + c_k. A grade has `depth` hidden layers and a linear
    head. One grade is trained at a time: `advance` freezes the present one and opens the next, whose head
    begins at zero, so that the prediction stays where it was and the residual is what is learned (Fang and
    Xu 2024, "Addressing spectral bias of deep neural networks by multi-grade deep learning", section 2).
    Freezing survives a state_dict round trip.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer.
        depth: Hidden layers of a grade.
        grades: How many there are.
        activation: One for all hidden layers of a grade, or one for each.
        seed: A seed, or the generator to draw the weights from.

    Raises:
        InputError: If a size is below 1 or the number of activations is not `depth`.
    """

    opened: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 256,
        depth: int = 2,
        grades: int = 3,
        activation: Choice | Sequence[Choice] = Activation.RELU,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = (
            size(in_features, "in_features"),
            size(out_features, "out_features"),
        )
        source = generator(seed, "weights")
        inputs = [in_features] + [width] * (size(grades, "grades") - 1)
        self.grades = nn.ModuleList(MLP(n, out_features, width, depth, activation, source) for n in inputs)
        for grade in list(self.grades)[1:]:
            _begin_later(grade, source)
        self.register_buffer("opened", torch.tensor(1, device="cpu"))
        self._open(1)
        self.register_load_state_dict_post_hook(lambda module, _: module._open(int(module.opened)))

    @property
    def grade(self) -> int:
        """The number of grades open, the last of which is being trained."""
        return self._count

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """That of the first grade's first layer, see `Network.bandwidth`."""
        first = self.grades[0]
        assert isinstance(first, MLP)
        return first.bandwidth

    def current(self) -> Iterator[nn.Parameter]:
        """The parameters of the grade being trained, for a fresh optimizer."""
        return self.grades[self._count - 1].parameters()

    def advance(self) -> None:
        """Freeze the present grade and open the next.

        Raises:
            InputError: If all grades are open.
        """
        if self._count == len(self.grades):
            raise InputError(
                "a grade that is not open yet",
                f"all {len(self.grades)} open",
                "build the network with more grades",
                "advance",
            )
        self._open(self._count + 1)

    def _open(self, count: int) -> None:
        self._count = count
        self.opened.fill_(count)
        for position, grade in enumerate(self.grades):
            grade.requires_grad_(position == count - 1)

    def describe(self) -> str:
        """One line for titles and records, "MultiGrade 3 of MLP 2 x 256 ReLU"."""
        first = self.grades[0]
        assert isinstance(first, MLP)
        return f"MultiGrade {len(self.grades)} of {first.describe()}"

    def forward(self, features: Tensor) -> Tensor:
        """Map features (..., in_features) to values (..., out_features), the sum of the open grades."""
        last_axis(features, self.in_features, "features")
        hidden, total = features, None
        for grade in list(self.grades)[: self._count]:
            assert isinstance(grade, MLP)
            for linear, activation in zip(grade.linears, grade.activations, strict=False):
                hidden = activation(linear(hidden))
            value = grade.linears[-1](hidden)
            total = value if total is None else total + value
        assert total is not None
        return total


def _begin_later(grade: nn.Module, source: torch.Generator) -> None:
    """A grade on top of another: its first layer takes activations, and its head is zero."""
    assert isinstance(grade, MLP)
    first, head, asker = grade.linears[0], grade.linears[-1], grade.activations[0]
    assert isinstance(first, nn.Linear)
    assert isinstance(head, nn.Linear)
    if isinstance(asker, HasInit):
        asker.initialise_later(first, source)
    else:
        default_initialise(first, source)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
