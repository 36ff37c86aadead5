import math
import os
import signal as signals_of_the_system
import threading
import time

import pytest
import torch

from overtone import nn, signals
from overtone._training import Checkpoint, Decay, Ending, Optimizer, TrainingConfig, train
from overtone.errors import InputError, RunError
from overtone.nn.activations import Activation


def tones(held_out=0.0):
    signal = signals.synthetic.harmonics([1, 3], samples=64, seed=0)
    return signal.with_held_out(signals.masks.random(signal.geometry, held_out)) if held_out else signal


def field(signal, seed=0, activation=Activation.TANH):
    encoding = nn.encodings.Gaussian(1, 8, 2.0, seed=1)
    body = nn.MLP(16, 1, width=16, depth=2, activation=activation, seed=seed)
    restore = nn.OutputScaling(signal.normalisation.offset, signal.normalisation.scale)
    return nn.Field(encoding, body, None, restore)


def state(network):
    return torch.cat([t.detach().double().flatten() for t in network.state_dict().values()])


def run(signal, options, network=None, wants=lambda _: True, **more):
    network = network or field(signal)
    rows = []
    outcome = train(network, signal, options, lambda *row: rows.append(row), wants=wants, **more)
    return network, rows, outcome


def test_full_batch_equals_a_plain_loop_bit_for_bit():
    signal = tones()
    network, rows, outcome = run(signal, TrainingConfig(steps=10))
    plain = field(signal)
    optimizer = torch.optim.Adam(plain.parameters(), 1e-3)
    target = signal.normalisation.apply(signal.values).float()
    for step in range(10):
        loss = torch.nn.functional.mse_loss(plain.normalised(signal.coords), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert rows[step + 1][1] == loss.item()
    assert torch.equal(state(network), state(plain))
    assert (outcome.step, outcome.ending) == (10, Ending.STEPS)


@pytest.mark.parametrize("optimizer", list(Optimizer))
def test_the_loss_falls(optimizer):
    _, rows, _ = run(tones(), TrainingConfig(steps=150, optimizer=optimizer, lr=1e-2, momentum=0.9))
    assert rows[-1][1] < 0.5 * rows[1][1]


def test_held_out_samples_do_not_touch_training():
    signal = tones(held_out=0.25)
    spoiled = signal.values.clone()
    spoiled[signal.held_out_index] = 100.0
    other = signals.Signal(**{**vars(signal), "values": spoiled})
    one, _, _ = run(signal, TrainingConfig(steps=5, batch=20))
    two, _, _ = run(other, TrainingConfig(steps=5, batch=20))
    assert torch.equal(state(one), state(two))


def test_batches_follow_the_seed_and_leave_the_global_generator_alone():
    signal = tones()
    before = torch.get_rng_state()
    one, _, _ = run(signal, TrainingConfig(steps=5, batch=8, seed=1))
    again, _, _ = run(signal, TrainingConfig(steps=5, batch=8, seed=1))
    other, _, _ = run(signal, TrainingConfig(steps=5, batch=8, seed=2))
    assert torch.equal(state(one), state(again))
    assert not torch.equal(state(one), state(other))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("batch", [None, 8])
@pytest.mark.parametrize("optimizer", list(Optimizer))
def test_resuming_is_bit_identical_to_never_stopping(tmp_path, batch, optimizer):
    signal, path = tones(), tmp_path / "c.safetensors"
    body = {"batch": batch, "optimizer": optimizer, "lr": 1e-2, "momentum": 0.5}

    def dropping(seed=0):
        network = field(signal, seed)
        network.body = torch.nn.Sequential(torch.nn.Dropout(0.2), network.body)
        return network

    whole, rows, _ = run(signal, TrainingConfig(steps=20, **body), dropping())
    run(signal, TrainingConfig(steps=7, **body), dropping(), checkpoint=path)
    resumed, later, _ = run(
        signal, TrainingConfig(steps=20, **body), dropping(seed=5), resume=Checkpoint.load(path)
    )
    assert torch.equal(state(whole), state(resumed))
    assert [row[:3] for row in later] == [row[:3] for row in rows[8:]]


def test_time_budget_ends_training():
    _, rows, outcome = run(tones(), TrainingConfig(steps=None, seconds=0.3))
    assert outcome.ending is Ending.SECONDS
    assert outcome.seconds >= 0.3
    assert rows[-1][3]


@pytest.mark.parametrize(("seconds", "observed"), [(100.0, [0, 5, 6]), (None, [0, 1, 2, 3, 4, 5, 6])])
def test_observing_takes_its_share_of_a_limit_in_seconds_and_no_more(monkeypatch, seconds, observed):
    """By a clock on which an observation takes 20 s and each reading 2 s: 22 <= 10 + 0.3 * 42 after step 5."""
    clock = [0.0]

    def now():
        clock[0] += 2.0
        return clock[0]

    monkeypatch.setattr("overtone._training._loop.time.perf_counter", now)
    steps = []

    def observe(step, *_):
        steps.append(step)
        clock[0] += 20.0

    signal = tones()
    options = TrainingConfig(steps=6, seconds=seconds)
    train(field(signal), signal, options, observe, wants=lambda _: True)
    assert steps == observed


def test_learning_rate_follows_its_decay():
    _, rows, _ = run(tones(), TrainingConfig(steps=8, decay=Decay.COSINE, lr=0.1))
    expected = [0.1 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)]
    assert [row[2] for row in rows[1:]] == pytest.approx(expected)


