import importlib
import math
import sys

import numpy as np
import pytest
import torch
from torch import nn

from overtone import records
from overtone.errors import InputError
from overtone.probes import EveryN, ProbeWarning, views
from overtone.probes._run_writer import ResumedRecord
from tests.probes import standins


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


def imported(monkeypatch, name, callback):
    monkeypatch.delitem(sys.modules, f"overtone.probes.callbacks.{name}", raising=False)
    module = importlib.import_module(f"overtone.probes.callbacks.{name}")
    monkeypatch.delitem(sys.modules, f"overtone.probes.callbacks.{name}")
    return getattr(module, callback)


@pytest.fixture
def lightning(monkeypatch):
    standins.install(monkeypatch, "lightning.pytorch", Callback=standins.LightningCallback)
    return imported(monkeypatch, "_lightning", "LightningProbe")


@pytest.fixture
def huggingface(monkeypatch):
    standins.install(monkeypatch, "transformers", TrainerCallback=standins.TransformersCallback)
    return imported(monkeypatch, "_transformers", "TransformersProbe")


def fit(callback, module, steps=6, **options):
    trainer = standins.LightningTrainer(callback, **options)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, steps)
    return [p.detach().clone() for p in module.parameters()]


def test_lightning_counts_optimizer_steps_and_changes_nothing(lightning, tmp_path):
    callback = lightning(views.graph(*data()), tmp_path, schedule=EveryN(4))
    watched = fit(callback, network(), accumulate=3)
    alone = fit(standins.Idle(), network(), accumulate=3)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    record = callback.probe.record
    assert list(record.step) == [0, 4, 6]
    assert math.isnan(record.loss[0])
    assert np.isfinite(record.loss[1:]).all()
    np.testing.assert_allclose(record.learning_rate[1:], 0.1)


def test_lightning_goes_on_with_the_record_after_a_checkpoint(lightning, tmp_path):
    fit(lightning(views.graph(*data()), tmp_path, schedule=EveryN()), network(), steps=4)
    module = network()
    callback = lightning(views.graph(*data()), tmp_path, schedule=EveryN())
    trainer = standins.LightningTrainer(callback)
    trainer.global_step = 3
    trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, 6)
    assert list(callback.probe.record.step) == [0, 1, 2, 3, 4, 5, 6]


def test_an_interrupted_fit_closes_the_record(lightning, tmp_path):
    module = network()
    callback = lightning(views.graph(*data()), tmp_path, schedule=EveryN())
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
    with pytest.raises(InputError, match="expected a path that all processes write to, got no path"):
        callback.on_train_start(trainer, network())


def test_hugging_face(huggingface, tmp_path):
    module = network()
    callback = huggingface(views.graph(*data()), tmp_path, schedule=EveryN(4))
    standins.transformers_train(callback, module, torch.optim.SGD(module.parameters(), 0.1), square, 9)
    record = callback.probe.record
    assert list(record.step) == [0, 4, 8, 9]
    assert list(np.isfinite(record.loss)) == [False, False, True, True]


def attempt(kind, callback, module, steps, loss=square):
    """One call of a trainer's loop with the callback, as both trainers call it."""
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    if kind == "lightning":
        standins.LightningTrainer(callback).fit(module, optimizer, loss, steps)
    else:
        standins.transformers_train(callback, module, optimizer, loss, steps, log_every=1)


class OutOfMemoryError(RuntimeError):
    """What ends an attempt."""


def fails_at(count):
    """A loss that runs out of memory at a call."""
    calls = iter(range(count))

    def loss(module):
        if next(calls, None) is None:
            raise OutOfMemoryError
        return square(module)

    return loss


