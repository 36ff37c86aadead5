"""The square of a minibatch's gradient, expected over its draws: what Adam's second moments tend to."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overtone.theory.dynamics.preconditioned import split
from overtone.theory.ntk.empirical.features import Explicit
from overtone.theory.ntk.empirical.sources import Samples
from overtone.theory.ntk.empirical.untouched import untouched


def per_sample_squares(network: nn.Module, x: Tensor, residual: Tensor) -> dict[str, Tensor]:
    """Mean over the samples of the squared gradient of each sample's own loss, (1 / C) |f - y|^2.

    A linear layer that sees h and passes a back has sample gradients a h^T, so that the mean is that of
    a^2 (h^2)^T, a product; all other layers go by explicit gradients.

    Args:
        network: Maps (N, ...) to (N, C).
        x: (N, ...) samples.
        residual: (N, C) f - y.

    Returns:
        By parameter name, in the parameters' shapes.
    """
    pull = 2 / residual.shape[1] * residual
    found: dict[str, Tensor] = {}
    with untouched(network, x.device):
        layers, rest = split(network, x)
        for features, names in layers:
            back = torch.einsum("nc,cno->no", pull.to(features.grads), features.grads).square()
            if features.weight:
                found[names["weight"]] = back.mT @ features.inputs.square() / len(x)
            if features.bias:
                found[names["bias"]] = back.mean(0)
        if rest:
            source = Samples(network, rest)
            (explicit,) = source.take(x).features
            assert isinstance(explicit, Explicit)
            own = torch.einsum("nc,cnp->np", pull.to(explicit.values), explicit.values)
            named = dict(network.named_parameters())
            parts = own.square().mean(0).split([named[name].numel() for name in source.parameters])
            found |= {
                n: part.reshape(named[n].shape) for n, part in zip(source.parameters, parts, strict=True)
            }
    return found


def batch_squares(mean: dict[str, Tensor], each: dict[str, Tensor], batch: int) -> dict[str, Tensor]:
    """E g_B^2 = g^2 + (E_n g_n^2 - g^2) / B for batches of B samples drawn with replacement.

    Args:
        mean: g, the gradient over all samples, by parameter name.
        each: E_n g_n^2, from `per_sample_squares`.
        batch: B.
    """
    return {
        name: g.square() + (each[name] - g.square()).clamp_min(0) / batch if name in each else g.square()
        for name, g in mean.items()
    }
