"""Networks of many kinds, each of which keeps something, or draws something, that a careless look would change.

A kind is made by `KINDS[name]()`. Those in `STEADY` alone come through a careless look unchanged.
"""

import array
import collections
import contextvars
import copy
import dataclasses
import functools
import io
import random
import re
import threading
import types
import weakref

import numpy as np
import torch
from scipy.stats import qmc
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune

KINDS, STEADY = {}, set()


def kind(made, *, steady=False):
    """Register a function that makes a network under its own name."""
    name = re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", made.__name__).lower()
    KINDS[name] = made
    if steady:
        STEADY.add(name)
    return made


steady_kind = functools.partial(kind, steady=True)


def body(*between, width=12, out=1):
    return nn.Sequential(nn.Linear(6, width), *(between or (nn.Tanh(),)), nn.Linear(width, out))


class Kept(nn.Module):
    """A body whose outputs are scaled by a number that `factor` finds, and that changes with every call."""

    def __init__(self):
        super().__init__()
        self.body = body()
        self.begin()

    def begin(self):
        """What is kept from the beginning."""

    def forward(self, x):
        y = self.body(x)
        return y * (1 + self.factor(y) / 8)


def some(y):
    """A number that depends on the outputs."""
    return float(y.detach().double().mean())


@steady_kind
def plain_layers():
    return body()


@steady_kind
def layer_norm_and_attention():
    layer = nn.TransformerEncoderLayer(12, 2, 16, 0.0, batch_first=True)
    return nn.Sequential(
        nn.Linear(6, 12),
        nn.Unflatten(1, (1, 12)),
        nn.TransformerEncoder(layer, 1),
        nn.Flatten(),
        nn.Linear(12, 1),
    )


@steady_kind
def convolutions():
    return nn.Sequential(
        nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(18, 1)
    )


@kind
def batch_norm():
    return body(nn.BatchNorm1d(12), nn.ReLU())


@kind
def batch_norm_of_all_batches():
    return body(nn.BatchNorm1d(12, momentum=None))


@kind
def batch_norm_beside_one_in_eval_mode():
    network = body(nn.BatchNorm1d(12), nn.Tanh(), nn.Linear(12, 12), nn.BatchNorm1d(12))
    network[4].eval()
    return network


@kind
def instance_norm():
    return nn.Sequential(
        nn.Linear(6, 12),
        nn.Unflatten(1, (3, 4)),
        nn.InstanceNorm1d(3, track_running_stats=True),
        nn.Flatten(),
        nn.Linear(12, 1),
    )


@kind
def dropout():
    return body(nn.Dropout(0.3), nn.Tanh())


@kind
def dropout_that_never_rests():
    class Always(nn.Module):
        def forward(self, x):
            return functional.dropout(x, 0.2, training=True)

    return body(Always())


@kind
def spectral_norm_as_a_hook():
    network = body()
    nn.utils.spectral_norm(network[0])
    return network


@kind
def spectral_norm_as_a_parametrization():
    network = body()
    parametrizations.spectral_norm(network[0])
    return network


@steady_kind
def weight_norm_as_a_parametrization():
    network = body()
    parametrizations.weight_norm(network[0])
    return network


@steady_kind
def weight_norm_as_a_hook():
    network = body()
    nn.utils.weight_norm(network[0])
    return network


@steady_kind
def orthogonal_weights():
    network = body()
    parametrizations.orthogonal(network[0])
    return network


@steady_kind
def pruned_weights():
    network = body()
    prune.random_unstructured(network[0], "weight", 0.4)
    return network


@steady_kind
def tied_weights():
    network = body(nn.Tanh(), nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 12))
    network[4].weight = network[2].weight
    return network


class Cells(nn.Module):
    def __init__(self, table):
        super().__init__()
        self.table, self.last = table, nn.Linear(5, 1)

    def forward(self, x):
        cells = (8 * x.sigmoid()).long()
        y = self.table(cells)
        return self.last(y.mean(1) if y.ndim == 3 else y)


