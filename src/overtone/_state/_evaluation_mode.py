"""Evaluation of a network without changes to its state, without or with gradients."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.nn.modules import module as shared
from torch.nn.utils import parametrize

from overtone._state._snapshot import StateSnapshot

_HOOKS = (shared._global_forward_hooks, shared._global_forward_pre_hooks)
"""Global hooks, which every module calls."""

_MODE_METHODS = ("train", "eval")


@contextmanager
def evaluation_mode(
    network: nn.Module, others: Iterable[nn.Module] = (), memory: float = 1.0
) -> Iterator[None]:
    """Put networks in eval mode without gradients, autocast or compiled code, and restore all state afterwards.

    The restored state: parameters, buffers, gradients and other tensors bit by bit with their versions, so that a
    pending backward pass still runs; the train/eval flag of every submodule; attributes, counters, caches and hooks;
    and the random generators of PyTorch, NumPy, Python and the network.

    Args:
        network: The network to be evaluated inside the `with` block.
        others: Networks that are called along with it.
        memory: GiB available for copies of tensors; larger tensors are checked by a checksum, not copied.

    Yields:
        Nothing.

    Raises:
        InputError: If a change cannot be undone.
    """
    networks = (network, *others)
    modules = [module for root in networks for module in root.modules()]
    tensors = [t for root in networks for t in (*root.parameters(), *root.buffers())]
    with ExitStack() as stack:
        # Entered first, so left last: the state is restored after all modes are disabled again.
        stack.callback(StateSnapshot((*networks, *_HOOKS), memory).restore)
        # Tensors made in inference mode can be used only in inference mode.
        stack.enter_context(torch.inference_mode(any(t.is_inference() for t in tensors)))
        stack.enter_context(torch.no_grad())
        stack.enter_context(_interpreted(modules))
        stack.enter_context(_without_weight_caches())
        for kind in sorted({t.device.type for t in tensors} | {"cpu"}):
            if torch.amp.is_autocast_available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        for root in networks:
            _set_eval(root)
        yield


@contextmanager
def _interpreted(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Keep torch.compile and TorchScript from compiling for shapes that do not occur in training."""
    with ExitStack() as stack:
        _enter_eager(stack)
        if any(isinstance(module, torch.jit.ScriptModule) for module in modules):
            stack.enter_context(torch.jit.optimized_execution(False))
        yield


@contextmanager
def _without_weight_caches() -> Iterator[None]:
    """Keep autocast and `parametrize.cached` from storing weights that were computed without gradients."""
    enabled = torch.is_autocast_cache_enabled()
    counted, cache = parametrize._cache_enabled, parametrize._cache
    torch.set_autocast_cache_enabled(False)
    parametrize._cache_enabled, parametrize._cache = 0, {}
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(enabled)
        parametrize._cache_enabled, parametrize._cache = counted, cache


@contextmanager
def evaluation_mode_with_gradients(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Put a network in eval mode with gradients enabled, and restore its state and the random generators afterwards.

    Take gradients with `torch.autograd.grad`, which does not change `.grad`. Autocast is disabled, because a kernel
    is a sum of many products and needs the parameters' full precision. The fused recurrent kernels of CUDA have no
    backward pass in eval mode, so they are disabled too if the network is recurrent. Compiled networks are run
    eagerly.

    Args:
        network: The network, in any mode.
        device: Device of its inputs; its random generator is restored too.

    Raises:
        InputError: If a change cannot be undone, see `StateSnapshot`.
    """
    with ExitStack() as stack:
        stack.callback(StateSnapshot((network, device)).restore)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        _enter_eager(stack)
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        _set_eval(network)
        yield


def _enter_eager(stack: ExitStack) -> None:
    # Importing torch._dynamo takes seconds; nothing is compiled unless it is already imported.
    if "torch._dynamo" in sys.modules:
        stack.enter_context(torch.compiler.set_stance("force_eager"))


def _set_eval(network: nn.Module) -> None:
    # A program of torch.export has one mode and raises when it is asked for another. Inside a container that would end
    # `eval` half way and leave, for instance, a dropout after it in train mode.
    programs = [module for module in network.modules() if _has_fixed_mode(module)]
    methods_before = [{name: vars(program)[name] for name in _MODE_METHODS} for program in programs]
    try:
        for program in programs:
            vars(program).update(dict.fromkeys(_MODE_METHODS, lambda *_: None))
        network.eval()
    finally:
        for program, methods in zip(programs, methods_before, strict=True):
            vars(program).update(methods)


def _has_fixed_mode(module: nn.Module) -> bool:
    """Return whether a module is a program of torch.export, which replaces its mode methods by ones that raise."""
    return isinstance(module, torch.fx.GraphModule) and all(name in vars(module) for name in _MODE_METHODS)
