"""Training is bit for bit the same with a probe and without, whatever the network keeps or draws."""

import functools
import random

import numpy as np
import pytest
import torch

from overtone.observe import EveryStep, Probe, views
from overtone.state import Snapshot
from tests.observe.kinds import KINDS, STEADY, answer, around

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
        probes.append(Probe(view, network, tmp_path, schedule=EveryStep(), strict=True))
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
    monkeypatch.setattr(Snapshot, "restore", lambda self: None)
    changed = []
    for number, name in enumerate(KINDS):
        look = functools.partial(Probe, view, path=tmp_path / str(number), schedule=EveryStep())
        try:
            changed += [name] * (not same(trained(name, look), alone(name)))
        except RuntimeError:
            changed.append(name)
    assert len(changed) > len(KINDS) / 2


def test_there_are_kinds_enough():
    assert len(KINDS) >= 60
    assert len(STEADY) < len(KINDS) / 2
