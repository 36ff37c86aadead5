"""Small signals and networks that several tests watch."""

import torch
from torch import nn

from overtone import signals


def tones(samples=64, frequencies=(1, 5), seed=0):
    return signals.synthetic.harmonics(list(frequencies), samples=samples, seed=seed)


class Restless(nn.Module):
    """Dropout, batch norm and a buffer that every call changes, over float32 coordinates."""

    def __init__(self, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.body = nn.Sequential(
                nn.Linear(1, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1)
            )
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.calls += 1
        return self.body(x)


def train_plainly(signal, network, steps, watch=None, seed=3):
    """A user's own loop, with dropout drawing from the global generator."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network.train()
        optimizer = torch.optim.Adam(network.parameters(), 1e-2)
        x, y = signal.coords.float(), signal.values.float()
        for step in range(steps + 1):
            if watch is not None:
                watch(step)
            loss = (network(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [t.detach().clone() for t in network.state_dict().values()], torch.get_rng_state()


class Frozen(nn.Module):
    """Returns fixed values, whatever the coordinates."""

    def __init__(self, values, grid):
        super().__init__()
        self.table, self.grid = nn.Parameter(values), grid

    def forward(self, x):
        flat = torch.zeros(len(x), dtype=torch.int64)
        for axis, n in enumerate(self.grid.shape):
            place = (x[:, axis] - self.grid.origin[axis]) / self.grid.spacing[axis]
            flat = flat * n + place.round().long()
        return self.table[flat]
