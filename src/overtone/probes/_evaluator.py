"""Evaluation of a network at many samples, in chunks within a memory budget."""

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

TensorTypes = frozenset[torch.dtype]

MAX_CHUNK = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Chunk sizes above which evaluation gets no faster: on a CPU the activations should fit in the caches."""

_TRIAL_SIZE = 16
"""Number of samples in the test of whether a network evaluates each sample independently."""

MIN_CHUNK = 256
"""Smallest chunk before the layers' outputs are measured; later chunks may be smaller."""


def chunk_size(network: nn.Module, memory: float) -> int:
    """Return the number of samples to evaluate at once, from the shapes of the parameters alone.

    The activations of a chunk are assumed to be four times the widest layer's output in float32, which covers an
    input, an output and the two temporaries of an activation.

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
    """Evaluate `network` at samples of a geometry, without restoring its state: call it inside `evaluation_mode`.

    Args:
        network: Maps coordinates (M, d) to values (M, C). A `Field` receives float64 coordinates, other networks the
            precision of their parameters.
        grid: The geometry of the samples.
        index: (M,) flat indices, or None for all samples in order.
        chunk: Samples per evaluation.
        forward: Function of the coordinates that is called instead of the network, if they need preprocessing.

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

    A network compiled with `torch.compile` is evaluated eagerly, so that other shapes or modes do not recompile it.
    A `DistributedDataParallel` wrapper is bypassed, so that no process waits for another.

    Args:
        network: The network. A `Field` receives float64 coordinates. Any other network receives its inputs unchanged
            if it accepts them; otherwise, and for coordinates of a grid, in the precision of its floating-point
            parameters, see `candidate_dtypes`; always on the current device of its parameters.
        forward: Called with the inputs instead of the network, or with the network and the inputs if it takes two
            arguments: the network itself, without its wrappers.
        outputs: Function from the network's return value to the one (M, ..., C) tensor to compare.
        memory: Budget for activations, in GiB. A chunk that runs out of memory nevertheless is reduced to a quarter.
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
                "for networks of other libraries pass predictions to an Observer",
                "network",
            )
        self.network = unwrapped_network(network)
        check_initialised(self.network)
        self._enclosed = tuple(enclosed_modules(forward, outputs))
        self._prepared = forward is not None
        self._accepted_dtypes: dict[tuple[Inputs, TensorTypes], InputDtype] = {}
        self._call = output_function(self.network, forward, outputs)
        self._memory = memory
        self._output_forms: dict[Inputs, tuple[tuple[int, ...], torch.dtype]] = {}
        self._chunk = chunk_size(self.network, memory)
        self._steady = True
        self._whole, self._coupled = False, False

    @property
    def whole(self) -> bool:
        """Whether all samples are evaluated at once, because the network does not evaluate each independently."""
        return self._whole

    @property
    def coupled(self) -> bool:
        """Whether outputs at a sample were observed to depend on the other samples of the batch."""
        return self._coupled

    def trial(self, samples: Inputs) -> tuple[Tensor, bool]:
        """Return outputs at the first two samples, and whether a second evaluation agrees, see `outputs_agree`.

        A network that refuses two samples, or whose outputs at some of a dozen samples depend on the others, is
        evaluated at all samples at once afterwards, see `Inputs.whole`.

        Raises:
            InputError: If the network cannot be called on the samples, or all samples at once exceed the memory.
        """
        if self._whole:
            return self._trial(samples)
        try:
            outputs = self._trial(samples)
        except InputError:
            joint = self._joint_trial(samples) if self._fits_at_once(samples) else None
            if joint is None:
                raise
            return joint
        if outputs[1] and not self._is_independent(samples, outputs[0]):
            self._evaluate_jointly(samples)
            return self._trial(samples)
        return outputs

    def _trial(self, samples: Inputs) -> tuple[Tensor, bool]:
        count = min(2, samples.count)
        self._accepted_dtypes.pop((samples, _tensor_types(self.network)), None)
        # One evaluation before and one after a restore: a difference shows state that the snapshot does not cover.
        with explained_call_errors(), self._evaluation_mode():
            before = self._evaluated(samples, 0, count, count)
        with self._evaluation_mode(), largest_output(self.network) as largest, explained_call_errors():
            first, second = (self._evaluated(samples, 0, count, count) for _ in range(2))
        if not outputs_agree(self.network, before, first):
            raise InputError(
                "a network whose state can be restored after an evaluation",
                "outputs that differ afterwards: the network holds hidden state, such as an iterator or a file, "
                "or draws random numbers without a seed",
                "store changing state in attributes, and draw from a seeded generator",
                "network",
            )
        self._output_forms[samples] = (tuple(first.shape[1:]), first.dtype)
        evaluated = samples.whole[0].count if self._whole else count
        self._activation_size = largest[0] / evaluated
        # 16 bytes: four float32 copies of the largest activation, as in `chunk_size`.
        fits = self._memory * 2**30 / (16 * max(self._activation_size, 1))
        self._chunk = min(self._chunk, max(1, int(fits)))
        steady = outputs_agree(self.network, first, second)
        self._steady &= steady
        return first, steady

    def _joint_trial(self, samples: Inputs) -> tuple[Tensor, bool] | None:
        """Return the trial of a network that accepts only all samples at once; None if it refuses these too."""
        self._whole = True
        with contextlib.suppress(InputError):
            return self._trial(samples)
        self._whole = False
        return None

    def _is_independent(self, samples: Inputs, first: Tensor) -> bool:
        """Return whether outputs at the first and last two of a dozen samples are the same without the others."""
        # A dozen neighbours reveal batch statistics and attention at little cost.
        count = min(_TRIAL_SIZE, samples.count, self._chunk)
        if count <= len(first):
            return True
        with self._evaluation_mode(), explained_call_errors():
            joint = self._evaluated(samples, 0, count, count)
            last = self._evaluated(samples, count - len(first), count, count)
        pairs = ((joint[: len(first)], first), (joint[count - len(first) :], last))
        return all(outputs_agree(self.network, *pair, joint) for pair in pairs)

    def _evaluate_jointly(self, samples: Inputs) -> None:
        """Evaluate all samples at once in later calls."""
        if not self._fits_at_once(samples):
            total = samples.whole[0].count
            raise InputError(
                "a network that evaluates each sample independently, or all samples at once within the memory",
                f"outputs that depend on other samples, and {total} samples that exceed {self._memory:g} GiB",
                "increase memory=, pass as inputs only the samples of one batch, or pass forward=",
                "network",
            )
        self._whole = self._coupled = True

    def _fits_at_once(self, samples: Inputs) -> bool:
        """Return whether all samples at once fit in the memory, by the known sizes of activations."""
        all_samples = samples.whole[0]
        return (
            all_samples.count * max(16 * self._activation_size, all_samples.bytes_each)
            <= self._memory * 2**30
        )

    def precision(self, samples: Inputs) -> InputDtype:
        """Return the precision of these inputs: the first of `candidate_dtypes` that the network accepts.

        Raises:
            Exception: The error at one of these precisions, if the network accepts none.
        """
        key = (samples, _tensor_types(self.network))
        if key not in self._accepted_dtypes:
            self._accepted_dtypes[key] = self._first_accepted(samples)
        return self._accepted_dtypes[key]

    def crowding(self, samples: Inputs) -> RoundingCollisions | None:
        """Return the collisions of the inputs in the precision used for the network."""
        return samples.crowding(self.precision(samples))

    def _first_accepted(self, samples: Inputs) -> InputDtype:
        tried = candidate_dtypes(self.network, samples, self._prepared)
        all_samples = samples.whole[0] if self._whole else samples
        count = all_samples.count if self._whole else min(2, all_samples.count)
        refused: list[Exception] = []
        for dtype in tried:
            try:
                with self._evaluation_mode(), no_new_parameters(self.network):
                    _in_chunks(self.network, all_samples, 0, count, count, self._call, dtype)
            except OvertoneError:
                raise
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                refused.append(error)
            else:
                return dtype
        # A type error results from trying a precision; it is not the cause that a user can act on.
        raise next((error for error in refused if "type" not in str(error)), refused[0])

    def _evaluation_mode(self) -> contextlib.AbstractContextManager[None]:
        return evaluation_mode(self.network, self._enclosed, self._memory)

    def form(self, samples: Inputs) -> tuple[tuple[int, ...], torch.dtype]:
        """Return the shape of the outputs at one sample, and their precision."""
        if samples not in self._output_forms:
            self.trial(samples)
        return self._output_forms[samples]

    @property
    def device(self) -> torch.device:
        """Current device of the network."""
        return _device(self.network)

    def __call__(self, samples: Inputs, begin: int = 0, end: int | None = None) -> Tensor:
        """Return outputs (M, ..., C) at samples `begin` to `end`, on the CPU, at least in float32."""
        # The precision is chosen before this snapshot: choosing evaluates the network under snapshots of its own.
        last = samples.count if end is None else end
        self.precision(samples)
        with self._evaluation_mode():
            while True:
                try:
                    outputs = self._evaluated(samples, begin, last, self._chunk)
                    if self._still_independent(samples, begin, last, outputs):
                        return outputs
                    self._evaluate_jointly(samples)
                    return self._evaluated(samples, begin, last, self._chunk)
                except (RuntimeError, MemoryError) as error:
                    if self._whole or self._chunk == 1 or not is_out_of_memory(error):
                        raise
                # A quarter leaves memory for fragmentation; later rows use the smaller chunk too.
                self._chunk = max(1, self._chunk // 4)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()

    def _evaluated(self, samples: Inputs, begin: int, end: int, chunk: int) -> Tensor:
        dtype = self.precision(samples)
        if not self._whole:
            return _in_chunks(self.network, samples, begin, end, chunk, self._call, dtype)
        all_samples, index = samples.whole
        outputs = _in_chunks(
            self.network, all_samples, 0, all_samples.count, all_samples.count, self._call, dtype
        )
        return (outputs if index is None else outputs[index])[begin:end]

    def _still_independent(self, samples: Inputs, begin: int, end: int, outputs: Tensor) -> bool:
        """Return whether the outputs at the last two of some samples are the same alone and in their chunk.

        A network may begin to couple samples during training, such as attention that is initialised to zero.
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
    device = _device(network)
    joined: Tensor | None = None
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
        plain = _plain(output)
        if joined is None:
            # One block for all outputs: small pieces left between the large temporaries of the chunks would keep the
            # allocator from using that memory again, and the peak would grow with the number of chunks.
            joined = plain if last == end else plain.new_empty((end - begin, *plain.shape[1:]))
        if plain.shape[1:] != joined.shape[1:]:
            raise InputError(
                f"outputs of shape {tuple(joined.shape[1:])} at each sample, as in the first chunk",
                f"shape {tuple(plain.shape[1:])}",
                "pass a network whose outputs have one shape",
                "network",
            )
        if joined is not plain:
            joined[first - begin : last - begin] = plain
    assert joined is not None
    return joined


def _plain(output: Tensor) -> Tensor:
    """Convert real outputs to dense numbers on the CPU, at least in float32."""
    if output.is_complex():
        raise InputError(
            "real outputs, because the targets are real",
            f"complex outputs ({output.dtype})",
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


def _tensor_types(network: nn.Module) -> TensorTypes:
    """Return the precisions of all tensors of a network, which change when it is converted."""
    return frozenset(t.dtype for t in itertools.chain(network.parameters(), network.buffers()))
