"""Trains and watches a network as one of several processes: `together.py FOLDER RANK SIZE`."""

import sys
from datetime import timedelta
from pathlib import Path
from unittest import mock

import torch
import torch.distributed as dist
from torch import nn

from overtone.probes import DistributedGroup, EveryN, Probe, views
from overtone.spectra.paths import Paths

STEPS, SAMPLES = 4, 51


def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(SAMPLES, 5, generator=generator)
    return x, torch.stack([x[:, 0].sin(), x[:, 1] * x[:, 2]], 1)


def network():
    body = nn.Sequential(nn.Linear(5, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 2))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in body.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return body


def ailing(network):
    """Calls a network, and fails at its second evaluation of many samples."""
    rows = []

    def forward(x):
        if len(x) > 16:
            rows.append(len(x))
            if len(rows) == 2:
                raise ValueError("a hiccup")
        return network(x)

    return forward


def watch(folder, processes, wrap=lambda body: body, ails=False, several=False):
    """Full-batch training, so that every number of processes takes the same steps."""
    x, y = data()
    model = wrap(network())
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    graph = views.graph(x, y, modes=12)
    seen = [graph, views.layers(graph, ["0", "2"]), views.paths(Paths.straight(x[:6], x[6:12]))]
    watched = seen if several else graph
    forward = ailing(model) if ails else None
    probe = Probe(watched, model, folder, schedule=EveryN(), processes=processes, forward=forward)
    with probe:
        for step in range(STEPS + 1):
            probe(step)
            optimizer.zero_grad()
            (model(x) - y).square().mean().backward()
            optimizer.step()
    return probe


def main():
    import warnings

    folder, rank, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder / 'store'}",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=60),
    )
    watch(folder / "together", DistributedGroup(), nn.parallel.DistributedDataParallel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watch(folder / "ailing", DistributedGroup(), ails=rank == 1)
        watch(folder / "partly", DistributedGroup(), ails=rank == 1, several=True)
    with mock.patch.object(dist, "all_gather", wraps=dist.all_gather) as gathered:
        watch(folder / "several", DistributedGroup(), several=True)
    (folder / f"messages-{rank}").write_text(str(gathered.call_count))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
