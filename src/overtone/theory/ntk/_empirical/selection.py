"""Selection of the method for each parameter's gradients, tested on a few samples."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk._empirical.features import GradientFeatures
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.layer_rules import LayerRule, rule_for
from overtone.theory.ntk._empirical.passes import (
    NETWORK_ERRORS,
    check_independent,
    flatten_gradients,
    network_outputs,
    single_sample_outputs,
    sqrt_eps_tolerance,
    vector_jacobian_product,
)
from overtone.theory.ntk._empirical.recurrent import unrolled_layers
from overtone.theory.ntk._empirical.sources import (
    ExcludedMethods,
    GradientSource,
    LayerwiseSource,
    PerSampleSource,
    VectorisedSource,
    ZeroSource,
)
from overtone.theory.ntk._empirical.weight_sharing import LayerMemoryBudget

SHARE = 3
"""Number of the budget's eight workspaces that the gradients of all samples together may use."""


def trained_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that require gradients, by name, with shared ones once.

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
    """Return the first, the middle and the last sample, or all if there are fewer."""
    index = sorted({0, len(x) // 2, len(x) - 1})
    return x[index]


def select_sources(
    network: nn.Module, x: Tensor, workspace: int, excluded: ExcludedMethods | None = None
) -> list[GradientSource]:
    """Return sources whose kernels sum to the network's kernel, on three of the samples.

    A layer is computed by its rule if the rule's inner products agree with plain backward passes, one sample at a
    time, on three of the samples. All other parameters use explicit gradients: vectorised if `torch.func` can trace
    the network and also agrees, otherwise one sample at a time. Parameters without a gradient on any of the three
    samples are assumed to have none. `VerifiedGradients` checks all this for all samples.

    Args:
        network: The network, in evaluation mode.
        x: (N, ...) samples.
        workspace: Number of temporary values per product.
        excluded: Methods that other samples have ruled out.

    Returns:
        Sources that partition the trained parameters.

    Raises:
        InputError: If no parameter is trained, if the network returns different outputs for the same samples, or if a
            sample's output depends on the others.
    """
    excluded = excluded or ExcludedMethods()
    probe = probe_samples(x)
    trained = trained_parameters(network)
    first = _outputs(network, probe)
    # Outputs are combined with weights that no symmetry of the network cancels.
    cotangent = torch.cos(1.0 + torch.arange(first.shape[1], dtype=first.dtype, device=first.device))
    truth = _ReferenceGradients(network, trained, probe, cotangent)
    check_independent(truth.outputs, first)
    zero = [name for name in _zero_gradient(truth, trained) if name not in excluded.nonzero]
    active = {name: p for name, p in trained.items() if name not in zero}
    sources: list[GradientSource] = [ZeroSource(network, zero, first)] if zero else []
    remaining = list(active)
    if not excluded.batches:
        by_layer = _layers(network, active, probe, cotangent, truth, workspace, len(x), excluded)
        if by_layer is not None:
            sources.append(by_layer)
            remaining = [name for name in remaining if name not in by_layer.parameters]
    if remaining:
        sources.append(_explicit(network, remaining, probe, cotangent, truth, excluded))
    return sources


def _zero_gradient(truth: _ReferenceGradients, trained: Iterable[str]) -> list[str]:
    """Return the parameters of modules in which no parameter has a gradient."""
    owners: dict[str, list[str]] = {}
    for name in trained:
        owners.setdefault(name.rpartition(".")[0], []).append(name)
    return [name for names in owners.values() if all(map(truth.zero_gradient, names)) for name in names]


def _outputs(network: nn.Module, probe: Tensor) -> Tensor:
    together, again = network_outputs(network, probe).detach(), network_outputs(network, probe).detach()
    if not torch.equal(together.nan_to_num(), again.nan_to_num()):
        raise InputError(
            "a network that returns the same outputs for the same samples in eval mode",
            "two different outputs",
            "disable its random operations",
            "network",
        )
    return together


class _ReferenceGradients:
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
            call = functools.partial(single_sample_outputs, network, sample[None], len(cotangent))
            y, grads = vector_jacobian_product(network, call, parameters, cotangent[None])
            rows.append(y)
            taken.append(flatten_gradients(parameters, grads))
        self.outputs = torch.cat(rows)
        self.grams = {name: _gram(each) for name, each in zip(trained, zip(*taken, strict=True), strict=True)}

    def zero_gradient(self, name: str) -> bool:
        """Return whether no sample has a gradient for a parameter."""
        return not bool(self.grams[name].diagonal().any())

    def agrees(self, features: GradientFeatures, names: list[str]) -> bool:
        """Return whether the features' inner products are those of the parameters `names`, to half the digits."""
        exact = torch.stack([self.grams[name] for name in names]).sum(0)
        products = torch.zeros_like(exact)
        features.add(products, features, OutputLayout.SUM)
        norms = exact.diagonal().clamp_min(0).sqrt()
        tolerance = sqrt_eps_tolerance(exact.dtype)
        close = (products - exact).abs() <= tolerance * norms[:, None] * norms + torch.finfo(exact.dtype).tiny
        return bool(close.all())


def _gram(rows: tuple[Tensor, ...]) -> Tensor:
    """Return the inner products of a few vectors, without copying them into one matrix."""
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
        return network_outputs(self.network, x) @ self.cotangent


def _layers(
    network: nn.Module,
    trained: dict[str, nn.Parameter],
    probe: Tensor,
    cotangent: Tensor,
    truth: _ReferenceGradients,
    workspace: int,
    samples: int,
    excluded: ExcludedMethods,
) -> LayerwiseSource | None:
    def follow(replacements: Mapping[str, nn.Module], last: bool) -> LayerwiseSource | None:
        rules = _rules(network, trained, replacements, excluded)
        if not rules:
            return None
        budget = LayerMemoryBudget(workspace, samples, SHARE * workspace // (samples * len(rules)))
        trial = LayerwiseSource(network, [], rules, budget, replacements, last)
        parts = zip(rules, trial.take(probe, cotangent).parts, strict=True)
        good = {
            module: list(part.names.values())
            for module, part in parts
            if part.features is not None and truth.agrees(part.features, list(part.names.values()))
        }
        names = list(itertools.chain(*good.values()))
        return (
            LayerwiseSource(network, names, {m: rules[m] for m in good}, budget, replacements, last)
            if good
            else None
        )

    unrolled = {} if excluded.replacements else unrolled_layers(network)
    candidates: list[Mapping[str, nn.Module]] = [unrolled, {}] if unrolled else [{}]
    # From the fastest to the most general: unrolled recurrent layers, channels-last memory, then neither.
    for attempt in itertools.product(candidates, (True, False) if _has_images(network, probe) else (False,)):
        with contextlib.suppress(*NETWORK_ERRORS):
            return follow(*attempt)
    return None


def _has_images(network: nn.Module, x: Tensor) -> bool:
    """Return whether convolutions and poolings on a CPU are faster with the samples' channels last in memory."""
    convolved = any(isinstance(module, nn.Conv2d) for module in network.modules())
    return convolved and x.ndim == 4 and x.device.type == "cpu"


def _rules(
    network: nn.Module,
    trained: dict[str, nn.Parameter],
    replacements: Mapping[str, nn.Module],
    excluded: ExcludedMethods,
) -> dict[nn.Module, LayerRule]:
    """Return the rule of each layer that may be computed by layer."""
    # A parameter of several modules has a gradient through each of them, which a rule for one module would omit.
    owners = Counter(id(p) for module in network.modules() for p in module.parameters(recurse=False))
    name_of = {id(p): name for name, p in trained.items()}
    rules: dict[nn.Module, LayerRule] = {}
    for module in (each for root in (network, *replacements.values()) for each in root.modules()):
        parameters = [p for p in module.parameters(recurse=False) if p.requires_grad]
        names = {name_of.get(id(p)) for p in parameters}
        sole = parameters and None not in names and all(owners[id(p)] == 1 for p in parameters)
        if sole and not names & excluded.layers and (rule := rule_for(module)) is not None:
            rules[module] = rule
    return rules


def _explicit(
    network: nn.Module,
    names: list[str],
    probe: Tensor,
    cotangent: Tensor,
    truth: _ReferenceGradients,
    excluded: ExcludedMethods,
) -> PerSampleSource | VectorisedSource:
    if excluded.batches:
        return PerSampleSource(network, names)
    weighted = _Weighted(network, cotangent)
    try:
        (trial,) = VectorisedSource(weighted, [f"network.{name}" for name in names]).take(probe).features
    except NETWORK_ERRORS:
        return PerSampleSource(network, names)
    return VectorisedSource(network, names) if truth.agrees(trial, names) else PerSampleSource(network, names)
