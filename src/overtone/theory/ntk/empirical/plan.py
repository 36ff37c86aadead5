"""Choose how the gradients of each parameter are taken, by what a few samples show."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk.empirical.backward import flat, pulled
from overtone.theory.ntk.empirical.calling import (
    FAILURES,
    alone,
    check_independent,
    half_the_digits,
    outputs_of,
)
from overtone.theory.ntk.empirical.excluded import Excluded
from overtone.theory.ntk.empirical.features import Features
from overtone.theory.ntk.empirical.outputs import Outputs
from overtone.theory.ntk.empirical.positions import Room
from overtone.theory.ntk.empirical.rules import Rule, rule_for
from overtone.theory.ntk.empirical.sources import Idle, Layers, Samples, Source, Vectorised
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


def choose(network: nn.Module, x: Tensor, workspace: int, excluded: Excluded | None = None) -> list[Source]:
    """The sources whose kernels add up to the network's kernel, as far as three of the samples can tell.

    A layer goes by its rule if the rule's inner products agree with plain backward passes, one sample at a
    time, on three of the samples. All other parameters get explicit gradients: vectorised if `torch.func` can follow
    the network and agrees too, one sample after the other if not. Parameters without a gradient on any of the three
    are taken to have none. `checked.Gradients` holds all this against all samples.

    Args:
        network: The network, in evaluation mode.
        x: (N, ...) samples.
        workspace: Numbers that one product may hold at once.
        excluded: What other samples have ruled out.

    Returns:
        Sources that share out the trained parameters.

    Raises:
        InputError: If nothing is trained, if the network gives different outputs for the same samples, or if
            a sample's output depends on the others.
    """
    excluded = excluded or Excluded()
    probe = probe_samples(x)
    trained = trained_parameters(network)
    first = _outputs(network, probe)
    cotangent = torch.cos(1.0 + torch.arange(first.shape[1], dtype=first.dtype, device=first.device))
    truth = _Truth(network, trained, probe, cotangent)
    check_independent(truth.outputs, first)
    idle = [name for name in _idle(truth, trained) if name not in excluded.idle]
    active = {name: p for name, p in trained.items() if name not in idle}
    sources: list[Source] = [Idle(network, idle, first)] if idle else []
    rest = list(active)
    if not excluded.batches:
        by_layer = _layers(network, active, probe, cotangent, truth, workspace, len(x), excluded)
        if by_layer is not None:
            sources.append(by_layer)
            rest = [name for name in rest if name not in by_layer.parameters]
    if rest:
        sources.append(_explicit(network, rest, probe, cotangent, truth, excluded))
    return sources


def _idle(truth: _Truth, trained: Iterable[str]) -> list[str]:
    """The parameters of modules none of whose parameters has a gradient."""
    owners: dict[str, list[str]] = {}
    for name in trained:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    return [name for names in owners.values() if all(map(truth.idle, names)) for name in names]


def _outputs(network: nn.Module, probe: Tensor) -> Tensor:
    together, again = outputs_of(network, probe).detach(), outputs_of(network, probe).detach()
    if not torch.equal(together.nan_to_num(), again.nan_to_num()):
        raise InputError(
            "a network that gives the same outputs for the same samples in evaluation mode",
            "two different outputs",
            "turn its random parts off",
            "network",
        )
    return together


class _Truth:
    """Gradients of sum_c v_c f_c by plain backward passes, one sample at a time.

    Attributes:
        outputs: (n, C) outputs f of each sample alone.
        grams: Inner products (n, n) of the gradients, by parameter.
    """

    def __init__(
        self, network: nn.Module, trained: dict[str, nn.Parameter], probe: Tensor, cotangent: Tensor
    ) -> None:
        rows, taken, parameters = [], [], list(trained.values())
        for sample in probe:
            call = functools.partial(alone, network, sample[None], len(cotangent))
            y, grads = pulled(network, call, parameters, cotangent[None])
            rows.append(y)
            taken.append(flat(parameters, grads))
        self.outputs = torch.cat(rows)
        self.grams = {name: _gram(each) for name, each in zip(trained, zip(*taken, strict=True), strict=True)}

    def idle(self, name: str) -> bool:
        """Whether no sample has a gradient for a parameter."""
        return not bool(self.grams[name].diagonal().any())

    def agrees(self, features: Features, names: list[str]) -> bool:
        """Whether the features' inner products are those of the parameters `names`, to half the digits."""
        exact = torch.stack([self.grams[name] for name in names]).sum(0)
        found = torch.zeros_like(exact)
        features.add(found, features, Outputs.SUM)
        norms = exact.diagonal().clamp_min(0).sqrt()
        tolerance = half_the_digits(exact.dtype)
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
    excluded: Excluded,
) -> Layers | None:
    def follow(stand_ins: Mapping[str, nn.Module], last: bool) -> Layers | None:
        rules = _rules(network, trained, stand_ins, excluded)
        if not rules:
            return None
        room = Room(workspace, samples, SHARE * workspace // (samples * len(rules)))
        trial = Layers(network, [], rules, room, stand_ins, last)
        parts = zip(rules, trial.take(probe, cotangent).parts, strict=True)
        good = {
            module: list(part.names.values())
            for module, part in parts
            if part.features is not None and truth.agrees(part.features, list(part.names.values()))
        }
        names = list(itertools.chain(*good.values()))
        return Layers(network, names, {m: rules[m] for m in good}, room, stand_ins, last) if good else None

    stand_ins = {} if excluded.stand_ins else unrolled(network)
    replacements: list[Mapping[str, nn.Module]] = [stand_ins, {}] if stand_ins else [{}]
    for attempt in itertools.product(replacements, (True, False) if _pictures(network, probe) else (False,)):
        with contextlib.suppress(*FAILURES):
            return follow(*attempt)
    return None


def _pictures(network: nn.Module, x: Tensor) -> bool:
    """Whether a CPU's convolutions and poolings are faster with the channels of the samples last in memory."""
    convolved = any(isinstance(module, nn.Conv2d) for module in network.modules())
    return convolved and x.ndim == 4 and x.device.type == "cpu"


def _rules(
    network: nn.Module,
    trained: dict[str, nn.Parameter],
    stand_ins: Mapping[str, nn.Module],
    excluded: Excluded,
) -> dict[nn.Module, Rule]:
    """The rule of each layer that may go by layer."""
    owners = Counter(id(p) for module in network.modules() for p in module.parameters(recurse=False))
    name_of = {id(p): name for name, p in trained.items()}
    rules: dict[nn.Module, Rule] = {}
    for module in (each for root in (network, *stand_ins.values()) for each in root.modules()):
        own = [p for p in module.parameters(recurse=False) if p.requires_grad]
        names = {name_of.get(id(p)) for p in own}
        sole = own and None not in names and all(owners[id(p)] == 1 for p in own)
        if sole and not names & excluded.layers and (rule := rule_for(module)) is not None:
            rules[module] = rule
    return rules


def _explicit(
    network: nn.Module,
    names: list[str],
    probe: Tensor,
    cotangent: Tensor,
    truth: _Truth,
    excluded: Excluded,
) -> Samples | Vectorised:
    if excluded.batches:
        return Samples(network, names)
    weighted = _Weighted(network, cotangent)
    try:
        (trial,) = Vectorised(weighted, [f"network.{name}" for name in names]).take(probe).features
    except FAILURES:
        return Samples(network, names)
    return Vectorised(network, names) if truth.agrees(trial, names) else Samples(network, names)
