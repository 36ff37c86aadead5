"""The finite neural tangent kernel against explicit gradients by `torch.func` and by a loop, and against the machine.

One thread and processor time, the best of several runs that take turns, so that other work on the machine counts as
little as it can, and for all alike. The floor is the operations that the layer-wise method needs, at the rate of
a large matrix product that takes turns with them.
"""

from __future__ import annotations

import copy
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.utils.flop_counter import FlopCounterMode

from overtone.theory.ntk import empirical_ntk, top_eigenpairs
from overtone.theory.ntk._operators.base import KernelOperator
from overtone.theory.ntk._operators.network import FactoredOperator

CHUNKS = (None, 32, 64)

ROUNDS = 4
"""Turns that every call gets."""

SHARE = 0.3
"""Seconds of a turn, in which short calls are run again."""

RUNS = 10
"""Most runs in a turn."""

SIDE = 1024
"""Rows of the square matrices whose product says how fast the machine is at best."""


@dataclass(frozen=True)
class Case:
    """A network, samples and the target ratio."""

    name: str
    network: nn.Module
    x: Tensor
    target: float
    vectorised: bool = True


def samples(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def dense(*widths: int) -> list[nn.Module]:
    layers = [each for a, b in itertools.pairwise(widths) for each in (nn.Linear(a, b), nn.ReLU())]
    return layers[:-1]


def conv(inputs: int, outputs: int, stride: int = 1, *, pool: bool = False) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.ReLU()]
    return [*layers, nn.MaxPool2d(2)] if pool else layers


def average(width: int, outputs: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, outputs)]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.out = nn.LSTM(8, 64, 2, batch_first=True), nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cells(x)[0][:, -1])


CASES: dict[str, Callable[[], Case]] = {
    "mlp": lambda: Case(
        "512-256-256-256-1 ReLU MLP", nn.Sequential(*dense(512, 256, 256, 256, 1)), samples(1024, 512), 100
    ),
    "digits": lambda: Case(
        "digit classifier: 28 x 28, conv 32-64, dense 3136-128-10",
        nn.Sequential(*conv(1, 32, pool=True), *conv(32, 64, pool=True), nn.Flatten(), *dense(3136, 128, 10)),
        samples(64, 1, 28, 28),
        5,
    ),
    "wide head": lambda: Case(
        "16 x 16, conv 32-64-64 strided, dense 1024-256-1",
        nn.Sequential(*conv(3, 32), *conv(32, 64, 2), *conv(64, 64, 2), nn.Flatten(), *dense(1024, 256, 1)),
        samples(256, 3, 16, 16),
        5,
    ),
    "pooled": lambda: Case(
        "32 x 32, conv 16-32-64-64 pooled, dense 256-10",
        nn.Sequential(
            *conv(3, 16, pool=True),
            *conv(16, 32, pool=True),
            *conv(32, 64, pool=True),
            *conv(64, 64, pool=True),
            nn.Flatten(),
            nn.Linear(256, 10),
        ),
        samples(128, 3, 32, 32),
        5,
    ),
    "average": lambda: Case(
        "32 x 32, conv 16-32-64, global average, 10 outputs",
        nn.Sequential(*conv(3, 16, pool=True), *conv(16, 32, pool=True), *conv(32, 64), *average(64, 10)),
        samples(128, 3, 32, 32),
        5,
    ),
    "one output": lambda: Case(
        "32 x 32, conv 32-32-64-64, global average, 1 output",
        nn.Sequential(*conv(3, 32), *conv(32, 32, pool=True), *conv(32, 64), *conv(64, 64), *average(64, 1)),
        samples(128, 3, 32, 32),
        5,
    ),
    "lstm": lambda: Case(
        "LSTM of 2 x 64, 24 steps, 1 output", Recurrent(), samples(128, 24, 8), 5, vectorised=False
    ),
}