@kind
def embedding_with_a_largest_norm():
    return Cells(nn.Embedding(8, 5, max_norm=0.5))


@kind
def bag_with_a_largest_norm():
    return Cells(nn.EmbeddingBag(8, 5, max_norm=0.5))


@steady_kind
def embedding_with_sparse_gradients():
    return Cells(nn.Embedding(8, 5, sparse=True))


@steady_kind
def embedding_scaled_by_counts():
    return Cells(nn.Embedding(8, 5, scale_grad_by_freq=True))


@kind
class BufferAssignedAnew(Kept):
    def begin(self):
        self.register_buffer("mean", torch.zeros(()))

    def factor(self, y):
        self.mean = 0.9 * self.mean + 0.1 * y.detach().mean()
        return self.mean


@kind
class BufferWrittenTo(Kept):
    def begin(self):
        self.register_buffer("mean", torch.zeros(()))

    def factor(self, y):
        self.mean.mul_(0.9).add_(0.1 * y.detach().mean())
        return self.mean.clone()


@kind
class BufferWrittenToThroughData(Kept):
    def begin(self):
        self.register_buffer("mean", torch.zeros(()))

    def factor(self, y):
        self.mean.data.mul_(0.9).add_(0.1 * y.detach().mean())
        return self.mean.clone()


@kind
class BufferThatGrows(Kept):
    def begin(self):
        self.register_buffer("past", torch.zeros(1))

    def factor(self, y):
        self.past = torch.cat([self.past, y.detach().mean()[None]])
        return self.past.mean()


@steady_kind
class BufferMadeByTheFirstCall(Kept):
    def factor(self, y):
        if not hasattr(self, "first"):
            self.register_buffer("first", y.detach().mean(), persistent=False)
        return self.first + len(self._non_persistent_buffers_set)


@kind
class BufferResized(Kept):
    def begin(self):
        self.register_buffer("past", torch.zeros(2))

    def factor(self, y):
        n = len(self.past)
        self.past.resize_(n + 1)[n] = y.detach().mean()
        return self.past.mean()


@kind
class TensorKeptAsAnAttribute(Kept):
    def begin(self):
        self.state = torch.zeros(())

    def factor(self, y):
        self.state = 0.5 * self.state + y.detach().mean()
        return self.state


@kind
class TensorWrittenTo(Kept):
    def begin(self):
        self.state = [torch.zeros(()), {"inner": torch.zeros(3)}]

    def factor(self, y):
        self.state[0].add_(y.detach().mean())
        self.state[1]["inner"][1] += 1
        return self.state[0] + self.state[1]["inner"].mean()


@kind
class SliceOfALargerTensor(Kept):
    def begin(self):
        self.state = torch.zeros(100)[3:9:2]

    def factor(self, y):
        self.state += y.detach().mean()
        return self.state.mean()


@kind
class ArrayOfNumpy(Kept):
    def begin(self):
        self.past = np.zeros(3)

    def factor(self, y):
        self.past[0] += some(y)
        return self.past[0]


@kind
class Counter(Kept):
    def begin(self):
        self.calls = 0

    def factor(self, y):
        self.calls += 1
        return self.calls % 3


@kind
class CounterOfEachClass(Kept):
    calls = 0

    def begin(self):
        type(self).calls = 0

    def factor(self, y):
        type(self).calls += 1
        return self.calls % 3


CALLS = 0


@kind
class CounterThatIsGlobal(Kept):
    def begin(self):
        global CALLS
        CALLS = 0

    def factor(self, y):
        global CALLS
        CALLS += 1
        return CALLS % 3


PAST = []


@kind
class ListThatIsGlobal(Kept):
    def begin(self):
        PAST.clear()

    def factor(self, y):
        remember(y)
        return sum(PAST)


def remember(y):
    PAST.append(some(y))


@kind
def counter_in_a_closure():
    calls = 0

    def count(module, given, answer):
        nonlocal calls
        calls += 1
        return answer * (1 + calls % 3)

    network = body()
    network[1].register_forward_hook(count)
    return network


