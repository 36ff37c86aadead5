"""Networks that do something else with some of the samples, and networks whose gradients are not plain."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

Build = Callable[[], nn.Module]


def jacobian(network: nn.Module, x: Tensor) -> Tensor:
    """(N C, P) by one `backward` for each sample alone and each output, read from `.grad` of a copy."""
    network = copy.deepcopy(network).eval()
    trained = [p for p in network.parameters() if p.requires_grad]
    rows = []
    for sample in x:
        for c in range(network(sample[None]).numel()):
            for p in network.parameters():
                p.grad = None
            y = network(sample[None]).reshape(-1)[c]
            if y.requires_grad:
                y.backward()
            grads = [torch.zeros_like(p) if p.grad is None else p.grad.to_dense() for p in trained]
            rows.append(
                torch.cat([(torch.view_as_real(g) if g.is_complex() else g).reshape(-1) for g in grads])
            )
    return torch.stack(rows)


class Step(nn.Module):
    """One step of a generated network, (N, 4) to (N, 4).

    Args:
        choose: From (N, 4) to (N,) which samples are treated otherwise.
    """

    def __init__(self, choose: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.choose, self.a, self.b = choose, nn.Linear(4, 4), nn.Linear(4, 4)


class Plain(Step):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(x)))


class Routed(Step):
    """Each sample goes to one of two layers, which sees its own samples only."""

    def forward(self, x: Tensor) -> Tensor:
        y, chosen = torch.zeros_like(x), self.choose(x)
        for layer, which in ((self.a, chosen), (self.b, ~chosen)):
            rows = which.nonzero()[:, 0]
            if len(rows):
                y = y.index_put((rows,), layer(x[rows]))
        return y


class Masked(Step):
    """Both layers see all samples, and one is taken."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.choose(x)[:, None], self.a(x), self.b(x))


class TwiceForSome(Step):
    """Some samples pass a layer twice."""

    def forward(self, x: Tensor) -> Tensor:
        h, rows = torch.tanh(self.a(x)), self.choose(x).nonzero()[:, 0]
        return self.b(h.index_put((rows,), torch.tanh(self.a(h[rows]))) if len(rows) else h)


class BesidesForSome(Step):
    """Some samples use a layer's weight once more, outside the layer."""

    def forward(self, x: Tensor) -> Tensor:
        beside = self.choose(x).to(x)[:, None] * F.linear(x, self.a.weight)
        return self.b(torch.tanh(self.a(x)) + beside)


class Sorted(Step):
    """A layer sees the samples in another order."""

    def forward(self, x: Tensor) -> Tensor:
        order = (self.choose(x).to(x) + 0.1 * x[:, 1]).argsort()
        return self.b(torch.tanh(self.a(x[order]))[order.argsort()])


class DetachedForSome(Step):
    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        return self.b(torch.where(self.choose(x)[:, None], h.detach(), h)) + x


class WithoutGradient(Step):
    """A part under `no_grad`, with the samples' way around it."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = torch.tanh(self.a(x))
        return self.b(h) + x


class WithoutGradientForSome(Step):
    """The whole step is under `no_grad` for batches that hold none of the chosen samples."""

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.choose(x)[:, None]
        with torch.set_grad_enabled(bool(chosen.any()) and torch.is_grad_enabled()):
            h = self.a(x)
        return torch.where(chosen, h, h.detach()) + x


class InPieces(Step):
    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(torch.cat([self.a(each) for each in x.split(3)])))


class Reentrant(Step):
    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(lambda z: torch.tanh(self.b(z)), torch.tanh(self.a(x)), use_reentrant=True)


class Recomputed(Step):
    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(lambda z: torch.tanh(self.b(z)), torch.tanh(self.a(x)), use_reentrant=False)


class Overwritten(Step):
    """Rows of a layer's result are overwritten in place."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.a(x)
        h[self.choose(x)] = 0.5
        return self.b(h.tanh_())


