"""A probe never ends a training run because of its own trouble, unless asked to."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from overtone import plots, records, reports
from overtone.errors import InputError, RunError
from overtone.probes import EveryN, Observer, Probe, ProbeWarning, views
from tests.probes.fields import tones


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
    with Probe(tones(), network, tmp_path, schedule=EveryN()) as probe:
        probe(0)
        network.mood = mood
        with pytest.warns(ProbeWarning, match="Training continues"):
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
    with Probe(tones(), network, tmp_path, schedule=EveryN(), strict=True) as probe:
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
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryN()) as probe:
        probe(0)
        with pytest.warns(ProbeWarning, match="expected room for the record, got a full disk"):
            probe(1)
        probe(2)
        probe(3)
    assert list(probe.record.step) == [0, 3]
    assert [fault["step"] for fault in probe.faults] == [1, 2]
    with (
        Probe(tones(), nn.Linear(1, 1), tmp_path / "b", schedule=EveryN(), strict=True) as strict,
        pytest.raises(RunError, match="a full disk"),
    ):
        strict(1)


def test_steps_that_go_back_are_told_and_the_same_step_twice_is_not(tmp_path):
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryN()) as probe:
        assert probe(5)
        assert not probe(5)
        assert not probe(5, force=True)
        with pytest.warns(ProbeWarning, match="expected a step above 5, got 3"):
            probe(3)
        assert probe(6)
    assert list(probe.record.step) == [5, 6]


@pytest.mark.parametrize(("loss", "got"), [("low", "str"), (torch.ones(3), r"Tensor of shape \(3,\)")])
def test_a_loss_is_one_number(loss, got, tmp_path):
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryN()) as probe:
        with pytest.raises(InputError, match=f"loss: expected one number, got {got}; pass its mean, or None"):
            probe(0, loss)
        assert probe(0, torch.ones(1, requires_grad=True))
        assert float(probe.record.loss[0]) == 1.0


STEPS = [
    (np.int64(3), 3),
    (np.uint8(3), 3),
    (np.float32(3), 3),
    (3.0, 3),
    (np.array([3]), 3),
    (torch.tensor(3), 3),
    (torch.tensor([3.0]), 3),
    (torch.tensor(3, dtype=torch.bfloat16), 3),
    *((wrong, None) for wrong in (-1, 2.5, math.nan, math.inf, "3", None, True, 1 << 63, [3], 3j)),
    *((wrong, None) for wrong in (torch.arange(2), torch.tensor(True), torch.tensor(3, device="meta"))),
]


@pytest.mark.parametrize(("step", "number"), STEPS, ids=str)
def test_a_step_is_a_whole_number_of_any_type_or_refused(step, number, tmp_path):
    view = views.graph(torch.arange(20.0)[:, None].expand(20, 4) ** 0.5, torch.arange(20.0))
    observer = Observer(view, tmp_path / "o")
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryN()) as probe, observer:
        if number is None:
            for call in (probe, observer.due, lambda step: observer.observe(step, torch.zeros(20, 1))):
                with pytest.raises(InputError, match="step: expected a whole number of steps, 0 or more"):
                    call(step)
        else:
            assert observer.due(step)
            assert observer.observe(step, torch.zeros(20, 1))
            assert probe(step)
            assert not probe(number)
            assert list(probe.record.step) == list(observer.record.step) == [number]


def test_training_that_begins_again_begins_a_new_record_and_the_old_one_is_kept(tmp_path):
    """The second attempt gets further than the first: no row of one stands beside rows of the other."""
    x, y = torch.arange(20.0)[:, None].expand(20, 4) ** 0.5, torch.arange(20.0)
    watched = [views.graph(x, y, modes=5), views.filters(x, y, widths=[1.0])]
    with Probe(watched, nn.Linear(4, 1), tmp_path, schedule=EveryN()) as probe:
        for attempt, steps in enumerate((4, 3, 7)):
            for step in range(steps):
                if attempt == 1 and step == 0:
                    with pytest.warns(ProbeWarning, match=r"step 0 follows step 3: .*record~1.sqlite"):
                        probe(step, loss=attempt)
                else:
                    probe(step, loss=attempt)
    for name, record in probe.records.items():
        assert list(record.step) == list(range(7)), name
        assert set(record.loss.values) == {2.0}
        assert [(r["step"], r["after"]) for r in record.attrs["restarts"]] == [(0, 3), (0, 2)]
    page = reports.report(tmp_path, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Training began again at step 0, after step 3; the rows until then are in record~1.sqlite." in page
    for name, steps in (("record~1", 4), ("record~2", 3), ("filters~1", 4), ("filters~2", 3)):
        assert list(records.load(tmp_path / f"{name}.sqlite").step) == list(range(steps))
    assert probe.faults == []


def test_only_nine_earlier_attempts_are_kept(tmp_path):
    probe = Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryN())
    with probe, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for step in 13 * [0, 1]:
            probe(step)
    assert len(told) == 1
    assert len(list(tmp_path.glob("record~*.sqlite"))) == 9
    assert list(probe.record.step) == [0, 1]
    assert len(probe.record.attrs["restarts"]) == 12


def test_a_loss_that_is_not_a_number_is_told_from_one_that_is_unknown(tmp_path):
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryN()) as probe:
        for step, loss in enumerate((None, 0.5, math.inf, torch.tensor(math.nan), math.nan, None)):
            probe(step, loss, math.nan)
    np.testing.assert_array_equal(probe.record.loss, [math.nan, 0.5, math.inf, math.inf, math.inf, math.nan])
    assert np.isnan(probe.record.learning_rate).all()
    assert "diverged" in reports.verdict(probe.record)[0]
    assert plots.Loss(probe.record).describe() == (
        "The training loss begins at 0.5 at step 1 and is not finite at step 4."
    )


@pytest.mark.parametrize("last", [None, 0.3])
def test_a_last_row_without_a_loss_is_no_divergence(last, tmp_path):
    with Probe(tones(), nn.Linear(1, 1), tmp_path, schedule=EveryN()) as probe:
        for step in range(4):
            probe(step, loss=0.5 if step else None)
        probe(4, last)
    assert "diverged" not in reports.verdict(probe.record)[0]


def test_a_second_run_at_the_same_path_is_refused_before_anything_is_made(tmp_path):
    x, y = torch.arange(20.0)[:, None].expand(20, 4) ** 0.5, torch.arange(20.0)
    Probe(views.filters(x, y, widths=[1.0]), nn.Linear(4, 1), tmp_path / "filters.sqlite").close()
    both = [views.graph(x, y, modes=5), views.filters(x, y, widths=[1.0])]
    with pytest.raises(
        InputError, match=r"filters.sqlite: .* without a record, .*; pass another path=, or remove"
    ):
        Probe(both, nn.Linear(4, 1), tmp_path)
    assert not (tmp_path / "record.sqlite").exists()
    (tmp_path / "filters.sqlite").unlink()
    Probe(both, nn.Linear(4, 1), tmp_path).close()
    with Probe.resume(both, nn.Linear(4, 1), tmp_path, after=-1, schedule=EveryN()) as probe:
        assert probe(0)


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
    with pytest.warns(ProbeWarning, match="different outputs at a second evaluation in eval mode"):
        probe = Probe(views.graph(x, y), Restless(), tmp_path / "a")
    assert probe.record.attrs["deterministic"] is False
    probe.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        steady = Probe(views.graph(x, y), nn.Linear(6, 1), tmp_path / "b")
    assert "deterministic" not in steady.record.attrs
    steady.close()
    assert records.load(tmp_path / "b").sizes["step"] == 0


@pytest.mark.parametrize(
    ("mood", "diverged"),
    [
        (fail(torch.OutOfMemoryError("out of memory")), False),
        (fail(ValueError("no such layer")), False),
        (lambda y: y * math.nan, True),
        (lambda y: y * 1e20, True),
    ],
)
def test_a_last_row_that_could_not_be_measured_is_no_divergence_and_is_told(mood, diverged, tmp_path):
    network = Moody()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ProbeWarning)
        with Probe(tones(), network, tmp_path, schedule=EveryN()) as probe:
            for step in range(6):
                network.mood = mood if step > 3 else None
                probe(step, loss=0.5)
    sentences = reports.verdict(probe.record)
    assert ("diverged" in sentences[0]) is diverged
    assert ("At step 3" in sentences[0]) is not diverged
    page = reports.report(tmp_path, tmp_path / "page.html").read_text(encoding="utf-8")
    assert ("The rows after step 3, up to step 5, could not be measured" in page) is not diverged


def test_a_loss_that_is_not_a_number_is_divergence_although_its_row_could_not_be_measured(tmp_path):
    network = Moody()
    with Probe(tones(), network, tmp_path, schedule=EveryN()) as probe:
        probe(0, 0.5)
        network.mood = fail(ValueError("no such layer"))
        with pytest.warns(ProbeWarning, match="no such layer"):
            probe(1, math.nan)
    assert "diverged" in reports.verdict(probe.record)[0]