def initialised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Uniform parameters within 1 / sqrt(fan in), as PyTorch draws them, from a generator of their own."""
    source = torch.Generator().manual_seed(seed)
    for p in network.parameters():
        bound = (p[0].numel() if p.ndim > 1 else 64) ** -0.5
        nn.init.uniform_(p, -bound, bound, generator=source)
    return network


def ours(network: nn.Module, x: Tensor) -> Tensor:
    return empirical_ntk(network, x).matrix


def theirs(network: nn.Module, x: Tensor, chunk: int | None = None) -> Tensor:
    """J J^T as in the tutorial of `torch.func`: explicit gradients of all samples, contracted by parameter."""
    parameters = {name: p.detach() for name, p in network.named_parameters()}

    def outputs(point: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(network, point, (sample[None],)).squeeze(0)

    jacobian = vmap(jacrev(outputs), (None, 0), chunk_size=chunk)(parameters, x)
    return torch.stack([j.flatten(1) @ j.flatten(1).mT for j in jacobian.values()]).sum(0)


def loop(network: nn.Module, x: Tensor) -> Tensor:
    """One backward pass for every sample and output."""
    parameters = list(network.parameters())
    rows = []
    for sample in x:
        y = network(sample[None])[0]
        grads = [torch.autograd.grad(each, parameters, retain_graph=True) for each in y]
        rows.append(torch.cat([g.reshape(-1) for gs in grads for g in gs]))
    jacobian = torch.stack(rows)
    return jacobian @ jacobian.mT


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Least processor time of several calls."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def operations(case: Case) -> float:
    """Operations of the layer-wise method: passes, gradients of convolutions, half of each symmetric product.

    Nothing is sent back through the first layer.
    """
    assert isinstance(case.network, nn.Sequential)
    n, counter = len(case.x), FlopCounterMode(display=False)
    with counter, torch.no_grad():
        outputs = case.network(case.x).shape[1]
    forward = counter.get_total_flops()
    counts = counter.get_flop_counts()["Global"]
    convolved = sum(count for operator, count in counts.items() if "conv" in str(operator))
    with FlopCounterMode(display=False) as begin, torch.no_grad():
        case.network[0](case.x)
    total = forward * (1 + outputs) + (convolved - begin.get_total_flops()) * outputs
    for layer in case.network.modules():
        if isinstance(layer, nn.Conv2d):
            total += n**2 * outputs * layer.weight.numel()
        if isinstance(layer, nn.Linear):
            total += n**2 * (layer.in_features + outputs * layer.out_features)
    return float(total)


def accuracy(case: Case, count: int = 32) -> tuple[float, float]:
    """Largest error of ours and theirs against a loop in double precision, relative to its largest entry."""
    x = case.x[:count]
    other = (theirs if case.vectorised else loop)(case.network, x)
    mine = ours(case.network, x)
    exact = loop(copy.deepcopy(case.network).double(), x.double())
    first, second = (float((each - exact).abs().max() / exact.abs().max()) for each in (mine, other))
    return first, second


def alternated(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least processor time of each call; they take turns, so that a busy machine slows all alike.

    A round gives every call the same share of time, but at least one run; the first run of each is not counted.
    """
    for call in calls.values():
        call()
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            spent, runs = 0.0, 0
            while runs == 0 or (spent < SHARE and runs < RUNS):
                times = seconds(call, 1)
                best[name] = min(best[name], times)
                spent, runs = spent + times, runs + 1
    return best


def timed(case: Case) -> dict[str, object]:
    initialised(case.network)
    off, their_off = accuracy(case)
    calls: dict[str, Callable[[], object]] = {"ours": lambda: ours(case.network, case.x)}
    if case.vectorised:
        for chunk in CHUNKS:
            if chunk is None or chunk < len(case.x):
                name = f"vmap(jacrev), chunks of {chunk or 'all'}"
                calls[name] = lambda c=chunk: theirs(case.network, case.x, c)  # type: ignore[misc]
    a = samples(SIDE, SIDE)
    times = alternated({**calls, "product": lambda: a @ a}, ROUNDS)
    product, mine = times.pop("product"), times.pop("ours")
    one_by_one = seconds(lambda: loop(case.network, case.x), 1)
    times = times or {"a loop over the samples": one_by_one}
    best = min(times, key=lambda name: times[name])
    floor = operations(case) * product / (2 * SIDE**3) if case.vectorised else None
    return {
        "name": f"{case.name}, {len(case.x)} samples: time",
        "ours": mine,
        "theirs": times[best],
        "unit": "s",
        "ratio": times[best] / mine,
        "target": case.target,
        "loop": one_by_one,
        "floor": floor if floor is not None else "",
        "ours / floor": mine / floor if floor is not None else "",
        "best possible ratio": times[best] / floor if floor is not None else "",
        "note": f"{best}; largest error {off:.1e} of the largest entry, theirs {their_off:.1e}",
    }


def peak(kind: str, way: str) -> float:
    """Megabytes of resident memory that the kernel takes on top of a warm start, in this process."""
    call = {"ours": ours, "theirs": theirs}[way]
    case = CASES[kind]()
    call(case.network, case.x[:4])
    before = status("VmRSS")
    call(case.network, case.x)
    return status("VmHWM") - before