class ScaledBack(Step):
    """Hooks scale a layer's gradient, and a weight's."""

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        if h.requires_grad:
            h.register_hook(lambda g: 3 * g)
        return self.b(h)


class Clipped(Step):
    """A hook makes gradients that are not linear in what comes back."""

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        if h.requires_grad:
            h.register_hook(lambda g: g.clamp(-0.1, 0.1))
        return self.b(h)


class Differentiated(Step):
    """A gradient with respect to the input is the output."""

    def forward(self, x: Tensor) -> Tensor:
        z = x if x.requires_grad else x.detach().requires_grad_()
        with torch.enable_grad():
            energy = self.b(torch.tanh(self.a(z))).sum()
            return torch.autograd.grad(energy, z, create_graph=True)[0] + x


STEPS = [
    Plain,
    Routed,
    Masked,
    TwiceForSome,
    BesidesForSome,
    Sorted,
    DetachedForSome,
    WithoutGradient,
    WithoutGradientForSome,
    InPieces,
    Reentrant,
    Recomputed,
    Overwritten,
    ScaledBack,
    Clipped,
    Differentiated,
]


class Words(nn.Module):
    """A table of any kind, looked up in any way, and a head."""

    def __init__(self, table: nn.Module, offsets: bool = False) -> None:
        super().__init__()
        self.table, self.offsets, self.head = table, offsets, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(0, x.numel(), x.shape[1])
        found = self.table(x.reshape(-1), places) if self.offsets else self.table(x)
        return self.head(torch.tanh(found if found.ndim == 2 else torch.tanh(found).sum(1)))


class Packed(nn.Module):
    """Sequences of their own lengths, packed; a layer sees the steps of all of them in a row."""

    def __init__(self, kind: type[nn.RNNBase], linear: bool) -> None:
        super().__init__()
        self.first, self.linear = nn.Linear(1, 3), linear
        self.cells, self.head = kind(3 if linear else 1, 3, batch_first=True), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        lengths = (3 * x[:, 0].abs()).long().clamp(0, x.shape[1] - 1) + 1
        packed = nn.utils.rnn.pack_padded_sequence(
            x[..., None], lengths, batch_first=True, enforce_sorted=False
        )
        if self.linear:
            packed = packed._replace(data=torch.tanh(self.first(packed.data)))
        last = self.cells(packed)[1]
        return self.head((last[0] if isinstance(last, tuple) else last)[-1])


class Trimmed(nn.Module):
    """Cut to the longest sequence of the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(1, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        lengths = (3 * x[:, 0].abs()).long().clamp(0, x.shape[1] - 1) + 1
        seen = x[:, : int(lengths.max()), None]
        within = torch.arange(seen.shape[1]) < lengths[:, None]
        return self.b((torch.tanh(self.a(seen)) * within[..., None]).sum(1))


class Reversed(torch.autograd.Function):
    """Turns gradients round, once."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, g):
        return -g


class TurnedRound(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(Reversed.apply(torch.tanh(self.a(x))))


class Mixes(nn.Module):
    """A network in which samples affect each other.

    Args:
        mix: From features (N, 4) to others.
    """

    def __init__(self, mix: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.mix, self.a, self.b = mix, nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.mix(torch.tanh(self.a(x))))


class MeansBack(nn.Module):
    """Samples affect each other's gradients, not outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        mean = h.mean(0)
        return self.b(h + mean - mean.detach())


class Unused(nn.Module):
    """Layers that are never called, a layer that is called for nothing, and a bare parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.never = nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(300, 300)
        self.bare, self.vain = nn.Parameter(torch.ones(3)), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        self.vain(x)
        return self.b(torch.tanh(self.a(x)))


class Waves(nn.Module):
    """Complex parameters between real layers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)
        self.wave = nn.Linear(4, 4, dtype=torch.complex128)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.wave(torch.exp(1j * self.a(x))).abs())
