"""Look at a network without touching it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from overtone._state import Snapshot


@contextmanager
def untouched(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode and gradients on inside; all that the network holds, and random streams, as before afterwards.

    Gradients are to be taken with `torch.autograd.grad`, which leaves `.grad` alone. Autocast is off inside:
    a kernel is a sum of many products and needs the parameters' full precision. The fused recurrent kernels
    of CUDA have no backward pass in evaluation mode, so they are off too where the network is recurrent. Compiled
    networks are run as they were written.

    Args:
        network: The network, in any mode.
        device: Where its inputs lie; the device's random stream is kept too.

    Raises:
        InputError: If something has changed that cannot be put back, see `state.Snapshot`.
    """
    with ExitStack() as stack:
        stack.callback(Snapshot((network, device)).restore)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        # Exported programs have but the one mode that they were exported in, and refuse.
        with contextlib.suppress(NotImplementedError):
            network.eval()
        yield
