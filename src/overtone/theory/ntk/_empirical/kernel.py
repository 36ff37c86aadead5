"""The neural tangent kernel of a network at its current parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor, nn

from overtone._state._evaluation_mode import evaluation_mode_with_gradients
from overtone._utils.enums import parse_enum
from overtone.errors import InputError, RunError
from overtone.theory.ntk._empirical.assembly import (
    GIB,
    assemble_kernel,
    kernel_bytes,
    measure_memory,
    plan_chunks,
)
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.layer_rules import rule_for
from overtone.theory.ntk._empirical.passes import check_samples, detached_samples, trial_outputs
from overtone.theory.ntk._empirical.selection import probe_samples
from overtone.theory.ntk._empirical.sources import GradientSource, JacobianMethod, ZeroSource
from overtone.theory.ntk._empirical.verification import VerifiedGradients

_METHOD_TEXT = {
    JacobianMethod.LAYERS: "by layer",
    JacobianMethod.VECTORISED: "by torch.func, many samples at once",
    JacobianMethod.SAMPLES: "one sample at a time",
}


@final
@dataclass(frozen=True)
class EmpiricalKernel:
    """A finite network's neural tangent kernel, which functions of torch and NumPy accept like its matrix.

    Attributes:
        matrix: The kernel; its layout is that of `outputs`, (N, M) for one output. Units: output^2 /
            parameter^2.
        outputs: Layout of several outputs.
        methods: Number of parameters by the method that computed their gradients.
        chunk: Samples per pass through the network.
        fallback: Layers that were not computed by a layer rule, by name, with their kind and method.
        unsupported_use: Layers among these with a rule that does not cover their use on some of the samples.
        zero_gradient: Names of parameters without a gradient for any sample.
    """

    matrix: Tensor
    outputs: OutputLayout
    methods: Mapping[JacobianMethod, int]
    chunk: int
    fallback: Mapping[str, tuple[str, JacobianMethod]]
    unsupported_use: frozenset[str] = frozenset()
    zero_gradient: tuple[str, ...] = ()

    @property
    def slowest_method(self) -> JacobianMethod:
        """The slowest method used."""
        return max(self.methods)

    @property
    def parameters(self) -> int:
        """Number of trained parameters; a complex one counts once."""
        return sum(self.methods.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on each layer of `fallback`, and on parameters without gradients."""
        sentences = []
        for name, (kind, method) in self.fallback.items():
            why = (
                "is used in a way that its layer rule does not cover"
                if name in self.unsupported_use
                else "has no layer rule"
            )
            sentences.append(f"{name} ({kind}) {why}: its gradients were computed {_METHOD_TEXT[method]}.")
        if self.zero_gradient:
            more = f" and {len(self.zero_gradient) - 1} more" if len(self.zero_gradient) > 1 else ""
            sentences.append(f"{self.zero_gradient[0]}{more} had no gradient for any of the samples.")
        return tuple(sentences)

    @property
    def shape(self) -> torch.Size:
        """Shape of the matrix."""
        return self.matrix.shape

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        values = self.matrix.detach().cpu().numpy()
        return np.array(values, dtype=dtype, copy=copy)

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Apply a torch function to the matrix."""
        arguments = [a.matrix if isinstance(a, EmpiricalKernel) else a for a in args]
        named = {k: a.matrix if isinstance(a, EmpiricalKernel) else a for k, a in (kwargs or {}).items()}
        return function(*arguments, **named)


def empirical_ntk(
    network: nn.Module,
    x1: Tensor,
    x2: Tensor | None = None,
    *,
    outputs: OutputLayout | str = OutputLayout.SUM,
    memory: float = 2.0,
) -> EmpiricalKernel:
    """Compute the kernel K[n, m] = sum_p df(x1_n)/dtheta_p df(x2_m)/dtheta_p of any network.

    Parameters of linear, convolution, embedding and normalisation layers are computed by layer: a linear layer with
    input h and output gradient g contributes (h h^T + 1) * (g g^T), from one forward and one backward pass per
    output. All others use explicit gradients. The layer rules are selected on three samples and then checked for all
    samples against plain backward passes, so shared parameters, in-place operations, parameters used outside their
    layer and layers applied to only some of the samples are handled correctly. The network is used in eval mode and
    its state is restored: parameters, gradients, buffers, modes, random generators.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...); each sample's output must depend only on that
            sample. Only parameters that require gradients count.
        x1: (N, ...) samples, on the network's device.
        x2: (M, ...) samples of the columns, or None for x1.
        outputs: Layout of several outputs: "sum", (N, M) summed over the outputs; "per_output", (C, N, M), one kernel
            per output; "blocks", (N C, M C), the complete kernel, row n C + c for output c of sample n.
        memory: Budget in GiB for the kernel and all intermediate results; it determines how many samples pass through
            the network at once. Gradients that do not fit are recomputed for every pair of chunks.

    Returns:
        The kernel, in the outputs' precision, on their device.

    Raises:
        InputError: If there are no samples, the network does not accept them, they differ in shape or device, no
        parameter
            is trained, the network's output has no row per sample or is random, or the budget is too small for the
            result.
        RunError: If the kernel is not finite.

    Source: Jacot, Gabriel, Hongler 2018 (arXiv 1806.07572), section 4.

    Example:
        >>> import torch
        >>> from overtone.theory import ntk
        >>> network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
        >>> ntk.empirical_ntk(network, torch.ones(4, 2), outputs="blocks").shape
        torch.Size([12, 12])
    """
    layout = parse_enum(OutputLayout, outputs, "outputs")
    _check(network, x1, x2)
    x1, x2 = detached_samples(x1), None if x2 is None else detached_samples(x2)
    columns = 0 if x2 is None else len(x2)
    with evaluation_mode_with_gradients(network, x1.device):
        probe = probe_samples(x1)
        y = trial_outputs(network, probe)
        itemsize = max(4, y.element_size())
        size = kernel_bytes(len(x1), columns or len(x1), y.shape[1], layout, itemsize)
        available = memory * GIB - size
        if available <= 0:
            raise InputError(
                f"a budget above the {size / GIB:.3g} GiB of the kernel itself",
                f"{memory:g} GiB",
                "increase the budget, pass fewer samples, or use `choose_representation`, which need not form it",
                "memory",
            )
        gradients = VerifiedGradients(network, x1, int(available) // (8 * itemsize))

        def attempt() -> tuple[Tensor, int]:
            # A retry may have selected other sources, whose gradients need other amounts of memory.
            one = measure_memory(gradients.sources, probe[:1])
            plan = plan_chunks(one, len(x1), columns, layout, available * 4 / itemsize)
            return assemble_kernel(gradients, x1, x2, y.shape[1], layout, plan).to(y.dtype), plan.chunk

        matrix, chunk = gradients.retry_until_verified(attempt)
        sources = gradients.sources
        sizes = {name: p.numel() for name, p in network.named_parameters()}
        fallback, unsupported_use = _fallback(network, sources)
        zero_gradient = tuple(
            name for source in sources if isinstance(source, ZeroSource) for name in source.parameters
        )
    # The sum is finite for nearly all finite kernels, and needs no second matrix of booleans.
    if not bool(torch.isfinite(matrix.sum())) and not bool(torch.isfinite(matrix).all()):
        raise RunError(
            "a finite kernel",
            "NaN or infinite entries",
            "check the samples and the network's parameters",
            "network",
        )
    return EmpiricalKernel(
        matrix, layout, _methods(sources, sizes), chunk, fallback, unsupported_use, zero_gradient
    )


def _methods(sources: Sequence[GradientSource], sizes: Mapping[str, int]) -> dict[JacobianMethod, int]:
    """Return the number of parameters by method."""
    methods: dict[JacobianMethod, int] = {}
    for source in sources:
        methods[source.method] = methods.get(source.method, 0) + sum(
            sizes[name] for name in source.parameters
        )
    return methods


def _fallback(
    network: nn.Module, sources: Sequence[GradientSource]
) -> tuple[dict[str, tuple[str, JacobianMethod]], frozenset[str]]:
    """Return the layers that were not computed by their rule, and those among them with a rule."""
    fallback, unsupported_use, modules = {}, set(), dict(network.named_modules())
    for source in sources:
        for name in source.parameters if source.method is not JacobianMethod.LAYERS else ():
            owner = name.rpartition(".")[0]
            layer = modules[owner]
            fallback[owner or "network"] = (type(layer).__name__, source.method)
            if rule_for(layer) is not None:
                unsupported_use.add(owner or "network")
    return fallback, frozenset(unsupported_use)


def _check(network: nn.Module, x1: Tensor, x2: Tensor | None) -> None:
    check_samples(network, x1=x1, x2=x2)
    if x2 is not None and x2.shape[1:] != x1.shape[1:]:
        raise InputError(
            f"samples of shape {tuple(x1.shape[1:])} as in x1",
            f"{tuple(x2.shape[1:])}",
            "reshape both to one shape",
            "x2",
        )