@kind
class CounterInADefault(Kept):
    def begin(self):
        self.factor.__func__.__defaults__[0].clear()

    def factor(self, y, past=[]):  # noqa: B006
        past.append(1)
        return len(past) % 3


@kind
class CounterInAnArray(Kept):
    def begin(self):
        self.calls, self.bytes = array.array("i", [0]), bytearray(1)

    def factor(self, y):
        self.calls[0] += 1
        self.bytes[0] += 1
        return (self.calls[0] + self.bytes[0]) % 3


@kind
class ListOfThePast(Kept):
    def begin(self):
        self.past = []

    def factor(self, y):
        self.past.append(some(y))
        return sum(self.past)


@kind
class CacheByStep(Kept):
    def begin(self):
        self.cache = collections.OrderedDict()

    def factor(self, y):
        self.cache[len(self.cache)] = some(y)
        if len(self.cache) > 3:
            self.cache.popitem(last=False)
        return sum(self.cache.values())


@kind
class CacheByBatchSize(Kept):
    """What is found without gradients must not be used with them."""

    def begin(self):
        self.cache, self.free = {}, nn.Parameter(torch.ones(()))

    def factor(self, y):
        if len(y) not in self.cache:
            self.cache[len(y)] = self.free * 2
        return self.cache.pop(len(y)) if torch.is_grad_enabled() else self.cache[len(y)]


@kind
class QueueAndSet(Kept):
    def begin(self):
        self.last, self.seen, self.count = collections.deque(maxlen=2), set(), collections.Counter()

    def factor(self, y):
        self.last.append(some(y))
        self.seen.add(round(some(y), 9))
        self.count["calls"] += 1
        return sum(self.last) + len(self.seen) % 3 + self.count["calls"] % 2


@dataclasses.dataclass
class Running:
    mean: float = 0.0
    calls: int = 0


class Slotted:
    __slots__ = ("__calls", "inner")

    def __init__(self):
        self.__calls, self.inner = 0, Running()

    def next(self):
        self.__calls += 1
        return self.__calls


@kind
class DataclassAndSlots(Kept):
    def begin(self):
        self.running, self.slots, self.space = Running(), Slotted(), types.SimpleNamespace(calls=0)

    def factor(self, y):
        self.running.mean = 0.5 * self.running.mean + some(y)
        self.slots.inner.calls += 1
        self.space.calls += 1
        return self.running.mean + (self.slots.next() + self.slots.inner.calls + self.space.calls) % 5


@kind
class PropertyFoundOnce(Kept):
    @functools.cached_property
    def scale(self):
        return self.body[0].weight.mean()

    def factor(self, y):
        found = self.scale
        if torch.is_grad_enabled():
            del self.scale
        return found


@steady_kind
class DistributionWithLazyParts(Kept):
    def begin(self):
        self.free, self.calls = nn.Parameter(torch.ones(2)), 0
        self.remade = torch.distributions.MultivariateNormal(torch.zeros(2), torch.diag(self.free))

    def factor(self, y):
        made = self.remade
        if torch.is_grad_enabled():
            self.remade = torch.distributions.MultivariateNormal(torch.zeros(2), torch.diag(self.free))
        return made.precision_matrix.sum()


@kind
class GeneratorOfTorch(Kept):
    def begin(self):
        self.source = torch.Generator().manual_seed(5)

    def factor(self, y):
        return torch.rand((), generator=self.source)


@kind
class GeneratorOfTorchThatAllShare(Kept):
    def factor(self, y):
        return torch.rand(())


@kind
class GeneratorOfNumpy(Kept):
    def begin(self):
        self.source = np.random.default_rng(5)

    def factor(self, y):
        return self.source.random()


@kind
class GeneratorOfNumpyThatAllShare(Kept):
    def factor(self, y):
        return np.random.rand()


@kind
class GeneratorOfOldNumpy(Kept):
    def begin(self):
        self.source, self.bits = np.random.RandomState(5), np.random.PCG64(3)

    def factor(self, y):
        return self.source.rand() + self.bits.random_raw() / 2**64


