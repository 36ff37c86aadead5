"""Networks that do not answer each sample by itself: graphs, sets, neighbours, batch statistics, recurrences."""

import importlib
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from overtone import signals
from overtone.errors import InputError
from overtone.probes import EveryN, Probe, ProbeWarning, views
from overtone.probes._evaluator import Evaluator
from overtone.probes._inputs import TensorInputs
from overtone.probes._probe import ALL_AT_ONCE
from tests.probes import standins

N = 60


def data(samples=N):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(samples, 6, generator=generator)
    return x, x[:, :1].sin()


class Graph(nn.Module):
    """One round of messages along fixed edges between N nodes: takes no other number of them."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        edges = (torch.rand(N, N, generator=generator) < 0.1).float() + torch.eye(N)
        self.register_buffer("edges", edges / edges.sum(1, keepdim=True))
        self.inner, self.last = nn.Linear(6, 8), nn.Linear(8, 1)

    def forward(self, x):
        return self.last(self.edges @ torch.relu(self.inner(x)))


class Cut(Graph):
    """The same, which cuts its edges to the nodes that it is given, without a word."""

    def forward(self, x):
        return self.last(self.edges[: len(x), : len(x)] @ torch.relu(self.inner(x)))


class Listed(nn.Module):
    """Indexes its nodes by a list of edges."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.register_buffer("edges", torch.randint(N, (2, 4 * N), generator=generator))
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        source, target = self.edges
        return self.last(x + torch.zeros_like(x).index_add(0, target, x[source]))


class Attending(nn.Module):
    """Samples that look at one another."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        return self.last(x + self.attention(x[None], x[None], x[None])[0][0])


class Centred(nn.Module):
    """Takes the mean of the batch off, as a set network over the data does."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        return self.last(x - x.mean(0))