def peak_dense(count: int) -> float:
    """The same for the kernel of the MLP at `count` samples."""
    network = CASES["mlp"]().network
    x = samples(count, 512)
    ours(network, x[:4])
    before = status("VmRSS")
    ours(network, x)
    return status("VmHWM") - before


def status(field: str) -> float:
    """Megabytes, from the kernel's account of this process; unlike getrusage's it does not begin at the parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))


def fresh(expression: str) -> float:
    """Evaluate an expression of this module in a fresh process."""
    code = f"import torch; torch.set_num_threads(1); from benchmarks import ntk; print(ntk.{expression})"
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    return float(done.stdout)


def peak_memory(kind: str) -> dict[str, object]:
    mine, other = (fresh(f"peak({kind!r}, {way!r})") for way in ("ours", "theirs"))
    case = CASES[kind]()
    return {
        "name": f"{case.name}, {len(case.x)} samples: extra peak memory",
        "ours": mine,
        "theirs": other,
        "unit": "MB",
        "ratio": other / mine,
        "target": 4.0,
        "note": "resident memory of a fresh process above that of 4 samples; theirs takes all samples at once",
    }


def growth() -> list[dict[str, object]]:
    """The MLP at growing N, up to 8,192 samples."""
    rows, case = [], CASES["mlp"]()
    initialised(case.network)
    a = samples(SIDE, SIDE)
    for count in (1024, 2048, 4096, 8192):
        x = samples(count, 512)
        calls = {"ours": lambda x=x: ours(case.network, x), "product": lambda: a @ a}  # type: ignore[misc]
        times = alternated(calls, ROUNDS)
        mine = times["ours"]
        floor = operations(Case("", case.network, x, 0)) * times["product"] / (2 * SIDE**3)
        rows.append(
            {
                "name": f"{case.name}, {count} samples: growth",
                "ours": mine,
                "unit": "s",
                "floor": floor,
                "ours / floor": mine / floor,
                "note": f"{mine / count**2 * 1e9:.0f} ns a pair of samples",
            }
        )
    return [
        *rows,
        {
            "name": f"{case.name}, 8192 samples: extra peak memory",
            "ours": fresh("peak_dense(8192)"),
            "unit": "MB",
            "target": 24 * 1024**3 / 1e6,
            "note": f"the kernel itself takes {8192**2 * 4 / 1e6:.0f} MB",
        },
    ]


class Counted(KernelOperator):
    """An operator that counts its products."""

    def __init__(self, operator: KernelOperator) -> None:
        self.operator, self.products = operator, 0
        self.size, self.dtype, self.device = operator.size, operator.dtype, operator.device

    def _apply(self, vector: Tensor) -> Tensor:
        self.products += 1
        return self.operator @ vector


def eigenpairs(count: int = 65_536, pairs: int = 100) -> dict[str, object]:
    """The leading eigenpairs of an MLP's kernel at scattered points of the unit square."""
    network = initialised(nn.Sequential(*dense(2, 128, 128, 128, 1)))
    x = torch.rand(count, 2, generator=torch.Generator().manual_seed(0))
    start = time.process_time()
    operator = Counted(FactoredOperator(network, x, memory=4.0))
    top = top_eigenpairs(operator, pairs, tolerance=1e-4)
    spent = time.process_time() - start
    residuals = torch.stack(
        [
            (operator.operator @ top.vectors[:, i] - top.values[i] * top.vectors[:, i]).norm()
            for i in range(pairs)
        ]
    )
    return {
        "name": f"top {pairs} eigenpairs at {count} scattered points, 2-128-128-128-1 ReLU MLP",
        "ours": spent,
        "unit": "s",
        "note": f"{operator.products} products; residual norms at most {float(residuals.max() / top.values[0]):.1e} "
        f"of the largest eigenvalue and {float((residuals / top.values).max()):.1e} of its own (the last is "
        f"{float(top.values[-1] / top.values[0]):.1e} of the first); the matrix would take "
        f"{count**2 * 4 / 1e9:.0f} GB",
    }


def main() -> list[dict[str, object]]:
    """Rows of time and memory; `ratio` is theirs over ours."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = []
        for build in CASES.values():
            rows.append(timed(build()))
            print(rows[-1], file=sys.stderr, flush=True)
        rows += [peak_memory(kind) for kind in ("mlp", "digits", "wide head", "one output")]
        return [*rows, *growth(), eigenpairs()]
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    for row in main():
        print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
