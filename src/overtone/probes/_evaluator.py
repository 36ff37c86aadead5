"""Outputs of a network at many samples, in chunks that keep to a memory budget."""

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

LARGEST_CHUNK = {"cpu": 1 << 13, "cuda": 1 << 17}
"""Samples beyond which a larger chunk gains nothing: on a CPU the activations should stay near the caches."""

_COMPANY = 16
"""Samples among which it is tried whether a network answers each by itself."""

SMALLEST_CHUNK = 256
"""Samples of a network without a known layer output; others may get fewer."""


def chunk_size(network: nn.Module, memory: float) -> int:
    """How many samples to evaluate at once, from the shapes of the parameters alone.

    A chunk's activations are taken to be four times the widest layer's output in float32, which covers an input, an
    output and the two temporaries of an activation.

    Args:
        network: The network.
        memory: Budget in GiB.

    Returns:
        Samples per chunk, between 256 and 8,192 (131,072 on a GPU).
    """
    device = next((p.device.type for p in network.parameters()), "cpu")
    largest = LARGEST_CHUNK.get(device, LARGEST_CHUNK["cpu"])
    widest = max(
        (max(parameter.shape) for parameter in network.parameters() if parameter.ndim > 0), default=64
    )
    return int(min(largest, max(SMALLEST_CHUNK, memory * 2**30 / (16 * widest))))


