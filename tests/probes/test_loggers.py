import sys

import numpy as np
import pytest
import torch
from torch import nn

from overtone.errors import InputError
from overtone.probes import EveryN, Observer, Probe, views
from overtone.probes.loggers import TensorBoard, WandB
from overtone.probes.loggers._loggers import heatmap
from overtone.records.metrics._rows import relative_error_of_row
from tests.probes import standins


def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 6, generator=generator)
    return x, x[:, :1].sin()


def test_tensorboard_gets_scalars_and_the_learning_order(monkeypatch, tmp_path):
    standins.install(monkeypatch, "tensorboard")
    writer = standins.SummaryWriter()
    view = views.graph(*data())
    with Probe(view, nn.Linear(6, 1), tmp_path, schedule=EveryN(), loggers=[TensorBoard(writer)]) as probe:
        probe(0)
        probe(1)
    record = probe.record
    errors = [(step, value) for name, value, step in writer.scalars if name == "overtone/graph/train_error"]
    assert errors == [(0, float(record.train_error[0])), (1, float(record.train_error[1]))]
    assert [(name, step) for name, _, step in writer.images] == [
        ("overtone/graph/learning order", s) for s in (0, 1)
    ]
    assert not writer.closed


def test_a_log_of_our_own_is_closed(monkeypatch, tmp_path):
    standins.install(monkeypatch, "tensorboard")
    standins.install(monkeypatch, "torch.utils.tensorboard", SummaryWriter=standins.SummaryWriter)
    logger = TensorBoard(tmp_path / "log")
    x, y = data()
    with Observer.of(x, y, tmp_path / "run", loggers=[logger]) as observer:
        observer.observe(0, y.numpy())
    assert logger._writer.closed
    reached = [value for name, value, _ in logger._writer.scalars if name.endswith("highest_learned")]
    assert reached == [float(observer.record.band_high[-1])]


def test_wandb_has_an_axis_of_its_own(monkeypatch, tmp_path):
    standins.install(monkeypatch, "wandb", Image=lambda pixels: ("picture", pixels.shape))
    run = standins.Run()
    with Probe(views.graph(*data()), nn.Linear(6, 1), tmp_path, loggers=[WandB(run)]) as probe:
        probe(3, force=True)
    assert run.metrics == {"overtone/step": None, "overtone/*": "overtone/step"}
    assert all(values["overtone/step"] == 3 for values in run.logged)
    assert run.logged[-1]["overtone/graph/learning order"][0] == "picture"


@pytest.mark.parametrize(("make", "extra"), [(TensorBoard, "tensorboard"), (WandB, "wandb")])
def test_an_absent_tracker_is_named_with_its_command(make, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(InputError, match=rf"run: pip install {extra}\.$"):
        make(standins.Run())


def test_a_tracker_that_fails_ends_no_training(monkeypatch, tmp_path):
    standins.install(monkeypatch, "tensorboard")
    writer = standins.SummaryWriter()
    monkeypatch.setattr(writer, "add_image", None)
    view = views.graph(*data())
    with Probe(view, nn.Linear(6, 1), tmp_path, schedule=EveryN(), loggers=[TensorBoard(writer)]) as probe:
        with pytest.warns(UserWarning, match="TypeError"):
            probe(0)
        probe(1)
    assert np.isfinite(probe.record.residual_power).all()


def test_pixels_are_dark_where_learned_bright_where_not_and_grey_where_unknown():
    error = np.array([[1.0, 1.0, np.nan], [0.0, 1.0, np.nan]])
    pixels = heatmap([0, 10], np.array([0.0, 1, 2, 4]), error, "Hz").astype(int)
    height, width = pixels.shape[:2]
    assert (height, width) == (332, 552)
    low_start, low_end = pixels[290, 70], pixels[290, 530]
    middle, top = pixels[160, 530], pixels[40, 300]
    np.testing.assert_array_equal(low_start, middle)
    assert low_start.sum() > 2 * low_end.sum()
    np.testing.assert_array_equal(top, (225, 225, 225))


def test_relative_error_is_that_of_records(tmp_path):
    from overtone.records import metrics

    view = views.graph(*data())
    with Probe(view, nn.Linear(6, 1), tmp_path) as probe:
        probe(0)
    own = relative_error_of_row(view.header({}), probe.record.residual_power[0].values)
    expected = metrics.relative_error(metrics.combine_channels(probe.record)).isel(step=0)
    np.testing.assert_allclose(own, expected, rtol=1e-12)
