"""Networks that go wrong when a layer's own input and output gradient are all that is looked at."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tied(nn.Module):
    """Two layers own one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(x)))


class UsedBesides(nn.Module):
    """A layer's weight is used once more, outside the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(x))) + F.linear(x, self.a.weight.mT)


class InPlace(nn.Module):
    """A layer's result is overwritten afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h += x
        return self.b(F.relu_(h))


class Doubled(nn.Linear):
    """A layer that is no longer what its base was."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x) ** 2


class Positions(nn.Module):
    """An embedding whose input has no row per sample, but as many rows as the probe has samples."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.out = nn.Embedding(3, 5), nn.Linear(15, 2)

    def forward(self, x: Tensor) -> Tensor:
        shifted = torch.tanh(x[:, None, :] + self.table(torch.arange(3)))
        return self.out(shifted.flatten(1))


class SequenceFirst(nn.Module):
    """A layer that sees time on its first axis."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.out = nn.Linear(1, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.tanh(self.a(x.mT[..., None])).sum(0))


class BatchMean(nn.Module):
    """A network whose output for a sample depends on the others."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        return self.b(torch.tanh(h - h.mean(0, keepdim=True)) + h)


class AlwaysDrops(nn.Module):
    """Dropout that no mode turns off."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.a(x), 0.5, training=True)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cells, self.out = kind(3, 4, batch_first=True, num_layers=2, dropout=0.5), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cells(x)[0][:, -1])


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Embedding(6, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.3)
        self.out = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.block(x + self.place(torch.arange(6)))[:, -1])


class BothWays(nn.Module):
    """A recurrent layer without a batch axis first, in both directions, from a given state, in a container."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"cells": nn.GRU(3, 4, 2, bidirectional=True), "out": nn.Linear(8, 2)})

    def forward(self, x: Tensor) -> Tensor:
        cells = self.parts["cells"]
        start = x.sum(1).mean(1) * x.new_ones(2 * cells.num_layers, cells.hidden_size, len(x))
        y, last = cells(x.transpose(0, 1), start.mT.contiguous())
        return self.parts["out"](y.mean(0)) + last.sum((0, 2))[:, None]


class ReadsMatrix(nn.Module):
    """A recurrent layer one of whose matrices the network looks up by name."""

    def __init__(self) -> None:
        super().__init__()
        self.cells, self.out = nn.RNN(3, 4, nonlinearity="relu", batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return (
            self.out(self.cells(x)[0][:, -1])
            + self.cells.weight_hh_l0.square().sum() * x.sum((1, 2))[:, None]
        )


class Projected(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.out = nn.LSTM(3, 5, proj_size=2, batch_first=True), nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cells(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.look, self.out = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.look(x, x, x, need_weights=False)[0].mean(1))


def upwards() -> nn.Module:
    """Transposed convolutions with everything they can be told."""
    return nn.Sequential(
        nn.ConvTranspose2d(4, 4, 3, (2, 3), padding=(1, 0), output_padding=(1, 2), groups=2),
        nn.Tanh(),
        nn.ConvTranspose2d(4, 2, (2, 3), dilation=2, bias=False),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def late() -> nn.Module:
    """Convolutions of many channels at few positions."""
    return nn.Sequential(
        nn.Conv2d(4, 24, 3, padding=1, stride=2),
        nn.Tanh(),
        nn.Conv2d(24, 32, 3, padding=1, groups=2),
        nn.Tanh(),
        nn.Conv2d(32, 24, 2, bias=False),
        nn.Flatten(),
        nn.Linear(24, 2),
    )
