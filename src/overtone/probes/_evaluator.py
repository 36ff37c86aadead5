"""Evaluation of a network at many samples, in chunks that keep to a memory budget."""

from __future__ import annotations

import contextlib
import itertools
from typing import final

import torch
from torch import Tensor, nn

from overtone._state import evaluation_mode
from overtone._utils.memory_errors import is_out_of_memory
from overtone._utils.tensors import ordinary
from overtone.errors import InputError, OvertoneError
from overtone.nn import Field
from overtone.probes._calling import (
    Forward,
    InputDtype,
    Outputs,
    candidate_dtypes,
    check_initialised,
    enclosed_modules,
    explained_call_errors,
    largest_output,
    no_new_parameters,
    output_function,
    outputs_agree,
    unwrapped_network,
)
from overtone.probes._inputs import CoordinateInputs, Inputs, RoundingCollisions, TensorInputs
from overtone.signals import Geometry

Kinds = frozenset[torch.dtype]

MAX_CHUNK = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Chunk sizes above which evaluation gets no faster: on a CPU the activations should stay in the caches."""

_TRIAL_SIZE = 16
"""Samples of the trial whether a network evaluates each sample independently of the others."""

MIN_CHUNK = 256
"""Smallest chunk before the layers' outputs are measured; afterwards chunks may be smaller."""


def chunk_size(network: nn.Module, memory: float) -> int:
    """Return how many samples to evaluate at once, from the shapes of the parameters alone.

    A chunk's activations are taken to be four times the widest layer's output in float32, which covers an input, an
    output and the two temporaries of an activation.

    Args:
        network: The network.
        memory: Budget in GiB.

    Returns:
        Samples per chunk, between 256 and 8,192 (131,072 on a GPU).
    """
    device = next((p.device.type for p in network.parameters()), "cpu")
    largest = MAX_CHUNK.get(device, MAX_CHUNK["cpu"])
    widest = max(
        (max(parameter.shape) for parameter in network.parameters() if parameter.ndim > 0), default=64
    )
    return int(min(largest, max(MIN_CHUNK, memory * 2**30 / (16 * widest))))


def predict_at(
    network: nn.Module, grid: Geometry, index: Tensor | None, *, chunk: int, forward: Forward | None = None
) -> Tensor:
    """Evaluate `network` at samples of a geometry. Does not guard the network: wrap the call in `evaluation_mode`.

    Args:
        network: Maps coordinates (M, d) to values (M, C). A `Field` gets float64 coordinates, any other network its
            own parameters' precision.
        grid: The geometry of the samples.
        index: (M,) flat indices, or None for all samples in order.
        chunk: Samples per evaluation.
        forward: Called with the coordinates instead of the network, for networks that want them prepared.

    Returns:
        (M, C) predictions on the CPU.

    Raises:
        InputError: If the output is not one (M, C) tensor.
    """
    samples = CoordinateInputs(grid, index)
    dtype = candidate_dtypes(network, samples, forward is not None)[0]
    return _in_chunks(
        network, samples, 0, samples.count, chunk, output_function(network, forward, None), dtype
    )