@pytest.mark.parametrize("kind", ["lightning", "huggingface"])
@pytest.mark.parametrize("place", ["a path", "none"])
def test_a_trainer_that_starts_again_after_running_out_of_memory(kind, place, request, tmp_path):
    path = tmp_path / "run" if place == "a path" else None
    callback = request.getfixturevalue(kind)(views.graph(*data()), path, schedule=EveryN())
    with pytest.raises(OutOfMemoryError):
        attempt(kind, callback, network(), 9, fails_at(5))
    with pytest.warns(ProbeWarning, match=r"step 0 follows step 5: training has restarted"):
        attempt(kind, callback, network(), 7)
    record = callback.probe.record
    assert list(record.step) == list(range(8))
    assert [(r["step"], r["after"], r["kept"]) for r in record.attrs["restarts"]] == [
        (0, 5, "record~1.sqlite")
    ]
    assert callback.probe.faults == []
    assert math.isnan(record.loss[0])
    assert list(records.load(callback.probe.path.with_name("record~1.sqlite")).step) == list(range(6))


@pytest.mark.parametrize("kind", ["lightning", "huggingface"])
def test_a_second_fit_with_the_same_callback_keeps_the_first_record(kind, request, tmp_path):
    callback = request.getfixturevalue(kind)(views.graph(*data()), tmp_path, schedule=EveryN(2))
    attempt(kind, callback, network(), 5)
    with pytest.warns(ProbeWarning, match="step 0 follows step 5"):
        attempt(kind, callback, network(), 3)
    assert list(callback.probe.record.step) == [0, 2, 3]
    assert list(records.load(tmp_path / "record~1.sqlite").step) == [0, 2, 4, 5]


def test_a_fit_that_goes_on_goes_on_with_the_record_without_a_path_too(lightning):
    callback = lightning(views.graph(*data()), schedule=EveryN(2))
    trainer, module = standins.LightningTrainer(callback), network()
    for steps in (4, 8):
        trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, steps)
    assert list(callback.probe.record.step) == [0, 2, 4, 6, 8]


def test_a_fit_that_starts_again_from_a_checkpoint_keeps_what_came_after_it_beside(lightning, tmp_path):
    callback = lightning(views.graph(*data()), tmp_path, schedule=EveryN(2))
    trainer, module = standins.LightningTrainer(callback), network()
    trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, 8)
    trainer.global_step = 4
    with pytest.warns(ProbeWarning, match="step 4 follows step 8"):
        trainer.fit(module, torch.optim.SGD(module.parameters(), 0.1), square, 6)
    assert list(callback.probe.record.step) == [0, 2, 4, 6]


@pytest.mark.parametrize("kind", ["lightning", "huggingface"])
def test_another_run_at_the_same_path_says_before_training_what_to_do(kind, request, tmp_path):
    make = request.getfixturevalue(kind)
    attempt(kind, make(views.graph(*data()), tmp_path), network(), 2)
    module = network()
    before = [p.detach().clone() for p in module.parameters()]
    with pytest.raises(
        InputError, match="training begins at step 0, got an existing record; pass another path="
    ):
        attempt(kind, make(views.graph(*data()), tmp_path), module, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    attempt(kind, make(views.graph(*data()), tmp_path / "other"), module, 2)


@pytest.mark.parametrize("kind", ["lightning", "huggingface"])
@pytest.mark.parametrize("option", ["processes", "resume"])
def test_what_follows_from_the_trainer_is_no_option(kind, option, request):
    with pytest.raises(
        InputError, match=r"got (a record to resume|processes=); leave it out: the callback takes"
    ):
        path = ResumedRecord("run", 3) if option == "resume" else None
        options = {} if path else {"processes": None}
        request.getfixturevalue(kind)(views.graph(*data()), path, **options)


@pytest.mark.parametrize(
    ("name", "package", "command"),
    [
        ("_lightning", "lightning.pytorch", "pip install lightning"),
        ("_transformers", "transformers", "pip install transformers accelerate"),
    ],
)
def test_an_absent_package_is_named_with_its_command(name, package, command, monkeypatch):
    monkeypatch.setitem(sys.modules, package.split(".")[0], None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"run: {command}\.$"):
        imported(monkeypatch, name, "none")
