"""Look at a network without touching it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def untouched(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode and gradients on inside; parameters, modes, buffers and random streams as before afterwards.

    Gradients are to be taken with `torch.autograd.grad`, which leaves `.grad` alone. Autocast is off inside:
    a kernel is a sum of many products and needs the parameters' full precision. The fused recurrent kernels
    of CUDA have no backward pass in evaluation mode, so they are off too where the network is recurrent. Compiled
    networks are run as they were written. Parameters are kept because some layers write to them when they are called
    (`max_norm` of an embedding).

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
    parameters = [(p, p.detach().clone()) for p in network.parameters()]
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[device] if device.type == "cuda" else []))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        try:
            # Exported programs have but the one mode that they were exported in, and refuse.
            with contextlib.suppress(NotImplementedError):
                network.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training
            for module, name, buffer, before in buffers:
                module._buffers[name] = buffer
                _restore(buffer, before)
            for p, before in parameters:
                _restore(p, before)


def _restore(value: Tensor, before: Tensor) -> None:
    if not torch.equal(value, before):
        with torch.no_grad():
            value.copy_(before)
