"""Choose how the gradients of each parameter are taken, and check the choice on a few samples."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.outputs import Outputs
from overtone.theory.ntk.empirical.positions import Room
from overtone.theory.ntk.empirical.rules import Rule, rule_for
from overtone.theory.ntk.empirical.samples import FAILURES
from overtone.theory.ntk.empirical.sources import Layers, Samples, Source, Vectorised, gradients, outputs_of
from overtone.theory.ntk.empirical.unrolled import unrolled

SHARE = 3
"""Workspaces that the gradients of all samples together may take, of the eight that make up the budget."""


def trained_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that require gradients, by name, shared ones once.

    Raises:
        InputError: If there are none.
    """
    trained = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if not trained:
        raise InputError(
            "a network with parameters that require gradients",
            "none",
            "call requires_grad_(True) on the parameters that are trained",
            "network",
        )
    return trained


def probe_samples(x: Tensor) -> Tensor:
    """The first, the middle and the last sample, or as many as there are."""
    index = sorted({0, len(x) // 2, len(x) - 1})
    return x[index]


def choose(network: nn.Module, x: Tensor, workspace: int) -> list[Source]:
    """The sources whose kernels add up to the network's kernel.

    A layer goes by its rule if the rule's inner products agree with plain backward passes, one sample at a
    time, on three of the samples. So a layer whose parameters are also used elsewhere, or whose input holds
    no row per sample, is found out whatever the forward pass does. All other parameters get explicit
    gradients: vectorised if `torch.func` can follow the network and agrees too, one sample after the other if
    not.

    Args:
        network: The network, in evaluation mode.
        x: (N, ...) samples.
        workspace: Numbers that one product may hold at once.

    Returns:
        One or two sources that share out the trained parameters.

    Raises:
        InputError: If nothing is trained, if the network gives different outputs for the same samples, or if
            a sample's output depends on the others.
    """
    probe = probe_samples(x)
    trained = trained_parameters(network)
    first = _outputs(network, probe)
    cotangent = torch.cos(1.0 + torch.arange(first.shape[1], dtype=first.dtype, device=first.device))
    truth = _Truth(network, trained, probe, cotangent)
    _check_alone(truth.outputs, first)
    by_layer = _layers(network, trained, probe, cotangent, truth, workspace, len(x))
    rest = [name for name in trained if by_layer is None or name not in by_layer.parameters]
    sources: list[Source] = [] if by_layer is None else [by_layer]
    return [*sources, _explicit(network, rest, probe, cotangent, truth)] if rest else sources


def _outputs(network: nn.Module, probe: Tensor) -> Tensor:
    with torch.no_grad():
        together, again = outputs_of(network, probe), outputs_of(network, probe)
    if not torch.equal(together.nan_to_num(), again.nan_to_num()):
        raise InputError(
            "a network that gives the same outputs for the same samples in evaluation mode",
            "two different outputs",
            "turn its random parts off",
            "network",
        )
    return together


def _check_alone(alone: Tensor, together: Tensor) -> None:
    difference = (alone - together).nan_to_num().abs().max()
    if difference > _half_the_digits(together.dtype) * together.nan_to_num().abs().max():
        raise InputError(
            "a network whose output for a sample depends on that sample alone",
            f"a difference of {float(difference):.1e} when others are in the batch",
            "take out what mixes the samples of a batch",
            "network",
        )


def _alone(network: nn.Module, sample: Tensor) -> Tensor:
    try:
        return outputs_of(network, sample)
    except FAILURES as failure:
        raise InputError(
            "a network that takes a sample alone",
            f"the failure: {str(failure).rstrip('.')}",
            "take out what mixes the samples of a batch",
            "network",
        ) from failure


def _half_the_digits(dtype: torch.dtype) -> float:
    return 4 * math.sqrt(torch.finfo(dtype).eps)


class _Truth:
    """Gradients of sum_c v_c f_c by plain backward passes, one sample at a time.

    Attributes:
        outputs: (n, C) outputs f of each sample alone.
        grams: Inner products (n, n) of the gradients, by parameter.
    """

    def __init__(
        self, network: nn.Module, trained: dict[str, nn.Parameter], probe: Tensor, cotangent: Tensor
    ) -> None:
        rows, taken = [], []
        for sample in probe:
            y = _alone(network, sample[None])
            rows.append(y.detach())
            taken.append(gradients((y @ cotangent).sum(), list(trained.values())))
        self.outputs = torch.cat(rows)
        self.grams = {name: _gram(each) for name, each in zip(trained, zip(*taken, strict=True), strict=True)}

    def agrees(self, features: Features, names: list[str]) -> bool:
        """Whether the features' inner products are those of the parameters `names`, to half the digits."""
        exact = torch.stack([self.grams[name] for name in names]).sum(0)
        found = torch.zeros_like(exact)
        features.add(found, features, Outputs.SUM)
        norms = exact.diagonal().clamp_min(0).sqrt()
        tolerance = _half_the_digits(exact.dtype)
        close = (found - exact).abs() <= tolerance * norms[:, None] * norms + torch.finfo(exact.dtype).tiny
        return bool(close.all())


def _gram(rows: tuple[Tensor, ...]) -> Tensor:
    """Inner products of a few vectors, which are not copied side by side."""
    gram = rows[0].new_empty(len(rows), len(rows))
    for i, one in enumerate(rows):
        for j, two in enumerate(rows[: i + 1]):
            gram[i, j] = gram[j, i] = one @ two
    return gram


class _Weighted(nn.Module):
    def __init__(self, network: nn.Module, cotangent: Tensor) -> None:
        super().__init__()
        self.network, self.cotangent = network, cotangent

    def forward(self, x: Tensor) -> Tensor:
        return outputs_of(self.network, x) @ self.cotangent


def _layers(
    network: nn.Module,
    trained: dict[str, nn.Parameter],
    probe: Tensor,
    cotangent: Tensor,
    truth: _Truth,
    workspace: int,
    samples: int,
) -> Layers | None:
    def follow(stand_ins: Mapping[str, nn.Module], last: bool) -> Layers | None:
        rules, names = _rules(network, trained, stand_ins)
        if not rules:
            return None
        room = Room(workspace, samples, SHARE * workspace // (samples * len(rules)))
        found = Layers(network, [], rules, room, stand_ins, last).by_layer(probe, cotangent)
        good = [m for m, parts in found.items() if parts is not None and truth.agrees(parts, names[m])]
        kept = [name for module in good for name in names[module]]
        return Layers(network, kept, {m: rules[m] for m in good}, room, stand_ins, last) if good else None

    stand_ins = unrolled(network)
    replacements: list[Mapping[str, nn.Module]] = [stand_ins, {}] if stand_ins else [{}]
    orders = (True, False) if _pictures(network, probe) else (False,)
    *early, final = itertools.product(replacements, orders)
    for attempt in early:
        with contextlib.suppress(*FAILURES):
            return follow(*attempt)
    return follow(*final)


def _pictures(network: nn.Module, x: Tensor) -> bool:
    """Whether a CPU's convolutions and poolings are faster with the channels of the samples last in memory."""
    convolved = any(isinstance(module, nn.Conv2d) for module in network.modules())
    return convolved and x.ndim == 4 and x.device.type == "cpu"


def _rules(
    network: nn.Module, trained: dict[str, nn.Parameter], stand_ins: Mapping[str, nn.Module]
) -> tuple[dict[nn.Module, Rule], dict[nn.Module, list[str]]]:
    """The rule and the parameters' names of each layer that may go by layer."""
    owners = Counter(id(p) for module in network.modules() for p in module.parameters(recurse=False))
    name_of = {id(p): name for name, p in trained.items()}
    rules: dict[nn.Module, Rule] = {}
    names: dict[nn.Module, list[str]] = {}
    for module in (each for root in (network, *stand_ins.values()) for each in root.modules()):
        own = [p for p in module.parameters(recurse=False) if p.requires_grad]
        if own and all(owners[id(p)] == 1 for p in own) and (rule := rule_for(module)) is not None:
            rules[module], names[module] = rule, [name_of[id(p)] for p in own]
    return rules, names


def _explicit(
    network: nn.Module, names: list[str], probe: Tensor, cotangent: Tensor, truth: _Truth
) -> Samples | Vectorised:
    weighted = _Weighted(network, cotangent)
    try:
        trial = Vectorised(weighted, [f"network.{name}" for name in names]).features(probe)[0]
    except FAILURES:
        return Samples(network, names)
    return Vectorised(network, names) if truth.agrees(trial, names) else Samples(network, names)
