"""Look at a network without touching it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn


@contextmanager
def untouched(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode and gradients on inside; modes, buffers and random streams as before afterwards.

    Gradients are to be taken with `torch.autograd.grad`, which leaves `.grad` alone. Autocast is off inside:
    a kernel is a sum of many products and needs the parameters' full precision. The fused recurrent kernels
    of CUDA have no backward pass in evaluation mode, so they are off too where the network is recurrent.

    Args:
        network: The network, in any mode.
        device: Where its inputs lie; the device's random stream is kept too.
    """
    modes = [(module, module.training) for module in network.modules()]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in network.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[device] if device.type == "cuda" else []))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        try:
            network.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training
            for module, name, buffer, before in buffers:
                module._buffers[name] = buffer
                if not torch.equal(buffer, before):
                    with torch.no_grad():
                        buffer.copy_(before)
