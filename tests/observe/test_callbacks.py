import importlib
import math
import sys

import numpy as np
import pytest
import torch
from torch import nn

from overtone.errors import InputError
from overtone.observe import EveryStep, views
from tests.observe import standins


def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 6, generator=generator)
    return x, x[:, :1].sin()


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 1))


def square(module):
    x, y = data()
    return (module(x) - y).square().mean()


def imported(monkeypatch, name):
    monkeypatch.delitem(sys.modules, f"overtone.observe.{name}", raising=False)
    module = importlib.import_module(f"overtone.observe.{name}")
    monkeypatch.delitem(sys.modules, f"overtone.observe.{name}")
    return module.ProbeCallback


@pytest.fixture
def lightning(monkeypatch):
    standins.install(monkeypatch, "lightning.pytorch", Callback=standins.LightningCallback)
    return imported(monkeypatch, "lightning")


@pytest.fixture
def huggingface(monkeypatch):
    standins.install(monkeypatch, "transformers", TrainerCallback=standins.TransformersCallback)
    return imported(monkeypatch, "huggingface")


def fit(callback, module, steps=6, **options):
    trainer = standins.LightningTrainer(callback, **options)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, steps)
    return [p.detach().clone() for p in module.parameters()]


def test_lightning_counts_optimizer_steps_and_changes_nothing(lightning, tmp_path):
    callback = lightning(views.graph(*data()), tmp_path, schedule=EveryStep(4))
    watched = fit(callback, network(), accumulate=3)
    alone = fit(standins.Idle(), network(), accumulate=3)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    record = callback.probe.record
    assert list(record.step) == [0, 4, 6]
    assert math.isnan(record.loss[0])
    assert np.isfinite(record.loss[1:]).all()
    np.testing.assert_allclose(record.learning_rate[1:], 0.1)


def test_lightning_goes_on_with_the_record_after_a_checkpoint(lightning, tmp_path):
    fit(lightning(views.graph(*data()), tmp_path, schedule=EveryStep()), network(), steps=4)
    module = network()
    callback = lightning(views.graph(*data()), tmp_path, schedule=EveryStep())
    trainer = standins.LightningTrainer(callback)
    trainer.global_step = 3
    trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, 6)
    assert list(callback.probe.record.step) == [0, 1, 2, 3, 4, 5, 6]


def test_an_interrupted_fit_closes_the_record(lightning, tmp_path):
    module = network()
    callback = lightning(views.graph(*data()), tmp_path, schedule=EveryStep())
    trainer = standins.LightningTrainer(callback)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, 6, fail_at=2)
    assert list(callback.probe.record.step) == [0, 1, 2, 3]
    with pytest.raises(InputError, match="expected an open record, got a closed one"):
        callback.probe.annotate(late=True)


def test_several_processes_need_a_path(lightning):
    callback = lightning(views.graph(*data()))
    trainer = standins.LightningTrainer(callback)
    trainer.world_size = 2
    with pytest.raises(InputError, match="expected a path that all processes write to, got none"):
        callback.on_train_start(trainer, network())


def test_hugging_face(huggingface, tmp_path):
    module = network()
    callback = huggingface(views.graph(*data()), tmp_path, schedule=EveryStep(4))
    standins.transformers_train(callback, module, torch.optim.SGD(module.parameters(), 0.1), square, 9)
    record = callback.probe.record
    assert list(record.step) == [0, 4, 8, 9]
    assert list(np.isfinite(record.loss)) == [False, False, True, True]


@pytest.mark.parametrize(
    ("name", "package"), [("lightning", "lightning.pytorch"), ("huggingface", "transformers")]
)
def test_an_absent_package_is_named_with_its_extra(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package.split(".")[0], None)
    monkeypatch.setitem(sys.modules, package, None)
    extra = package.split(".")[0]
    with pytest.raises(InputError, match=rf'run: pip install "overtone\[{extra}\]"'):
        imported(monkeypatch, name)
