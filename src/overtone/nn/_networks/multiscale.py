"""Networks of several scales: parallel sub-networks, and grades that are trained one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.nn._networks.mlp import MLP, ActivationLike, NetworkBase
from overtone.nn._utils import Seed, check_count, check_last_axis, positive_per_axis, torch_generator
from overtone.nn.activations import Activation, Sine
from overtone.nn.activations._base import HasInit, default_initialise


@final
class MultiScale(NetworkBase):
    """A multi-scale network f(x) = sum_i f_i(alpha_i x), with an `MLP` f_i per scale alpha_i.

    Frequency alpha k in x is frequency k in alpha x, so that each sub-network learns low frequencies (Liu, Cai and Xu
    2020, "MscaleDNN", section 3.2). The authors take activations of compact support; any activation is allowed.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer of each sub-network.
        depth: Hidden layers of each.
        activation: One for all hidden layers, or one for each.
        scales: The alphas, positive.
        seed: A seed or a generator, for the weights.

    Raises:
        InputError: If a size is below 1, a scale is not positive and finite, or the number of activations is not
            `depth`.

    Example:
        >>> from overtone import nn
        >>> nn.MultiScale(2, 1, scales=(1.0, 4.0)).describe()
        'MultiScale 1, 4 of MLP 3 x 64 ReLU'
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 64,
        depth: int = 3,
        activation: ActivationLike | Sequence[ActivationLike] = Activation.RELU,
        scales: Sequence[float] = (1.0, 2.0, 4.0, 8.0),
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.scales = positive_per_axis(tuple(scales), len(scales), "scales")
        source = torch_generator(seed, "weights")
        self.parts = nn.ModuleList(
            MLP(in_features, out_features, width, depth, activation, source) for _ in self.scales
        )
        self.in_features, self.out_features = in_features, out_features

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth per input of the first layers, in cycles per unit; None unless they are sines.

        The frequencies of a first sine layer with weights U(-w, w) are uniform up to a limit r, so that the share
        mean_i min(f / (alpha_i r), 1) of those of all parts lies below f.
        """
        part = self.parts[0]
        assert isinstance(part, MLP)
        first = part.activations[0]
        if not isinstance(first, Sine):
            return None
        limits = sorted(a * first.bandwidth(self.in_features) / 0.9 for a in self.scales)
        return (_mixture_quantile(limits),) * self.in_features

    def describe(self) -> str:
        """Return one line for titles and records, "MultiScale 1, 2, 4 of MLP 3 x 64 ReLU"."""
        part = self.parts[0]
        assert isinstance(part, MLP)
        return f"MultiScale {', '.join(f'{a:g}' for a in self.scales)} of {part.describe()}"

    def forward(self, features: Tensor) -> Tensor:
        """Return the values (..., out_features) at features (..., in_features)."""
        check_last_axis(features, self.in_features, "features")
        values = [part(scale * features) for scale, part in zip(self.scales, self.parts, strict=True)]
        return torch.stack(values).sum(0)


def _mixture_quantile(limits: list[float], share: float = 0.9) -> float:
    """Return a quantile of an equal mixture of uniform distributions on [0, limit], limits ascending."""
    covered, slope = 0.0, sum(1 / r for r in limits)
    # The cumulative share is piecewise linear: each limit that is passed adds 1 and takes its slope away.
    for limit in limits:
        crossing = (share * len(limits) - covered) / slope
        if crossing <= limit:
            return crossing
        covered, slope = covered + 1, slope - 1 / limit
    return limits[-1]


@final
class MultiGrade(NetworkBase):
    """A multi-grade network, trained grade by grade: each grade is a shallow network on top of the one before.

    h_k = trunk_k(h_(k-1)), h_0 = x, f = sum_k V_k h_k + c_k over the open grades. A grade has `depth` hidden layers and
    a linear head. One grade is trained at a time: `advance` freezes the current grade and opens the next, whose head is
    initially zero, so that the prediction does not change and the new grade learns the residual (Fang and Xu 2024,
    "Addressing spectral bias of deep neural networks by multi-grade deep learning", section 2). The number of open
    grades is part of the state_dict.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        width: Units in a hidden layer.
        depth: Hidden layers of a grade.
        grades: Number of grades.
        activation: One for all hidden layers of a grade, or one for each.
        seed: A seed or a generator, for the weights.

    Raises:
        InputError: If a size is below 1 or the number of activations is not `depth`.

    Example:
        >>> from overtone import nn
        >>> network = nn.MultiGrade(2, 1, width=32, grades=2)
        >>> network.advance()
        >>> network.grade, all(p.requires_grad for p in network.current())
        (2, True)
    """

    opened: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        width: int = 256,
        depth: int = 2,
        grades: int = 3,
        activation: ActivationLike | Sequence[ActivationLike] = Activation.RELU,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = (
            check_count(in_features, "in_features"),
            check_count(out_features, "out_features"),
        )
        source = torch_generator(seed, "weights")
        inputs = [in_features] + [width] * (check_count(grades, "grades") - 1)
        self.grades = nn.ModuleList(MLP(n, out_features, width, depth, activation, source) for n in inputs)
        for grade in list(self.grades)[1:]:
            _initialise_later_grade(grade, source)
        # A buffer, so that the number of open grades is stored and loaded with the weights.
        self.register_buffer("opened", torch.tensor(1, device="cpu"))
        self._open(1)
        self.register_load_state_dict_post_hook(lambda module, _: module._open(int(module.opened)))

    @property
    def grade(self) -> int:
        """Number of open grades; the last of them is trained."""
        return self._count

    @property
    def bandwidth(self) -> tuple[float, ...] | None:
        """Bandwidth of the first grade per input, in cycles per unit; None if it has no explicit frequencies."""
        first = self.grades[0]
        assert isinstance(first, MLP)
        return first.bandwidth

    def current(self) -> Iterator[nn.Parameter]:
        """Return the parameters of the grade that is trained, for a new optimizer."""
        return self.grades[self._count - 1].parameters()

    def advance(self) -> None:
        """Freeze the current grade and open the next.

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
        """Return one line for titles and records, "MultiGrade 3 of MLP 2 x 256 ReLU"."""
        first = self.grades[0]
        assert isinstance(first, MLP)
        return f"MultiGrade {len(self.grades)} of {first.describe()}"

    def forward(self, features: Tensor) -> Tensor:
        """Return the values (..., out_features) at features (..., in_features), the sum of the open grades."""
        check_last_axis(features, self.in_features, "features")
        hidden, total = features, None
        # The head of a grade is a side output; the next grade continues from the hidden layer before it.
        for grade in list(self.grades)[: self._count]:
            assert isinstance(grade, MLP)
            for linear, activation in zip(grade.linears, grade.activations, strict=False):
                hidden = activation(linear(hidden))
            value = grade.linears[-1](hidden)
            total = value if total is None else total + value
        assert total is not None
        return total


def _initialise_later_grade(grade: nn.Module, source: torch.Generator) -> None:
    """Initialise a grade on top of another: its first layer takes activations, and its head is zero."""
    assert isinstance(grade, MLP)
    first, head, initialiser = grade.linears[0], grade.linears[-1], grade.activations[0]
    assert isinstance(first, nn.Linear)
    assert isinstance(head, nn.Linear)
    if isinstance(initialiser, HasInit):
        initialiser.initialise_later(first, source)
    else:
        default_initialise(first, source)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