def predict_at(
    network: nn.Module, grid: Geometry, index: Tensor | None, *, chunk: int, forward: Forward | None = None
) -> Tensor:
    """Evaluate `network` at grid samples. Does not guard the network: wrap the call in `untouched`.

    Args:
        network: Maps coordinates (M, d) to values (M, C). A `Field` gets float64 coordinates, any other network its
            own parameters' precision.
        grid: Where the samples lie.
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
    """Evaluates one network, left untouched, on any samples.

    A network compiled with `torch.compile` is evaluated eagerly, so that no other shape or mode recompiles it; of one
    wrapped in `DistributedDataParallel` the inner network is, so that no process waits for another.

    Args:
        network: The network. A `Field` gets float64 coordinates. Any other gets inputs as they were handed over if it
            takes them so, and else, or if they are coordinates of a grid, in the precision of its floating-point
            parameters, see `precisions`; on the device of its parameters, wherever they are at that moment.
        forward: Called with the inputs instead of the network, or with the network and the inputs if it takes two
            arguments: the network itself, without what wraps it.
        outputs: Called with what the network returns; gives the one (M, ..., C) tensor that is meant.
        memory: Budget for activations, in GiB. A chunk that does not fit all the same is cut to a quarter.
    """

    _each: float = 0.0

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
        """Whether all samples are evaluated at once, because the network does not answer each by itself."""
        return self._whole

    @property
    def coupled(self) -> bool:
        """Whether answers at a sample were seen to depend on the samples beside it."""
        return self._coupled

    def trial(self, samples: Inputs) -> tuple[Tensor, bool]:
        """Outputs at the first two samples, and whether a second evaluation gives the same, see `agree`.

        A network that refuses two samples, or answers at some of a dozen samples otherwise than beside them, is from
        now on evaluated at all of them at once, see `Samples.whole`.

        Raises:
            InputError: If the network cannot be called so, or all samples at once do not keep to the memory.
        """
        if self._whole:
            return self._trial(samples)
        try:
            found = self._trial(samples)
        except InputError:
            together = self._whole_trial(samples) if self._suits_whole(samples) else None
            if together is None:
                raise
            return together
        if found[1] and not self._answers_singly(samples, found[0]):
            self._couple(samples)
            return self._trial(samples)
        return found

    def _trial(self, samples: Inputs) -> tuple[Tensor, bool]:
        count = min(2, samples.count)
        self._taken.pop((samples, _kinds(self.network)), None)
        with explained_call_errors(), self._untouched():
            before = self._evaluated(samples, 0, count, count)
        with self._untouched(), largest_output(self.network) as largest, explained_call_errors():
            first, second = (self._evaluated(samples, 0, count, count) for _ in range(2))
        if not outputs_agree(self.network, before, first):
            raise InputError(
                "a network that can be put back as it was after it is asked for its outputs",
                "one that then answers otherwise: it holds something out of sight, such as an iterator or a file, "
                "or draws without a seed",
                "hold what changes in attributes, and draw from a generator that has a seed",
                "network",
            )
        self._forms[samples] = (tuple(first.shape[1:]), first.dtype)
        seen = samples.whole[0].count if self._whole else count
        self._each = largest[0] / seen
        fits = self._memory * 2**30 / (16 * max(self._each, 1))
        self._chunk = min(self._chunk, max(1, int(fits)))
        steady = outputs_agree(self.network, first, second)
        self._steady &= steady
        return first, steady

    def _whole_trial(self, samples: Inputs) -> tuple[Tensor, bool] | None:
        """The trial of a network that takes nothing but all samples; None if it does not take these either."""
        self._whole = True
        with contextlib.suppress(InputError):
            return self._trial(samples)
        self._whole = False
        return None

    def _answers_singly(self, samples: Inputs, first: Tensor) -> bool:
        """Whether the first and the last two of a dozen samples are answered alike alone and among the others."""
        count = min(_COMPANY, samples.count, self._chunk)
        if count <= len(first):
            return True
        with self._untouched(), explained_call_errors():
            among = self._evaluated(samples, 0, count, count)
            last = self._evaluated(samples, count - len(first), count, count)
        ends = ((among[: len(first)], first), (among[count - len(first) :], last))
        return all(outputs_agree(self.network, *end, among) for end in ends)

    def _couple(self, samples: Inputs) -> None:
        """From now on evaluate everything at once."""
        if not self._suits_whole(samples):
            every = samples.whole[0].count
            raise InputError(
                "a network that answers each sample by itself, or all samples at once within the memory",
                f"answers that depend on the samples beside them, and {every} samples beyond {self._memory:g} GiB",
                "pass memory= for all at once, as inputs no more samples than belong together, or forward=",
                "network",
            )
        self._whole = self._coupled = True

    def _suits_whole(self, samples: Inputs) -> bool:
        """Whether all samples at once keep to the memory, as far as is known of the activations."""
        every = samples.whole[0]
        return every.count * max(16 * self._each, every.bytes_each) <= self._memory * 2**30

    def precision(self, samples: Inputs) -> InputDtype:
        """In which precision the network gets these samples: the first of `precisions` that it takes.

        Raises:
            Exception: What it says to one of them, if it takes none.
        """
        key = (samples, _kinds(self.network))
        if key not in self._taken:
            self._taken[key] = self._first_taken(samples)
        return self._taken[key]

    def crowding(self, samples: Inputs) -> RoundingCollisions | None:
        """How the inputs fall together in the precision in which the network gets them."""
        return samples.crowding(self.precision(samples))

    def _first_taken(self, samples: Inputs) -> InputDtype:
        tried = candidate_dtypes(self.network, samples, self._prepared)
        every = samples.whole[0] if self._whole else samples
        count = every.count if self._whole else min(2, every.count)
        refused: list[Exception] = []
        for dtype in tried:
            try:
                with self._untouched(), no_new_parameters(self.network):
                    _in_chunks(self.network, every, 0, count, count, self._call, dtype)
            except OvertoneError:
                raise
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                refused.append(error)
            else:
                return dtype
        raise next((error for error in refused if "type" not in str(error)), refused[0])

    def _untouched(self) -> contextlib.AbstractContextManager[None]:
        return evaluation_mode(self.network, self._others, self._memory)

    def form(self, samples: Inputs) -> tuple[tuple[int, ...], torch.dtype]:
        """Shape of the outputs at one sample, and their precision."""
        if samples not in self._forms:
            self.trial(samples)
        return self._forms[samples]

    @property
    def device(self) -> torch.device:
        """Where the network is now."""
        return _device(self.network)

    def __call__(self, samples: Inputs, begin: int = 0, end: int | None = None) -> Tensor:
        """Outputs (M, ..., C) at samples `begin` to `end`, on the CPU, in float32 at least."""
        last = samples.count if end is None else end
        self.precision(samples)
        with self._untouched():
            while True:
                try:
                    found = self._evaluated(samples, begin, last, self._chunk)
                    if self._still_singly(samples, begin, last, found):
                        return found
                    self._couple(samples)
                    return self._evaluated(samples, begin, last, self._chunk)
                except (RuntimeError, MemoryError) as error:
                    if self._whole or self._chunk == 1 or not is_out_of_memory(error):
                        raise
                self._chunk = max(1, self._chunk // 4)
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()

    def _evaluated(self, samples: Inputs, begin: int, end: int, chunk: int) -> Tensor:
        dtype = self.precision(samples)
        if not self._whole:
            return _in_chunks(self.network, samples, begin, end, chunk, self._call, dtype)
        every, index = samples.whole
        found = _in_chunks(self.network, every, 0, every.count, every.count, self._call, dtype)
        return (found if index is None else found[index])[begin:end]

    def _still_singly(self, samples: Inputs, begin: int, end: int, found: Tensor) -> bool:
        """Whether the last two of samples that are a part of more are answered alike alone and in their chunk.

        A network may begin to look beside while it learns, as attention does that starts from zero.
        """
        chunk = min(self._chunk, end - begin)
        alone = len(range(begin, end)) % chunk or chunk
        part = end - begin > chunk or end - begin < samples.whole[0].count
        if self._whole or not self._steady or not part or alone <= 2 or isinstance(self.network, Field):
            return True
        return outputs_agree(self.network, found[-2:], self._evaluated(samples, end - 2, end, chunk), found)


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
        output = samples.answer(network, call, samples.take(first, last, device, dtype))
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
                "pass forward=, a function from coordinates (N, d) to values (N, C), or outputs=, one from what "
                "the network returns to that tensor",
                "network",
            )
        parts.append(_plain(output))
    return torch.cat(parts)


def _plain(output: Tensor) -> Tensor:
    """Real outputs as ordinary numbers on the CPU, in float32 at least."""
    if output.is_complex():
        raise InputError(
            "real outputs, as the targets are",
            f"complex ones ({output.dtype})",
            "pass outputs=, for instance lambda answer: answer.abs(), or torch.cat([answer.real, answer.imag], -1) "
            "for targets that have both parts",
            "network",
        )
    found = output.dequantize() if output.is_quantized else output
    found = ordinary(found if found.layout is torch.strided else found.to_dense(), "network")
    return found.float().cpu() if found.dtype.itemsize < 4 else found.cpu()


def _device(network: nn.Module) -> torch.device:
    """Where the network's first tensor is; the CPU if it has none."""
    first = next(itertools.chain(network.parameters(), network.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def _kinds(network: nn.Module) -> Kinds:
    """The precisions of all tensors of a network, which change when it is moved to another."""
    return frozenset(t.dtype for t in itertools.chain(network.parameters(), network.buffers()))
