"""Measure without touching: evaluate a network and leave everything about it as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn


@contextmanager
def untouched(network: nn.Module) -> Iterator[None]:
    """Put `network` in eval mode without gradients, autocast or compiled code, and restore all it may have changed.

    Restored are the train/eval flag of every submodule, buffers that the evaluation wrote to, and the state of every
    random generator that it may have drawn from (CPU and the devices of the parameters and buffers).

    Args:
        network: The network to be evaluated inside the `with` block.

    Yields:
        Nothing.
    """
    modules = list(network.modules())
    modes = [module.training for module in modules]
    buffers = [(buffer, buffer._version, buffer.detach().clone()) for buffer in network.buffers()]
    tensors = [*network.parameters(), *network.buffers()]
    devices = sorted({t.device.index or 0 for t in tensors if t.device.type == "cuda"})
    kinds = {t.device.type for t in tensors} | {"cpu"}
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=devices))
        stack.enter_context(torch.no_grad())
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for kind in sorted(kinds):
            stack.enter_context(torch.autocast(kind, enabled=False))
        try:
            network.eval()
            yield
        finally:
            for module, mode in zip(modules, modes, strict=True):
                module.training = mode
            for buffer, version, before in buffers:
                if buffer._version != version:
                    buffer.copy_(before)