def test_observer_hears_only_what_it_wants_and_the_ends():
    _, rows, _ = run(tones(), TrainingConfig(steps=10), wants=lambda step: step == 4)
    assert [row[0] for row in rows] == [0, 4, 10]
    assert [row[3] for row in rows] == [False, False, True]


def test_diverging_names_the_step_and_the_last_good_one():
    with pytest.raises(
        RunError,
        match=r"expected a finite loss, got (nan|inf) at step \d+ \(the last finite one was at step \d+\)",
    ):
        run(
            tones(),
            TrainingConfig(steps=200, optimizer=Optimizer.SGD, lr=1e6),
            field(tones(), activation=Activation.RELU),
        )


def test_interrupt_finishes_the_step_saves_and_gives_the_signal_back(tmp_path):
    path = tmp_path / "c.safetensors"
    before = signals_of_the_system.getsignal(signals_of_the_system.SIGINT)
    threading.Thread(
        target=lambda: (time.sleep(0.3), os.kill(os.getpid(), signals_of_the_system.SIGINT))
    ).start()
    _, _, outcome = run(tones(), TrainingConfig(steps=10**7), wants=lambda _: False, checkpoint=path)
    assert outcome.ending is Ending.INTERRUPTED
    assert Checkpoint.load(path).step == outcome.step
    assert signals_of_the_system.getsignal(signals_of_the_system.SIGINT) is before


def test_mixed_precision_trains_and_keeps_full_precision_weights():
    from overtone._training import Precision

    network, rows, _ = run(tones(), TrainingConfig(steps=150, precision=Precision.MIXED, lr=1e-2))
    assert rows[-1][1] < 0.5 * rows[1][1]
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "spoil",
    [lambda p: p.write_bytes(b"no"), lambda p: p.write_bytes(p.read_bytes()[:100]), lambda p: p.unlink()],
)
def test_damaged_checkpoints_say_so(tmp_path, spoil):
    path = tmp_path / "c.safetensors"
    run(tones(), TrainingConfig(steps=2), checkpoint=path)
    spoil(path)
    with pytest.raises(
        InputError, match=r"expected a readable checkpoint, got .*; start again with --overwrite"
    ):
        Checkpoint.load(path)


def test_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    run(tones(), TrainingConfig(steps=2), checkpoint=path)
    other = nn.Field(nn.encodings.Identity(1), nn.MLP(1, 1, width=4, depth=1))
    with pytest.raises(
        InputError, match="expected the network that was saved, got one with other parameters"
    ):
        run(tones(), TrainingConfig(steps=4), other, resume=Checkpoint.load(path))


def test_an_unwritable_checkpoint_is_a_failed_run(tmp_path):
    with pytest.raises(RunError, match="expected to write a checkpoint, got"):
        run(tones(), TrainingConfig(steps=2), checkpoint=tmp_path / "missing" / "c.safetensors")


def test_a_network_that_is_no_field_is_refused_in_a_sentence():
    network = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    signal = signals.synthetic.harmonics([1, 3], samples=32, seed=0)
    with pytest.raises(
        InputError, match=r"network: expected an nn.Field, .* got Sequential; wrap the network"
    ):
        train(network, signal, TrainingConfig(steps=2), lambda *_: False, wants=lambda _: True)