SOURCE = np.random.default_rng(0)


@kind
class GeneratorThatIsGlobal(Kept):
    def begin(self):
        SOURCE.bit_generator.state = np.random.default_rng(1).bit_generator.state

    def factor(self, y):
        return SOURCE.random()


@kind
class GeneratorOfPython(Kept):
    def begin(self):
        self.source = random.Random(5)

    def factor(self, y):
        return self.source.random()


@kind
class GeneratorOfPythonThatAllShare(Kept):
    def factor(self, y):
        return random.random()


@kind
class SobolSequence(Kept):
    def begin(self):
        self.source = torch.quasirandom.SobolEngine(1, scramble=True, seed=3)

    def factor(self, y):
        return self.source.draw(1).squeeze()


@kind
class StateOfARecurrentNetwork(Kept):
    def begin(self):
        self.cell, self.hidden = nn.GRUCell(1, 3), None

    def factor(self, y):
        before = torch.zeros(1, 3) if self.hidden is None else self.hidden
        after = self.cell(y.mean()[None, None], before)
        self.hidden = after.detach()
        return after.mean()


@steady_kind
def recurrent_network():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.cells, self.last = nn.LSTM(1, 5, batch_first=True), nn.Linear(5, 1)

        def forward(self, x):
            return self.last(self.cells(x[..., None])[0][:, -1])

    return Last()


