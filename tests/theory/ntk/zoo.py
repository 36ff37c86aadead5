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
