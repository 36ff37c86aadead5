"""Fourier features fit the functions that a plain network learns last."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP
from overtone.nn.encodings import Gaussian
from overtone.studies import AtMost, Axes, Condition, Effort, Family, Measured, Size, Study
from overtone.theory import ntk


def measure(
    seed: int, network: str, worst: str, bandwidth: float, samples: int, width: int, steps: int
) -> Measured:
    """Share of the function's power that is left after training on all of its samples."""
    x = 2 * torch.arange(samples)[:, None] / samples - 1
    plain, fourier = networks(width, bandwidth, seed)
    target = {
        "plain": lambda: last_mode(plain, x),
        "own": lambda: last_mode(fourier, x),
        "random": lambda: torch.from_numpy(
            numpy_generator(seed, "labels").standard_normal((samples, 1))
        ).float(),
    }[worst]()
    target = target / target.square().mean().sqrt()
    trained = plain if network == "plain" else fourier
    optimizer = torch.optim.Adam(trained.parameters(), 1e-3)
    left = []
    for _ in range(steps):
        loss = (trained(x) - target).square().mean()
        left.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Measured(left[-1], {"": (range(1, steps + 1), left)})


def networks(width: int, bandwidth: float, seed: int) -> tuple[nn.Module, nn.Module]:
    """The plain network on [-1, 1], and the one with Fourier features of a bandwidth in cycles over it."""
    encoding = Gaussian.from_bandwidth(1, 128, bandwidth / 2, derive_seed(seed, "encoding"))
    body = MLP(encoding.out_features, 1, width, 3, seed=derive_seed(seed, "body"))
    return MLP(1, 1, width, 3, seed=derive_seed(seed, "plain")), nn.Sequential(encoding, body)


def last_mode(network: nn.Module, x: Tensor) -> Tensor:
    """(N, 1) the function that the untrained network's tangent kernel learns last."""
    kernel = ntk.empirical_ntk(network.double(), x.double()).matrix
    network.float()
    return torch.linalg.eigh(kernel).eigenvectors[:, :1].float()


STUDY = Study(
    name="worst-case-functions",
    family=Family.NOISE,
    claim="Fourier features let networks fit worst-case functions easily.",
    source="Tancik et al. 2020, Fourier features let networks learn high frequency functions, sections 3 and 4 "
    "(arXiv:2006.10739), for the mechanism; the claim is often stated without a source",
    statistic="share of a function's power that is left after training on all of its samples",
    criterion=AtMost(0.1),
    conditions=(
        Condition("what a plain network learns last", {"network": "fourier", "worst": "plain"}),
        Condition("random values", {"network": "fourier", "worst": "random"}),
        Condition("what it learns last itself", {"network": "fourier", "worst": "own"}),
        Condition(
            "random values, bandwidth of 4", {"network": "fourier", "worst": "random", "bandwidth": 4.0}
        ),
    ),
    first_seed=300,
    control=Condition("plain network, what it learns last", {"network": "plain", "worst": "plain"}),
    measure=measure,
    axes=Axes("Step", "Share of power left", log_x=True, log_y=True),
    efforts={
        Size.SMOKE: Effort(1, {"samples": 32, "width": 16, "steps": 5, "bandwidth": 16.0}),
        Size.QUICK: Effort(24, {"samples": 128, "width": 64, "steps": 500, "bandwidth": 32.0}),
        Size.FULL: Effort(20, {"samples": 1024, "width": 256, "steps": 20_000, "bandwidth": 256.0}),
    },
    depends="whether the features reach the function's frequencies",
    caveat="Functions are fitted on their samples, not predicted between them: to fit random values is no merit where "
    "they are noise. "
    "Judged on seeds 300 to 323, after 8 from 100 on had left it undecided.",
)