class Nearest(nn.Module):
    """Averages over each sample's eight nearest, and needs as many."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        near = torch.cdist(x, x).topk(8, largest=False).indices
        return self.last(x[near].mean(1))


class InOrder(nn.Module):
    """A recurrence that takes samples for moments."""

    def __init__(self):
        super().__init__()
        self.body, self.last = nn.GRU(6, 8), nn.Linear(8, 1)

    def forward(self, x):
        return self.last(self.body(x[:, None])[0][:, 0])


class Places(nn.Module):
    """Adds a number of its own to each row of the batch."""

    def __init__(self):
        super().__init__()
        self.offsets = nn.Parameter(torch.randn(N, 1, generator=torch.Generator().manual_seed(3)))
        self.last = nn.Linear(6, 1)

    def forward(self, x):
        return self.last(x) + self.offsets[: len(x)]


def statistics():
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 1))


COUPLED = {
    "graph": (Graph, False),
    "graph that cuts its edges": (Cut, True),
    "list of edges": (Listed, False),
    "attention": (Attending, True),
    "set": (Centred, True),
    "neighbours": (Nearest, False),
    "recurrence": (InOrder, True),
    "places": (Places, True),
    "batch statistics": (statistics, True),
}


@pytest.mark.parametrize(("make", "told"), COUPLED.values(), ids=COUPLED)
@pytest.mark.parametrize("watched", ["all", "some"])
@pytest.mark.parametrize("memory", [1.0, 1e-4])
def test_networks_that_need_the_whole_batch_are_watched_whole(make, told, watched, memory, tmp_path):
    """The mean square error is that of the network at all samples; slow twin: a plain call."""
    x, y = data()
    torch.manual_seed(0)
    network = make()
    few = None if watched == "all" else 25
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", ProbeWarning)
        probe = Probe.of(x, y, network, tmp_path, samples=few, memory=memory)
    with probe:
        probe(0)
    with torch.no_grad():
        index = torch.searchsorted(x[:, 0].sort().values, probe.views[0].inputs.tensors[:, 0].contiguous())
        index = x[:, 0].argsort()[index]
        expected = (network.eval()(x) - y).square()[index].mean()
    assert float(probe.record.train_error[0]) == pytest.approx(float(expected), rel=1e-4)
    assert probe.record.attrs["evaluated"] == ALL_AT_ONCE
    assert [("depends on the other samples" in str(w.message)) for w in said] == [True] * told
    assert probe.faults == []


ALONE = {
    "plain": lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1)),
    "batch norm": lambda: nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)),
    "layer norm": lambda: nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 1)),
    "dropout": lambda: nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 1)),
    "half": lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1)).bfloat16(),
    "deep": lambda: nn.Sequential(
        *(nn.Sequential(nn.Linear(6, 6), nn.Tanh()) for _ in range(30)), nn.Linear(6, 1)
    ),
}


@pytest.mark.parametrize("make", ALONE.values(), ids=ALONE)
def test_networks_that_answer_each_sample_by_itself_are_not_taken_for_others(make, tmp_path):
    x, y = data()
    with Probe.of(x, y, make(), tmp_path, samples=30) as probe:
        probe(0)
    assert "evaluated" not in probe.record.attrs


def test_samples_whose_answers_are_small_are_not_taken_for_coupled(tmp_path):
    """The last two outputs are differences of numbers of size 1 that nearly cancel: rounding alone moves them."""
    x, y = data()
    network = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 1))
    with torch.no_grad():
        outputs = network(x)
    offset = float(outputs[-1])
    x[-2:] = x[-1]

    def forward(network, x):
        return network(x) - offset

    for few in (None, 40):
        with Probe.of(
            x, y, network, tmp_path / f"{few}", forward=forward, samples=few, schedule=EveryN()
        ) as probe:
            probe(0)
            probe(1)
        assert "evaluated" not in probe.record.attrs


class Awakes(nn.Module):
    """Looks at other samples with a weight that is zero until it has learned."""

    def __init__(self):
        super().__init__()
        self.last, self.weight = nn.Linear(6, 1), nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return self.last(x - self.weight * x.mean(0))


def test_a_network_that_begins_to_look_beside_while_it_learns_is_noticed(tmp_path):
    x, y = data()
    network = Awakes()
    with Probe.of(x, y, network, tmp_path, samples=20, schedule=EveryN()) as probe:
        probe(0)
        assert "evaluated" not in probe.record.attrs
        network.weight.data += 5
        with pytest.warns(ProbeWarning, match="depends on the other samples"):
            probe(1)
        probe(2)
    assert probe.record.attrs["evaluated"] == ALL_AT_ONCE
    assert float(probe.record.train_error[1]) == float(probe.record.train_error[2])


def test_more_than_the_memory_holds_is_refused_with_advice_that_works(tmp_path):
    x, y = data(20_000)
    with pytest.raises(
        InputError, match=r"all samples at once within the memory, .* 20000 samples that exceed 0.0001 GiB"
    ):
        Probe.of(x, y, Centred(), tmp_path / "a", memory=1e-4)
    with pytest.warns(ProbeWarning, match="depends on the other samples"):
        Probe.of(x, y, Centred(), tmp_path / "b", memory=0.01).close()
    with pytest.warns(ProbeWarning, match="depends on the other samples"):
        Probe.of(x[:50], y[:50], Centred(), tmp_path / "c", memory=1e-4).close()
    mean = x.mean(0)
    Probe.of(
        x, y, Centred(), tmp_path / "d", memory=1e-4, forward=lambda network, x: network.last(x - mean)
    ).close()


def test_what_no_number_of_samples_pleases_keeps_its_own_sentence(tmp_path):
    x, y = data()
    with pytest.raises(InputError, match=r"mat1 and mat2 shapes cannot be multiplied .2x6 and 5x1"):
        Probe.of(x, y, nn.Linear(5, 1), tmp_path)


class Signals(nn.Module):
    """Takes the coordinates of a whole grid."""

    def __init__(self, size):
        super().__init__()
        self.size, self.last = size, nn.Linear(2, 1)

    def forward(self, x):
        return self.last(x.view(self.size, 2)) + x.mean()


def test_a_signal_is_watched_whole_too(tmp_path):
    signal = signals.array(np.random.default_rng(0).normal(size=(9, 8)))
    network = Signals(72)
    with Probe(signal, network, tmp_path) as probe:
        probe(0)
        errors = probe.final_errors()
        assert probe.predict(torch.tensor([5, 3])).shape == (2, 1)
    wrong = (network(signal.coords.float()).detach() - signal.values).square().mean()
    assert errors["train"] == pytest.approx(float(wrong), rel=1e-5)
    assert float(probe.record.train_error[0]) == pytest.approx(float(wrong), rel=1e-5)


def test_layers_are_read_of_the_whole(tmp_path):
    x, y = data()
    watched = views.graph(x, y, modes=12)
    with Probe([watched, views.layers(watched, ["inner"])], Graph(), tmp_path) as probe:
        probe(0)
    assert probe.faults == []
    assert np.isfinite(probe.records["layers"].residual_power).all()


def wrapped(kind, network):
    if kind == "compiled":
        return torch.compile(network, backend="eager")
    return nn.DataParallel(network) if kind == "parallel" else network


@pytest.mark.parametrize("kind", ["plain", "compiled", "parallel", "lightning", "huggingface"])
def test_forward_is_given_the_network_itself_by_every_integration(kind, monkeypatch, tmp_path):
    x, y = data()
    network = nn.Linear(6, 1)
    given = []

    def forward(inner, inputs):
        given.append(inner)
        return inner(inputs) + 1

    view = views.graph(x, y)
    if kind in ("lightning", "huggingface"):
        base, name, module_name, callback_name = {
            "lightning": (standins.LightningCallback, "lightning.pytorch", "_lightning", "LightningProbe"),
            "huggingface": (
                *(standins.TransformersCallback, "transformers", "_transformers", "TransformersProbe"),
            ),
        }[kind]
        module_name = f"overtone.probes.callbacks.{module_name}"
        standins.install(monkeypatch, name, Callback=base, TrainerCallback=base)
        monkeypatch.delitem(sys.modules, module_name, raising=False)
        module = importlib.import_module(module_name)
        monkeypatch.delitem(sys.modules, module_name)
        callback = getattr(module, callback_name)(view, tmp_path, forward=forward)
        compiled = torch.compile(network, backend="eager")
        if kind == "lightning":
            trainer = standins.LightningTrainer(callback)
            callback.on_train_start(trainer, compiled)
        else:
            args, state = standins.Names(world_size=1), standins.Names(global_step=0)
            callback.on_train_begin(args, state, None, model=compiled)
        probe = callback.probe
    else:
        probe = Probe(view, wrapped(kind, network), tmp_path, forward=forward)
        probe(0)
    probe.close()
    assert all(inner is network for inner in given)
    expected = (network(x).detach() + 1 - y).square().mean()
    assert float(probe.record.train_error[0]) == pytest.approx(float(expected), rel=1e-5)


def test_a_function_of_the_inputs_alone_is_called_with_these_alone(tmp_path):
    x, y = data()
    network = nn.Linear(6, 1)

    class Scaled:
        def __call__(self, inputs, scale=2.0):
            return network(inputs * scale)

    for number, forward in enumerate((network, network.forward, Scaled(), lambda *inputs: network(*inputs))):
        with Probe(views.graph(x, y), network, tmp_path / str(number), forward=forward) as probe:
            probe(0)
        assert probe.faults == []


class Slope(nn.Module):
    """Answers with the derivative of an energy."""

    def __init__(self):
        super().__init__()
        self.energy = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x):
        x = x.detach().clone().requires_grad_()
        return torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)[0][:, :1]


def test_a_network_that_differentiates_inside_is_told_how_and_the_advice_works(tmp_path):
    x, y = data()
    network = Slope()
    with pytest.raises(
        InputError,
        match=r"a network that differentiates in its forward pass; pass forward=.* under torch.enable_grad",
    ):
        Probe.of(x, y, network, tmp_path / "a")

    def forward(network, x):
        with torch.enable_grad():
            return network(x)

    with Probe.of(x, y, network, tmp_path / "b", forward=forward) as probe:
        probe(0)
    wrong = (network(x).detach() - y).square().mean()
    assert float(probe.record.train_error[0]) == pytest.approx(float(wrong), rel=1e-5)
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("make", [Graph, Centred, Places], ids=["graph", "set", "places"])
def test_each_of_several_processes_evaluates_the_whole_for_its_share(make):
    x, _ = data()
    evaluate, samples = Evaluator(make()), TensorInputs(x).at(torch.arange(3, 40))
    evaluate.trial(samples)
    shares = [evaluate(samples, begin, end) for begin, end in ((0, 20), (20, 37))]
    with torch.no_grad():
        expected = evaluate.network.eval()(x)[3:40]
    torch.testing.assert_close(torch.cat(shares), expected)
