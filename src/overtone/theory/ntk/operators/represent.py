"""The kernel of a network in the form that a memory budget allows."""

from __future__ import annotations

import contextlib
import enum
import math
from dataclasses import dataclass

from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory.ntk.empirical.blocks import GIB
from overtone.theory.ntk.empirical.kernel import finite
from overtone.theory.ntk.empirical.outputs import Outputs
from overtone.theory.ntk.operators.factored import PASS, Factored, Factors, TooLargeError
from overtone.theory.ntk.operators.implicit import Implicit
from overtone.theory.ntk.operators.operator import Matrix, Operator
from overtone.theory.ntk.operators.sketch import Sketch


class Form(enum.Enum):
    """What a kernel is kept as, from the fastest in use to the smallest.

    Attributes:
        DENSE: The matrix, exact; (N C)^2 numbers.
        FACTORED: The factors of the gradients, exact; a few hundred to a few thousand numbers a sample.
        SKETCHED: Random projections of the gradients, with an error.
        IMPLICIT: Nothing; every product differentiates the network anew, exact.
    """

    DENSE = enum.auto()
    FACTORED = enum.auto()
    SKETCHED = enum.auto()
    IMPLICIT = enum.auto()


@dataclass(frozen=True)
class Representation:
    """A kernel as an operator.

    Attributes:
        operator: The complete kernel; row n C + c belongs to output c of sample n.
        form: What it is kept as.
        error: Expected relative Frobenius error, 0 for the exact forms.
        reason: Why this form, in a sentence.
    """

    operator: Operator
    form: Form
    error: float
    reason: str


def represent(
    network: nn.Module, x: Tensor, *, memory: float = 2.0, tolerance: float = 0.0, seed: int = 0
) -> Representation:
    """The complete kernel of a network as an operator within a memory budget.

    The first of these that fits: the matrix; the gradients' factors; random projections, if an error is allowed and
    as many of them fit as it asks for; nothing but the network.

    Args:
        network: Any module that maps (N, ...) to (N,) or (N, ...); it must not change while in use.
        x: (N, ...) samples, on the network's device.
        memory: Budget in GiB.
        tolerance: Largest expected Frobenius error relative to the kernel's norm; 0 for exact forms only.
        seed: Seeds random projections.

    Returns:
        The operator, what it is, and the error that it costs.

    Raises:
        InputError: If the tolerance is negative, or as `finite` does.
    """
    if not tolerance >= 0:
        raise InputError("a tolerance of at least 0", f"{tolerance}", "pass 0 for exact forms", "tolerance")
    factors = Factors(network, x)
    rows = len(x) * factors.channels
    itemsize = 4 * factors.scale
    room = memory * GIB
    dense = 2 * rows**2 * itemsize
    if dense + 2 * factors.appetite.work * factors.scale <= room:
        matrix = finite(network, x, outputs=Outputs.BLOCKS, memory=memory).matrix
        return Representation(
            Matrix(matrix), Form.DENSE, 0.0, f"the matrix takes {rows**2 * itemsize / GIB:.3g} GiB"
        )
    if factors.held + PASS <= room:
        reason = f"the matrix would take {rows**2 * itemsize / GIB:.3g} GiB, the factors take {factors.held / GIB:.3g}"
        # Samples that were not looked at before may rule out the layers' own factors, and longer ones not fit.
        with contextlib.suppress(TooLargeError):
            return Representation(Factored(network, x, memory=memory), Form.FACTORED, 0.0, reason)
    neither = f"neither the matrix ({rows**2 * itemsize / GIB:.3g} GiB) nor its factors ({factors.held / GIB:.3g}) fit"
    if tolerance and (sketch := _sketch(network, x, rows * itemsize, room, tolerance, seed)) is not None:
        return Representation(
            sketch, Form.SKETCHED, sketch.error, f"{neither}, {sketch.factor.shape[1]} projections do"
        )
    chunk = max(1, min(1024, int(room / 4) // (factors.appetite.work * factors.scale)))
    return Representation(Implicit(network, x, chunk=chunk), Form.IMPLICIT, 0.0, neither)


PILOT = 16
"""Projections from which the number that a tolerance takes is estimated."""


def _sketch(
    network: nn.Module, x: Tensor, column: int, room: float, tolerance: float, seed: int
) -> Sketch | None:
    """The smallest sketch expected to keep the tolerance, or None if it does not fit or does not keep it."""
    pilot = Sketch(network, x, probes=PILOT, seed=seed)
    probes = math.ceil(1.1 * PILOT * (pilot.error / tolerance) ** 2)
    if 3 * probes * column > room:
        return None
    sketch = Sketch(network, x, probes=max(2, probes), seed=seed)
    return sketch if sketch.error <= tolerance else None
