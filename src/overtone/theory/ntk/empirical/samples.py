"""Samples that a network can take: checked before anything is computed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk.empirical.calling import FAILURES, outputs_of


def check_samples(network: nn.Module, **samples: Tensor | None) -> None:
    """Raise InputError unless all samples are tensors of at least one row, on the network's device.

    Args:
        network: The network.
        samples: (N, ...) tensors by the name of their argument.
    """
    given = {name: x for name, x in samples.items() if x is not None}
    for name, x in given.items():
        if not isinstance(x, Tensor):
            raise InputError("a tensor of samples", type(x).__name__, "pass torch.as_tensor(...)", name)
        if x.ndim == 0 or len(x) == 0:
            raise InputError("at least one sample", f"shape {tuple(x.shape)}", "pass (N, ...) samples", name)
    state = [*network.named_parameters(), *network.named_buffers()]
    for name, value in state:
        _check_state(name, value)
    places = {str(value.device): name for name, value in reversed(state)}
    places |= {str(x.device): "the samples" for x in given.values()}
    if len(places) > 1:
        raise InputError(
            "the network and all samples on one device",
            ", ".join(f"{name} on {device}" for device, name in sorted(places.items())),
            "move them to one with .to(device)",
            "network",
        )


def plain(x: Tensor) -> Tensor:
    """Samples without a history, that can be part of one: those made in inference mode are copied."""
    with torch.inference_mode(False):
        return x.clone() if x.is_inference() else x.detach()


def _check_state(name: str, value: Tensor) -> None:
    if nn.parameter.is_lazy(value):
        raise InputError(
            "a network whose layers know their sizes",
            f"{name}, which has none yet",
            "call the network once on one of the samples before",
            "network",
        )
    if value.is_inference():
        raise InputError(
            "a network that can be differentiated",
            f"{name}, which was made in inference mode",
            "make or load the network outside torch.inference_mode()",
            "network",
        )


def first_outputs(network: nn.Module, x: Tensor) -> Tensor:
    """The outputs (N, C) for a few samples, without a graph.

    Gradients are on meanwhile, because some networks differentiate themselves to answer.

    Raises:
        InputError: If the network does not take such samples; says what it says.
    """
    try:
        return outputs_of(network, x).detach()
    except InputError:
        raise
    except FAILURES as failure:
        reason = (str(failure).splitlines() or [""])[0].rstrip(".") or type(failure).__name__
        raise InputError(
            "samples that the network takes",
            f"shape {tuple(x.shape)} of {x.dtype}, on which it fails with: {reason}",
            "check their shape, and convert them to the precision of its parameters",
            "network",
        ) from failure