class LowRank(nn.Linear):
    """Adds its low-rank part to the weights in eval mode, as libraries of adapters do."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.left = nn.Parameter(torch.randn(sizes[1], 2) / 8)
        self.right = nn.Parameter(torch.randn(2, sizes[0]) / 8)
        self.merged = False

    def train(self, mode=True):
        if self.merged == mode:
            self.weight.data += (-1 if mode else 1) * (self.left @ self.right).detach()
            self.merged = not mode
        return super().train(mode)

    def forward(self, x):
        return super().forward(x) + (0 if self.merged else x @ (self.left @ self.right).mT)


@steady_kind
def adapters_merged_in_eval_mode():
    return nn.Sequential(LowRank(6, 12), nn.Tanh(), nn.Linear(12, 1))


@kind
def batch_norm_frozen_by_train():
    class Frozen(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = body(nn.BatchNorm1d(12), nn.Linear(12, 12), nn.BatchNorm1d(12))
            self.train()

        def train(self, mode=True):
            super().train(mode)
            self.body[1].eval()
            return self

        def forward(self, x):
            return self.body(x)

    return Frozen()


@kind
class WeightsClippedThroughData(Kept):
    def factor(self, y):
        self.body[0].weight.data.mul_(0.99).clamp_(-0.3, 0.3)
        return 0


@kind
class WeightsPutElsewhere(Kept):
    def factor(self, y):
        self.body[2].bias.data = self.body[2].bias.data * 0.9 + 0.01
        return 0


@kind
class WeightsThatStopLearning(Kept):
    def begin(self):
        self.calls = 0

    def factor(self, y):
        self.calls += 1
        self.body[2].bias.requires_grad_(self.calls < 3)
        return 0


@kind
class GradientsAddedInside(Kept):
    def factor(self, y):
        with torch.enable_grad():
            (self.body[2].bias ** 2).sum().backward()
        return 0


@steady_kind
class GradientsTakenInside(Kept):
    def factor(self, y):
        with torch.enable_grad():
            return torch.autograd.grad((self.body[0].weight ** 3).sum(), self.body[0].weight)[0].mean()


@kind
class GradientsDroppedInside(Kept):
    def factor(self, y):
        if not torch.is_grad_enabled():
            self.zero_grad(set_to_none=True)
        return 0


@kind
class ModeChangedInside(Kept):
    def begin(self):
        self.drop = nn.Dropout(0.5)

    def factor(self, y):
        self.drop.train(not self.drop.training)
        return self.drop(torch.ones(4)).mean()


@kind
class HooksThatPileUp(Kept):
    def factor(self, y):
        self.body[1].register_forward_hook(lambda module, given, answer: 1.01 * answer)
        return 0


@kind
class LayersThatPileUp(Kept):
    def factor(self, y):
        self.body.append(nn.Hardtanh(-1 + 0.01 * len(self.body), 1))
        return 0


@kind
class RunningCopyOfItself(Kept):
    def begin(self):
        self.slow = copy.deepcopy(self.body).requires_grad_(False)

    def factor(self, y):
        for slow, fast in zip(self.slow.parameters(), self.body.parameters(), strict=True):
            slow.lerp_(fast.detach(), 0.3)
        return self.slow(torch.ones(1, 6)).mean()


@kind
class CodeBook(Kept):
    def begin(self):
        self.register_buffer("codes", torch.randn(4, 1))
        self.register_buffer("place", torch.zeros(1, dtype=torch.long))

    def factor(self, y):
        self.codes[int(self.place)] = y.detach().mean()
        self.place[0] = (self.place + 1) % 4
        return (self.codes - y.detach().mean()).abs().min()


@kind
def quantised_on_the_way():
    from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver

    return body(FakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255))


@kind
def scripted_with_attributes():
    return torch.jit.script(Scripted())


class Scripted(nn.Module):
    past: list[float]

    def __init__(self):
        super().__init__()
        self.body, self.calls, self.past = body(), 0, []
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, x):
        y = self.body(x)
        self.calls += 1
        self.past.append(float(y.detach().mean()))
        self.mean = self.mean * 0.9 + y.detach().mean()
        return y * (1 + self.calls % 3) + self.mean + len(self.past) % 2


@kind
def scripted_part():
    return nn.Sequential(nn.Linear(6, 6), torch.jit.script(Scripted()))


@kind
def scripted_batch_norm():
    return torch.jit.script(body(nn.BatchNorm1d(12), nn.Dropout(0.2)))


@steady_kind
def traced():
    return torch.jit.trace(body(), torch.zeros(4, 6))


@kind
def compiled():
    return torch.compile(body(nn.BatchNorm1d(12)), backend="eager")


@steady_kind
def exported():
    batch = {0: torch.export.Dim("batch", min=2)}
    return torch.export.export(body(), (torch.zeros(4, 6),), dynamic_shapes=(batch,)).module()


@kind
def wrapped_for_several_devices():
    return nn.DataParallel(body(nn.BatchNorm1d(12)))


@kind
def shared_between_processes():
    return body(nn.BatchNorm1d(12)).share_memory()


@steady_kind
class WeightsThatAreViews(Kept):
    def begin(self):
        self.flat = nn.Parameter(torch.randn(12) / 4)

    def factor(self, y):
        return self.flat[:6].view(2, 3).mean() - self.flat[6:].view(3, 2).mean()


@steady_kind
def double_precision():
    class Double(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = body().double()

        def forward(self, x):
            return self.body(x.double()).float()

    return Double()


@steady_kind
def bfloat16_weights():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = body().bfloat16()

        def forward(self, x):
            return self.body(x.bfloat16()).float()

    return Half()


@steady_kind
class ComplexWeights(Kept):
    def begin(self):
        self.free = nn.Parameter(torch.randn(3, dtype=torch.complex64))

    def factor(self, y):
        return (self.free.exp() * 1j).real.mean()


class Tagged(torch.Tensor):
    """A subclass that changes nothing."""


@steady_kind
class WeightsOfASubclass(Kept):
    def begin(self):
        self.free = nn.Parameter(torch.randn(3).as_subclass(Tagged))

    def factor(self, y):
        return self.free.mean().as_subclass(torch.Tensor)


class Answering(nn.Module):
    """Answers in any form; its own batch norm is touched by a careless look."""

    def __init__(self, form):
        super().__init__()
        self.body, self.form = body(nn.BatchNorm1d(12)), form

    def forward(self, x):
        return self.form(self.body(x))


@kind
def answers_in_a_dict():
    return Answering(lambda y: {"logits": y, "hidden": y * 2})


Named = collections.namedtuple("Named", ["logits"])


@kind
def answers_in_a_named_tuple():
    return Answering(Named)


@dataclasses.dataclass
class Answer:
    logits: torch.Tensor
    loss: None = None


@kind
def answers_in_a_dataclass():
    return Answering(Answer)


class ModelOutput(collections.OrderedDict):
    """As large libraries of models have it: a dict whose entries are attributes too."""

    def __getattr__(self, name):
        return self[name]


@kind
def answers_in_a_dict_of_its_own_kind():
    return Answering(lambda y: ModelOutput(logits=y, past=(y, y)))


@kind
def answers_in_a_tuple_of_one():
    return Answering(lambda y: (y,))


@steady_kind
class PartsComputedTwice(Kept):
    def factor(self, y):
        return torch.utils.checkpoint.checkpoint(self.body, torch.ones(2, 6), use_reentrant=False).mean()


@steady_kind
class WeightsInHalfOnTheWay(Kept):
    """Outer and inner autocast: weights that are cast without gradients must not be used with them."""

    autocast = True

    def factor(self, y):
        with torch.autocast("cpu", torch.bfloat16):
            return self.body(torch.ones(2, 6)).mean()


@steady_kind
def weights_found_once_a_step():
    network = body()
    parametrizations.weight_norm(network[0])
    network.cached = True
    return network


@steady_kind
class GradModeChangedInside(Kept):
    def factor(self, y):
        before = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        found = (self.body[2].bias * 2).sum()
        torch.set_grad_enabled(before)
        return found


@functools.lru_cache
def drawn_for(rows):
    return torch.rand(())


@kind
class NumberDrawnOnce(Kept):
    def begin(self):
        drawn_for.cache_clear()

    def factor(self, y):
        found = drawn_for(len(y))
        return found + (0 if torch.is_grad_enabled() else drawn_for(-len(y)))


class Listed(list):
    """A list with attributes."""


@kind
class ContainersOfOtherKinds(Kept):
    def begin(self):
        self.weak, self.own, self.local = weakref.WeakKeyDictionary(), Listed([0]), threading.local()
        self.weak[self.body], self.own.calls, self.local.calls = 0, 0, 0
        self.user = collections.UserDict(calls=0)

    def factor(self, y):
        self.weak[self.body] += 1
        self.own[0] += 1
        self.own.calls += 1
        self.local.calls += 1
        self.user["calls"] += 1
        found = self.weak[self.body] + self.own[0] + self.own.calls
        return (found + self.local.calls + self.user["calls"]) % 7


@kind
class FileInMemory(Kept):
    def begin(self):
        self.file = io.BytesIO(bytes(range(200)))

    def factor(self, y):
        return self.file.read(1)[0] % 3


CALLED = contextvars.ContextVar("CALLED", default=0)


@kind
class VariableOfContext(Kept):
    def begin(self):
        CALLED.set(0)

    def factor(self, y):
        CALLED.set(CALLED.get() + 1)
        return CALLED.get() % 3


@kind
class SequenceOfScipy(Kept):
    def begin(self):
        self.source = qmc.Halton(1, rng=np.random.default_rng(3))

    def factor(self, y):
        return float(self.source.random(1)[0, 0])


@kind
def traced_by_fx():
    return torch.fx.symbolic_trace(body(nn.BatchNorm1d(12)))


def around(network):
    """What training runs inside of: the cache of parametrizations, or autocast, where a kind has to do with it."""
    if getattr(network, "cached", False):
        return parametrize.cached()
    return torch.autocast("cpu", torch.bfloat16, enabled=getattr(network, "autocast", False))


def answer(given):
    """The tensor in an answer of any form."""
    if isinstance(given, torch.Tensor):
        return given
    if isinstance(given, dict):
        return given["logits"]
    return getattr(given, "logits", None) if hasattr(given, "logits") else given[0]
