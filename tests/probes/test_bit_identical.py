"""Training is bit for bit the same with a probe and without, whatever the network keeps or draws."""

import functools
import itertools
import random

import numpy as np
import pytest
import torch
from torch import nn

from overtone._state import StateSnapshot
from overtone.errors import InputError
from overtone.probes import EveryN, Probe, views
from tests.probes.kinds import KINDS, STEADY, answer, around

STEPS = 4

pytestmark = pytest.mark.filterwarnings("ignore")


def data():
    source = torch.Generator().manual_seed(0)
    x = torch.randn(20, 6, generator=source)
    return x, x[:, :1].sin() + x[:, 1:2] * x[:, 2:3] / 2


@pytest.fixture(scope="module")
def view():
    return views.graph(*data(), modes=8)


def seed():
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)


def trained(name, look=None):
    """Losses, state, gradients and random numbers of a training in which `look(network)` gives what looks at it."""
    x, y = data()
    seed()
    network = KINDS[name]()
    looks = look(network) if look else lambda step: None
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    losses = []
    for step in range(STEPS):
        looks(3 * step)
        with around(network):
            loss = (answer(network(x)) - y).float().square().mean()
            looks(3 * step + 1)
        loss.backward()
        looks(3 * step + 2)
        optimizer.step()
        optimizer.zero_grad(set_to_none=step % 2 == 0)
        losses.append(loss.detach())
    looks(3 * STEPS)
    state = [t.detach().clone() for t in network.state_dict().values() if isinstance(t, torch.Tensor)]
    drawn = [torch.rand(2), torch.tensor([random.random(), np.random.rand()])]
    modes = torch.tensor([bool(getattr(module, "training", None)) for module in network.modules()])
    last = [answer(network(x)).detach()]
    return [*losses, *state, *drawn, modes, *last]


def same(first, second):
    return len(first) == len(second) and all(
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.nan_to_num(7), b.nan_to_num(7))
        for a, b in zip(first, second, strict=True)
    )


@pytest.fixture(scope="module")
def alone():
    done = {}
    return lambda name: done.setdefault(name, None) or done.update({name: trained(name)}) or done[name]


@pytest.mark.parametrize("name", KINDS)
def test_training_is_the_same_with_a_probe(name, alone, view, tmp_path):
    probes = []

    def look(network):
        probes.append(Probe(view, network, tmp_path, schedule=EveryN(), strict=True))
        return lambda step: probes[0](step)

    watched = trained(name, look)
    probes[0].close()
    assert same(watched, alone(name))
    assert np.isfinite(probes[0].record.residual_power.values).all()


@pytest.mark.parametrize("name", KINDS)
def test_a_careless_look_is_seen(name, alone):
    """The comparison tells a training in which the network is simply called from one in which it is not."""
    x, _ = data()

    def look(network):
        def call(step):
            if step % 3 != 1:
                with torch.no_grad():
                    network(x)

        return call

    assert same(trained(name, look), alone(name)) == (name in STEADY)


def test_a_probe_that_puts_nothing_back_is_seen(alone, view, tmp_path, monkeypatch):
    monkeypatch.setattr(StateSnapshot, "restore", lambda self: None)
    changed = []
    for number, name in enumerate(KINDS):
        look = functools.partial(Probe, view, path=tmp_path / str(number), schedule=EveryN())
        try:
            changed += [name] * (not same(trained(name, look), alone(name)))
        except (RuntimeError, InputError):
            changed.append(name)
    assert len(changed) > len(KINDS) / 2


class Reads(nn.Module):
    """Scales its outputs by the next number of an iterator."""

    def __init__(self, numbers):
        super().__init__()
        self.last, self.numbers = nn.Linear(6, 1), numbers

    def forward(self, x):
        return self.last(x) * next(self.numbers)


ITERATORS = {
    "a generator": lambda: (float(i) for i in range(99)),
    "a counter": lambda: itertools.count(1),
    "an iterator over a list": lambda: iter([1.0, 2.0] * 99),
    "a cycle": lambda: itertools.cycle([1.0, 2.0, 3.0, 4.0, 5.0]),
    "a map": lambda: map(float, range(1, 99)),
}


@pytest.mark.parametrize("name", ITERATORS)
def test_what_cannot_be_put_back_is_refused(name, view):
    with pytest.raises(InputError, match="expected a network whose state can be restored"):
        Probe(view, Reads(ITERATORS[name]()))


def test_a_large_tensor_is_watched_and_refused_if_it_is_written_to(alone, view, tmp_path):
    """Nothing may be copied: plain layers are watched all the same, and a write is seen by its sum."""
    options = {"schedule": EveryN(), "strict": True, "memory": 1e-9}
    look = functools.partial(Probe, view, path=tmp_path, **options)
    assert same(trained("plain layers", look), alone("plain layers"))
    with pytest.raises(
        InputError, match=r"writes to a tensor of shape .12, 6., which is too large to be copied"
    ):
        Probe(view, KINDS["weights clipped through data"](), **options)
    with pytest.raises(
        InputError, match=r"writes to an array of shape .3,., which is too large to be copied"
    ):
        Probe(view, KINDS["array of numpy"](), **options)


def test_networks_beside_the_one_that_is_watched_are_not_touched_either(view, tmp_path):
    """A function before the network that calls another one, with batch norm and dropout."""
    x, y = data()

    def weights(watched):
        seed()
        before, head = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Dropout(0.2)), nn.Linear(6, 1)
        optimizer = torch.optim.SGD([*before.parameters(), *head.parameters()], 0.1)
        probe = None
        if watched:
            probe = Probe(view, head, tmp_path, schedule=EveryN(), forward=lambda given: head(before(given)))
        for step in range(STEPS):
            if probe is not None:
                probe(step)
            (head(before(x)) - y).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
        return [t.clone() for t in (*before.state_dict().values(), *head.state_dict().values())]

    assert same(weights(False), weights(True))


def test_a_network_made_in_inference_mode_is_watched_and_left_as_it_was(view):
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(6, 1)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return self.last(x) * self.calls

    with torch.inference_mode():
        network = Counts()
    with Probe(view, network, schedule=EveryN()) as probe:
        probe(0)
        with torch.inference_mode():
            probe(1)
    rows = probe.record.residual_power.values
    assert np.array_equal(rows[0], rows[1])
    assert np.isfinite(rows).all()
    assert float(network.calls) == 0


def test_there_are_kinds_enough():
    assert len(KINDS) >= 60
    assert len(STEADY) < len(KINDS) / 2


class SettingEverything(nn.Linear):
    """Sets what holds for the whole process, as scripts for experiments do where they build or call a network."""

    def forward(self, x):
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(3)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.set_float32_matmul_precision("medium")
        return super().forward(x)


def process_settings():
    return (
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.get_float32_matmul_precision(),
    )


def test_settings_of_the_whole_process_are_restored(view):
    before = process_settings()
    with Probe(view, SettingEverything(6, 1)) as probe:
        probe(0)
    assert process_settings() == before