@final
class Evaluator:
    """Evaluates one network at any inputs and leaves it unchanged.

    A network compiled with `torch.compile` is evaluated eagerly, so that no other shape or mode recompiles it; of one
    wrapped in `DistributedDataParallel` the inner network is, so that no process waits for another.

    Args:
        network: The network. A `Field` gets float64 coordinates. Any other gets inputs as they are if it accepts them
            so, and else, or if they are coordinates of a grid, in the precision of its floating-point parameters, see
            `candidate_dtypes`; on the present device of its parameters.
        forward: Called with the inputs instead of the network, or with the network and the inputs if it takes two
            arguments: the network itself, without its wrappers.
        outputs: Function from the network's return value to the one (M, ..., C) tensor to compare.
        memory: Budget for activations, in GiB. A chunk that exceeds the memory nevertheless is cut to a quarter.
    """

    _activation_size: float = 0.0

    def __init__(
        self,
        network: nn.Module,
        *,
        forward: Forward | None = None,
        outputs: Outputs | None = None,
        memory: float = 1.0,
    ) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(
                "a torch.nn.Module",
                type(network).__name__,
                "for other libraries hand predictions to an Observer",
                "network",
            )
        self.network = unwrapped_network(network)
        check_initialised(self.network)
        self._others = tuple(enclosed_modules(forward, outputs))
        self._prepared = forward is not None
        self._taken: dict[tuple[Inputs, Kinds], InputDtype] = {}
        self._call = output_function(self.network, forward, outputs)
        self._memory = memory
        self._forms: dict[Inputs, tuple[tuple[int, ...], torch.dtype]] = {}
        self._chunk = chunk_size(self.network, memory)
        self._steady = True
        self._whole, self._coupled = False, False

    @property
    def whole(self) -> bool:
        """Whether all samples are evaluated at once, because the network does not evaluate each independently."""
        return self._whole

    @property
    def coupled(self) -> bool:
        """Whether outputs at a sample were observed to depend on the samples beside it."""
        return self._coupled

    def trial(self, samples: Inputs) -> tuple[Tensor, bool]:
        """Return outputs at the first two samples, and whether a second evaluation agrees, see `outputs_agree`.

        A network that refuses two samples, or whose outputs at some of a dozen samples depend on the others, is from
        now on evaluated at all of them at once, see `Inputs.whole`.

        Raises:
            InputError: If the network cannot be called so, or all samples at once exceed the memory.
        """
        if self._whole:
            return self._trial(samples)
        try:
            outputs = self._trial(samples)
        except InputError:
            joint = self._whole_trial(samples) if self._fits_whole(samples) else None
            if joint is None:
                raise
            return joint
        if outputs[1] and not self._is_independent(samples, outputs[0]):
            self._couple(samples)
            return self._trial(samples)
        return outputs

    def _trial(self, samples: Inputs) -> tuple[Tensor, bool]:
        count = min(2, samples.count)
        self._taken.pop((samples, _kinds(self.network)), None)
        # One evaluation before and one after a restore: a difference shows state that the snapshot does not reach.
        with explained_call_errors(), self._evaluation_mode():
            before = self._evaluated(samples, 0, count, count)
        with self._evaluation_mode(), largest_output(self.network) as largest, explained_call_errors():
            first, second = (self._evaluated(samples, 0, count, count) for _ in range(2))
        if not outputs_agree(self.network, before, first):
            raise InputError(
                "a network whose state can be restored after an evaluation",
                "one whose outputs then differ: it holds hidden state, such as an iterator or a file, "
                "or draws without a seed",
                "hold changing state in attributes, and draw from a generator that has a seed",
                "network",
            )
        self._forms[samples] = (tuple(first.shape[1:]), first.dtype)
        evaluated = samples.whole[0].count if self._whole else count
        self._activation_size = largest[0] / evaluated
        # 16 bytes: four float32 copies of the largest activation, as in `chunk_size`.
        fits = self._memory * 2**30 / (16 * max(self._activation_size, 1))
        self._chunk = min(self._chunk, max(1, int(fits)))
        steady = outputs_agree(self.network, first, second)
        self._steady &= steady
        return first, steady

    def _whole_trial(self, samples: Inputs) -> tuple[Tensor, bool] | None:
        """Return the trial of a network that accepts all samples only; None if it does not accept these either."""
        self._whole = True
        with contextlib.suppress(InputError):
            return self._trial(samples)
        self._whole = False
        return None

    def _is_independent(self, samples: Inputs, first: Tensor) -> bool:
        """Whether outputs at the first and the last two of a dozen samples are the same alone and among the others."""
        # A dozen neighbours reveal batch statistics and attention at little cost.
        count = min(_TRIAL_SIZE, samples.count, self._chunk)
        if count <= len(first):
            return True
        with self._evaluation_mode(), explained_call_errors():
            among = self._evaluated(samples, 0, count, count)
            last = self._evaluated(samples, count - len(first), count, count)
        ends = ((among[: len(first)], first), (among[count - len(first) :], last))
        return all(outputs_agree(self.network, *end, among) for end in ends)

    def _couple(self, samples: Inputs) -> None:
        """Evaluate all samples at once from now on."""
        if not self._fits_whole(samples):
            every = samples.whole[0].count
            raise InputError(
                "a network that evaluates each sample independently, or all samples at once within the memory",
                f"outputs that depend on other samples, and {every} samples that exceed {self._memory:g} GiB",
                "pass memory= for all at once, as inputs no more samples than belong together, or forward=",
                "network",
            )
        self._whole = self._coupled = True

    def _fits_whole(self, samples: Inputs) -> bool:
        """Whether all samples at once fit the memory, by the known sizes of activations."""
        every = samples.whole[0]
        return every.count * max(16 * self._activation_size, every.bytes_each) <= self._memory * 2**30

    def precision(self, samples: Inputs) -> InputDtype:
        """Return the precision of these inputs: the first of `candidate_dtypes` that the network accepts.

        Raises:
            Exception: The error of one of them, if it accepts none.
        """
        key = (samples, _kinds(self.network))
        if key not in self._taken:
            self._taken[key] = self._first_taken(samples)
        return self._taken[key]

    def crowding(self, samples: Inputs) -> RoundingCollisions | None:
        """Return the collisions of the inputs in the precision in which the network gets them."""
        return samples.crowding(self.precision(samples))

    def _first_taken(self, samples: Inputs) -> InputDtype:
        tried = candidate_dtypes(self.network, samples, self._prepared)
        every = samples.whole[0] if self._whole else samples
        count = every.count if self._whole else min(2, every.count)
        refused: list[Exception] = []
        for dtype in tried:
            try:
                with self._evaluation_mode(), no_new_parameters(self.network):
                    _in_chunks(self.network, every, 0, count, count, self._call, dtype)
            except OvertoneError:
                raise
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                refused.append(error)
            else:
                return dtype
        # An error about types is the consequence of trying a precision, not the cause that a user can act on.
        raise next((error for error in refused if "type" not in str(error)), refused[0])

    def _evaluation_mode(self) -> contextlib.AbstractContextManager[None]:
        return evaluation_mode(self.network, self._others, self._memory)

    def form(self, samples: Inputs) -> tuple[tuple[int, ...], torch.dtype]:
        """Return the shape of the outputs at one sample, and their precision."""
        if samples not in self._forms:
            self.trial(samples)
        return self._forms[samples]

    @property
    def device(self) -> torch.device:
        """Present device of the network."""
        return _device(self.network)

    def __call__(self, samples: Inputs, begin: int = 0, end: int | None = None) -> Tensor:
        """Return outputs (M, ..., C) at samples `begin` to `end`, on the CPU, in float32 at least."""
        # The precision is settled before the guard: finding it evaluates the network under guards of its own.
        last = samples.count if end is None else end
        self.precision(samples)
        with self._evaluation_mode():
            while True:
                try:
                    outputs = self._evaluated(samples, begin, last, self._chunk)
                    if self._still_independent(samples, begin, last, outputs):
                        return outputs
                    self._couple(samples)
                    return self._evaluated(samples, begin, last, self._chunk)
                except (RuntimeError, MemoryError) as error:
                    if self._whole or self._chunk == 1 or not is_out_of_memory(error):
                        raise
                # A quarter leaves room for fragmentation; the chunk stays that small for all later rows.
                self._chunk = max(1, self._chunk // 4)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()

    def _evaluated(self, samples: Inputs, begin: int, end: int, chunk: int) -> Tensor:
        dtype = self.precision(samples)
        if not self._whole:
            return _in_chunks(self.network, samples, begin, end, chunk, self._call, dtype)
        every, index = samples.whole
        outputs = _in_chunks(self.network, every, 0, every.count, every.count, self._call, dtype)
        return (outputs if index is None else outputs[index])[begin:end]

    def _still_independent(self, samples: Inputs, begin: int, end: int, outputs: Tensor) -> bool:
        """Whether the outputs at the last two of some samples are the same alone and in their chunk.

        A network may begin to mix samples while it learns, as attention does that starts from zero.
        """
        chunk = min(self._chunk, end - begin)
        last_size = len(range(begin, end)) % chunk or chunk
        is_part = end - begin > chunk or end - begin < samples.whole[0].count
        if (
            self._whole
            or not self._steady
            or not is_part
            or last_size <= 2
            or isinstance(self.network, Field)
        ):
            return True
        return outputs_agree(
            self.network, outputs[-2:], self._evaluated(samples, end - 2, end, chunk), outputs
        )


def _in_chunks(
    network: nn.Module,
    samples: Inputs,
    begin: int,
    end: int,
    chunk: int,
    call: Forward,
    dtype: InputDtype,
) -> Tensor:
    device, parts = _device(network), []
    for first in range(begin, end, chunk):
        last = min(first + chunk, end)
        output = samples.evaluate(network, call, samples.slice(first, last, device, dtype))
        if (
            isinstance(samples, TensorInputs)
            and isinstance(output, Tensor)
            and output.shape == (last - first,)
        ):
            output = output[:, None]
        if not isinstance(output, Tensor) or output.ndim < 2 or output.shape[0] != last - first:
            got = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise InputError(
                f"the network to return one tensor of shape ({last - first}, channels)",
                got,
                "pass forward=, a function from coordinates (N, d) to values (N, C), or outputs=, one from the "
                "network's return value to that tensor",
                "network",
            )
        parts.append(_plain(output))
    return torch.cat(parts)


def _plain(output: Tensor) -> Tensor:
    """Convert real outputs to dense numbers on the CPU, in float32 at least."""
    if output.is_complex():
        raise InputError(
            "real outputs, as the targets are",
            f"complex ones ({output.dtype})",
            "pass outputs=, for instance lambda answer: answer.abs(), or torch.cat([answer.real, answer.imag], -1) "
            "for targets that have both parts",
            "network",
        )
    outputs = output.dequantize() if output.is_quantized else output
    outputs = ordinary(outputs if outputs.layout is torch.strided else outputs.to_dense(), "network")
    return outputs.float().cpu() if outputs.dtype.itemsize < 4 else outputs.cpu()


def _device(network: nn.Module) -> torch.device:
    """Return the device of the network's first tensor; the CPU if it has none."""
    first = next(itertools.chain(network.parameters(), network.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def _kinds(network: nn.Module) -> Kinds:
    """Return the precisions of all tensors of a network, which change when it is converted."""
    return frozenset(t.dtype for t in itertools.chain(network.parameters(), network.buffers()))
