"""Training steps of the hash grid against the usual implementation: a loop over levels and corners in PyTorch."""

from __future__ import annotations

import importlib.util
import itertools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from overtone.nn import MLP, encodings, parameter_groups

ROUNDS = 9
STEPS = 1


class Looped(nn.Module):
    """One embedding per level; corners one after another, each hashed, looked up and added."""

    def __init__(self, like: encodings.HashGrid) -> None:
        super().__init__()
        self.like = like
        sizes = [end - start for start, end in itertools.pairwise([*like._start.tolist(), len(like.table)])]
        self.tables = nn.ModuleList(nn.Embedding(n, like.features) for n in sizes)
        with torch.no_grad():
            for level, part in zip(self.tables, like.table.split(sizes), strict=True):
                level.weight.copy_(part)

    def forward(self, x: Tensor) -> Tensor:
        features = []
        for level, table in enumerate(self.tables):
            place = x * self.like.resolution[level].to(x) + 0.5
            cell = place.floor()
            t = place - cell
            total = 0.0
            for corner in itertools.product((0, 1), repeat=x.shape[1]):
                weight = torch.ones(len(x), device=x.device)
                row = torch.zeros(len(x), dtype=torch.int64, device=x.device)
                for axis, bit in enumerate(corner):
                    node = (cell[:, axis].long() + bit) * self.like._step[level, axis]
                    row = row + node if level < self.like._whole else row ^ node
                    weight = weight * (t[:, axis] if bit else 1 - t[:, axis])
                total = total + table(row % table.num_embeddings) * weight[:, None]
            features.append(total)
        return torch.cat(features, dim=-1)


class Packaged(nn.Module):
    """The encoding of the package fast-ngp (0.1.0, pure PyTorch, three coordinates), where it is installed."""

    def __init__(self, like: encodings.HashGrid) -> None:
        super().__init__()
        from fast_ngp.encoding.multi_hash_enc import MultiresHashEncoding

        rows = like.rows.bit_length() - 1
        self.grid = MultiresHashEncoding(like.levels, like.features, rows, 16, 512)

    def forward(self, x: Tensor) -> Tensor:
        return self.grid(x)


def trainer(encoding: nn.Module, features: int, x: Tensor, target: Tensor) -> Callable[[], None]:
    network = nn.Sequential(encoding, MLP(features, 3, 64, 2)).to(x.device)
    optimizer = torch.optim.Adam(parameter_groups(network, 1e-3))

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        (network(x) - target).square().mean().backward()
        optimizer.step()

    return step


def seconds(step: Callable[[], None], cuda: bool) -> float:
    """Return the seconds of a step: wall-clock on a GPU, processor time otherwise, which other work disturbs less."""
    if cuda:
        torch.cuda.synchronize()
    clock = time.perf_counter if cuda else time.process_time
    start = clock()
    for _ in range(STEPS):
        step()
    if cuda:
        torch.cuda.synchronize()
    return (clock() - start) / STEPS


def side_by_side(ours: Callable[[], None], theirs: Callable[[], None], cuda: bool) -> tuple[float, ...]:
    """Steps per second of both and the median ratio of turns taken in pairs."""
    pairs = []
    for turn in range(ROUNDS + 1):
        pair = seconds(ours, cuda), seconds(theirs, cuda)
        pairs += [pair] if turn else []
    mine, other = (1 / statistics.median(p[i] for p in pairs) for i in (0, 1))
    return mine, other, statistics.median(b / a for a, b in pairs)


def main() -> list[dict[str, object]]:
    """Rows of steps per second; `ratio` is ours over theirs, the two taken in turns."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows: list[dict[str, object]] = []
    for axes, samples, log2_rows in ((2, 8192, 15), (2, 16_384, 19), (3, 8192, 17)):
        source = torch.Generator().manual_seed(0)
        x = torch.rand(samples, axes, generator=source).to(device)
        target = torch.rand(samples, 3, generator=source).to(device)
        grid = encodings.HashGrid(axes, 512.0, log2_rows=log2_rows).to(device)
        loop = Looped(grid).to(device)
        with torch.no_grad():
            off = float((grid(x) - loop(x)).abs().max() / grid(x).abs().max())
        others = {"a loop over levels and corners": (loop, f"features differ by {off:.1e} of the largest")}
        if axes == 3 and importlib.util.find_spec("fast_ngp"):
            others["fast-ngp 0.1.0"] = (
                Packaged(grid).to(device),
                "from PyPI, pure PyTorch, 3 coordinates",
            )
        for name, (other, note) in others.items():
            ours, theirs = (trainer(e, grid.out_features, x, target) for e in (grid, other))
            mine, their, ratio = side_by_side(ours, theirs, device.type == "cuda")
            rows.append(
                {
                    "name": f"{axes} axes, {samples} samples, 16 levels to 512, 2^{log2_rows} rows, MLP 2 x 64, Adam",
                    "against": name,
                    "ours": mine,
                    "theirs": their,
                    "unit": "steps / s",
                    "ratio": ratio,
                    "note": f"float32, threads: {torch.get_num_threads()}; {note}",
                }
            )
    return rows
