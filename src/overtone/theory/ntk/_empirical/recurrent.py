"""Recurrent layers unrolled into linear layers, one call per step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor, nn

UNROLLED_TYPES = (nn.RNN, nn.GRU, nn.LSTM)

RecurrentState = tuple[Tensor, ...]


@final
class UnrolledRecurrent(nn.Module):
    """An `nn.RNN`, `nn.GRU` or `nn.LSTM` in eval mode, with a linear layer for each pair of its matrices.

    The linear layers use the recurrent layer's parameters. The formulas are those of PyTorch's documentation.

    Args:
        layer: The recurrent layer, without projections.
    """

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.batch_first, self.bidirectional = layer.batch_first, layer.bidirectional
        self.hidden_size, self.num_layers = layer.hidden_size, layer.num_layers
        self.mode = layer.mode
        ends = ("", "_reverse") if layer.bidirectional else ("",)
        names = [f"l{k}{end}" for k in range(layer.num_layers) for end in ends]
        self.inputs = nn.ModuleList(_linear(layer, f"ih_{name}") for name in names)
        self.states = nn.ModuleList(_linear(layer, f"hh_{name}") for name in names)

    def flatten_parameters(self) -> None:
        """Do nothing: there are no flat weights."""

    def forward(
        self, x: Tensor, hx: Tensor | RecurrentState | None = None
    ) -> tuple[Tensor, Tensor | RecurrentState]:
        """Return the outputs and the last states for (N, T, in), or (T, N, in) without `batch_first`.

        Raises:
            TypeError: If the sequences are packed or there is no batch.
        """
        if not isinstance(x, Tensor) or x.ndim != 3:
            raise TypeError("only batches of sequences can be unrolled")
        y = x if self.batch_first else x.transpose(0, 1)
        directions = 2 if self.bidirectional else 1
        last: list[RecurrentState] = []
        for k in range(0, len(self.inputs), directions):
            sides = []
            for d in range(directions):
                inputs = y.flip(1) if d else y
                out, state = self._scan(k + d, inputs, self._start(hx, k + d, y))
                sides.append(out.flip(1) if d else out)
                last.append(state)
            y = torch.cat(sides, -1)
        y = y if self.batch_first else y.transpose(0, 1)
        states = tuple(torch.stack(each) for each in zip(*last, strict=True))
        return y, states if self.mode == "LSTM" else states[0]

    def _start(self, hx: Tensor | RecurrentState | None, k: int, x: Tensor) -> RecurrentState:
        if hx is None:
            zero = x.new_zeros(len(x), self.hidden_size)
            return (zero, zero) if self.mode == "LSTM" else (zero,)
        return tuple(each[k] for each in hx) if isinstance(hx, tuple) else (hx[k],)

    def _scan(self, k: int, x: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        made = []
        for inputs in self.inputs[k](x).unbind(1):
            state = self._step(inputs, self.states[k](state[0]), state)
            made.append(state[0])
        return torch.stack(made, 1), state

    def _step(self, inputs: Tensor, recurrent: Tensor, state: RecurrentState) -> RecurrentState:
        if self.mode == "LSTM":
            i, f, g, o = (inputs + recurrent).chunk(4, -1)
            cell = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(cell), cell
        if self.mode == "GRU":
            (r, z, n), (r2, z2, n2) = inputs.chunk(3, -1), recurrent.chunk(3, -1)
            # PyTorch's variant: the reset gate multiplies the recurrent part after its bias is added.
            update = torch.sigmoid(z + z2)
            new = torch.tanh(n + torch.sigmoid(r + r2) * n2)
            return ((1 - update) * new + update * state[0],)
        total = inputs + recurrent
        return (torch.relu(total) if self.mode == "RNN_RELU" else torch.tanh(total),)


def _linear(layer: nn.RNNBase, name: str) -> nn.Linear:
    weight = getattr(layer, f"weight_{name}")
    # On the meta device: the layer is only a container for the recurrent layer's parameters.
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias, device="meta")
    made.weight = weight
    if layer.bias:
        made.bias = getattr(layer, f"bias_{name}")
    return made


def unrolled_layers(network: nn.Module) -> dict[str, UnrolledRecurrent]:
    """Return an unrolled form of each recurrent layer in the network, by the layer's name."""
    return {
        name: UnrolledRecurrent(module)
        for name, module in network.named_modules()
        if name and type(module) in UNROLLED_TYPES and isinstance(module, nn.RNNBase) and not module.proj_size
    }


@contextmanager
def replaced_modules(network: nn.Module, modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """Replace the network's modules of the same names by `modules`, and restore the originals afterwards."""
    places: list[tuple[nn.Module, str, nn.Module | None]] = []
    for name, module in modules.items():
        parent, _, leaf = name.rpartition(".")
        owner = network.get_submodule(parent)
        places.append((owner, leaf, owner._modules[leaf]))
        owner._modules[leaf] = module
    try:
        yield
    finally:
        for owner, leaf, before in places:
            owner._modules[leaf] = before
