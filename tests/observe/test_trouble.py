"""A probe never ends a training run because of its own trouble, unless asked to."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from overtone import records
from overtone.errors import InputError, RunError
from overtone.observe import EveryStep, Probe, ProbeWarning, views
from tests.observe.fields import tones


class Moody(nn.Module):
    """Does something else to many samples while it is in a mood."""

    def __init__(self):
        super().__init__()
        self.linear, self.mood = nn.Linear(1, 1), None

    def forward(self, x):
        return self.mood(self.linear(x)) if self.mood else self.linear(x)


def fail(error):
    def mood(_):
        raise error

    return mood


TROUBLES = {
    "an exception": (fail(ValueError("no such layer")), "ValueError: no such layer"),
    "out of memory": (fail(torch.OutOfMemoryError("out of memory")), "OutOfMemoryError: out of memory"),
    "outputs of another shape": (lambda y: y[:, :0], "got 0; give the network's last layer"),
    "a tuple": (lambda y: (y, y), "got tuple; pass forward="),
    "outputs that are not finite": (lambda y: y * math.nan, "the network's outputs are not finite"),
}


@pytest.mark.parametrize(("mood", "why"), TROUBLES.values(), ids=TROUBLES)
def test_trouble_marks_the_row_warns_once_and_goes_on(mood, why, tmp_path):
    network = Moody()
    with Probe(tones(), network, tmp_path, schedule=EveryStep()) as probe:
        probe(0)
        network.mood = mood
        with pytest.warns(ProbeWarning, match="Training goes on"):
            probe(1, loss=0.5)
        probe(2)
        network.mood = None
        probe(3)
    record = probe.record
    assert list(record.step) == [0, 1, 2, 3]
    lost = np.isnan(record.residual_power).all(("band", "channel"))
    assert list(lost) == [False, True, True, False]
    assert float(record.loss[1]) == 0.5
    assert [fault["step"] for fault in record.attrs["faults"]] == [1, 2]
    assert all(why in fault["why"] for fault in record.attrs["faults"])
    assert probe.faults == record.attrs["faults"]


def test_strict_probes_raise(tmp_path):
    network = Moody()
    with Probe(tones(), network, tmp_path, schedule=EveryStep(), strict=True) as probe:
        probe(0)
        network.mood = fail(ValueError("no such layer"))
        with pytest.raises(ValueError, match="no such layer"):
            probe(1)
    assert network.training


def test_a_record_that_cannot_be_written_ends_no_training(tmp_path, monkeypatch):
    from overtone.records import Writer

    kept = Writer.append

    def full(self, step, row):
        if step in (1, 2):
            raise RunError("room for the record", "a full disk", "free some space", "disk")
        kept(self, step, row)

    monkeypatch.setattr(Writer, "append", full)
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryStep()) as probe:
        probe(0)
        with pytest.warns(ProbeWarning, match="expected room for the record, got a full disk"):
            probe(1)
        probe(2)
        probe(3)
    assert list(probe.record.step) == [0, 3]
    assert [fault["step"] for fault in probe.faults] == [1, 2]
    with (
        Probe(tones(), nn.Linear(1, 1), tmp_path / "b", schedule=EveryStep(), strict=True) as strict,
        pytest.raises(RunError, match="a full disk"),
    ):
        strict(1)


def test_steps_that_go_back_are_told_and_the_same_step_twice_is_not(tmp_path):
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryStep()) as probe:
        assert probe(5)
        assert not probe(5)
        assert not probe(5, force=True)
        with pytest.warns(ProbeWarning, match="expected a step above 5, got 3"):
            probe(3)
        assert probe(6)
    assert list(probe.record.step) == [5, 6]


@pytest.mark.parametrize(("loss", "got"), [("low", "str"), (torch.ones(3), r"Tensor of shape \(3,\)")])
def test_a_loss_is_one_number(loss, got, tmp_path):
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryStep()) as probe:
        with pytest.raises(InputError, match=f"loss: expected one number, got {got}; pass its mean, or None"):
            probe(0, loss)
        assert probe(0, torch.ones(1, requires_grad=True))
        assert float(probe.record.loss[0]) == 1.0


class Restless(nn.Module):
    """Draws random numbers in eval mode too."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 1)

    def forward(self, x):
        return self.linear(x) + 0.1 * torch.randn(len(x), 1)


def test_networks_that_are_random_in_eval_mode_are_told_and_marked(tmp_path):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 6, generator=generator), torch.randn(30, 1, generator=generator)
    with pytest.warns(ProbeWarning, match="other outputs at a second evaluation in eval mode"):
        probe = Probe(views.graph(x, y), Restless(), tmp_path / "a")
    assert probe.record.attrs["deterministic"] is False
    probe.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steady = Probe(views.graph(x, y), nn.Linear(6, 1), tmp_path / "b")
    assert "deterministic" not in steady.record.attrs
    steady.close()
    assert records.load(tmp_path / "b").sizes["step"] == 0
