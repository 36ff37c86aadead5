"""Fields: power per spatial frequency of targets, predictions and residuals, on boxes and on the sphere."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from overtone import records
from overtone.errors import InputError
from overtone.probes import Observer, Probe, ProbeWarning, Values, views


def waves(shape, turns, samples=3, seed=0):
    """(samples, 1, *shape) waves with whole turns per axis, with random phases."""
    places = torch.meshgrid(*(torch.arange(n).double() / n for n in shape), indexing="ij")
    angle = 2 * math.pi * sum(k * x for k, x in zip(turns, places, strict=True))
    phases = 2 * math.pi * torch.rand(samples, 1, *[1] * len(shape), generator=source(seed)).double()
    return torch.cos(angle + phases)


def source(seed):
    return torch.Generator().manual_seed(seed)


def red(samples, channels, *shape, slope=2.0, seed=0):
    """Periodic random fields of a falling spectrum, float64."""
    noise = torch.randn(samples, channels, *shape, generator=source(seed), dtype=torch.float64)
    axes = tuple(range(2, noise.ndim))
    squares = torch.meshgrid(*(torch.fft.fftfreq(n).double() ** 2 for n in shape), indexing="ij")
    factor = (sum(squares) + 1e-3) ** (-slope / 2)
    return torch.fft.ifftn(torch.fft.fftn(noise, dim=axes) * factor, dim=axes).real


class Gain(nn.Module):
    """Network that multiplies by a number."""

    def __init__(self, gain=0.5):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain, dtype=torch.float64))

    def forward(self, x):
        return self.gain * x


@pytest.mark.parametrize("shape", [(48,), (31,), (24, 20), (21, 24), (16, 17, 18)])
def test_a_wave_of_known_frequency_and_power_is_in_its_band_alone(shape):
    turns = (5,) + (0,) * (len(shape) - 1)
    field = waves(shape, turns)
    view = views.fields(field, field, periodic=True)
    row = view.compare(0.5 * field)
    header = view.header({})
    band = int(np.flatnonzero((header.band_low <= 5 / shape[0]) & (header.band_high > 5 / shape[0]))[0])
    expected = np.zeros_like(view.target_power)
    expected[band] = 0.5
    np.testing.assert_allclose(view.target_power, expected, atol=1e-12)
    np.testing.assert_allclose(row["residual_power"], 0.25 * expected, atol=1e-12)
    np.testing.assert_allclose(row["cross_power"], 0.5 * expected, atol=1e-12)


@pytest.mark.parametrize("periodic", [True, False])
def test_powers_close_are_transposed_with_the_axes_and_scale_with_squares(periodic):
    truth, wrong = red(6, 2, 20, 33, slope=1.0), red(6, 2, 20, 33, slope=1.0, seed=1)
    view = views.fields(truth, truth, periodic=periodic)
    row = view.compare(wrong)
    if periodic:
        assert row["residual_power"].sum(0) == pytest.approx((wrong - truth).square().mean((0, 2, 3)).numpy())
    turned = views.fields(truth.mT, truth.mT, periodic=periodic)
    np.testing.assert_allclose(turned.compare(wrong.mT)["residual_power"], row["residual_power"], rtol=1e-9)
    tripled = views.fields(3 * truth, 3 * truth, periodic=periodic).compare(3 * wrong)
    np.testing.assert_allclose(tripled["residual_power"], 9 * row["residual_power"], rtol=1e-9)
    np.testing.assert_allclose(tripled["cross_power"], 9 * row["cross_power"], rtol=1e-6, atol=1e-9)


def test_single_precision_channels_last_and_any_cut_into_chunks_give_the_same_figures(monkeypatch):
    truth, wrong = red(12, 2, 18, 20), red(12, 2, 18, 20, seed=1)
    row = views.fields(truth, truth, periodic=True).compare(wrong)
    single = views.fields(truth.float(), truth.float(), periodic=True).compare(wrong.float())
    np.testing.assert_allclose(single["residual_power"], row["residual_power"], rtol=1e-5)
    last = views.fields(truth, truth.movedim(1, -1), channel_axis=-1, periodic=True)
    np.testing.assert_allclose(last.compare(wrong.movedim(1, -1))["cross_power"], row["cross_power"])
    monkeypatch.setattr("overtone.spectra._pair_power._COEFFICIENTS", 1000)
    np.testing.assert_allclose(
        views.fields(truth, truth, periodic=True).compare(wrong)["residual_power"], row["residual_power"]
    )


def test_the_sphere_is_measured_by_degree():
    latitude, longitude = np.linspace(90, -90, 19), np.arange(0, 360, 10.0)
    pattern = np.sin(np.radians(latitude))[:, None] * np.ones(len(longitude))
    field = torch.tensor(pattern).expand(3, 1, -1, -1) * torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1)
    view = views.fields(field, field, coordinates=(latitude, longitude))
    header = view.header({})
    assert header.attrs["frequency_unit"] == "degree"
    assert header.attrs["fields"]["unit"] == "km"
    band = int(np.flatnonzero((header.band_low <= 1) & (header.band_high > 1))[0])
    # The mean square of sin over the sphere is 1/3, and the mean square amplitude 14/3.
    assert view.target_power[band, 0] == pytest.approx(14 / 9, rel=1e-6)
    assert view.target_power.sum() == pytest.approx(14 / 9, rel=1e-6)


def convolution():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.2), nn.Conv2d(4, 1, 3, padding=1)
    )


def test_the_probe_leaves_the_network_the_optimizer_and_all_random_numbers_as_they_were():
    x = red(40, 1, 16, 16).float()
    network = convolution().train()
    network(x[:4]).sum().backward()
    before, modes = copy.deepcopy(network.state_dict()), [m.training for m in network.modules()]
    gradients = [p.grad.clone() for p in network.parameters()]
    state = torch.get_rng_state()
    with Probe.of(x, x, network) as probe:
        assert probe.views[0].name == "fields"
        for step in range(3):
            probe(step)
    assert torch.equal(torch.get_rng_state(), state)
    assert [m.training for m in network.modules()] == modes
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(torch.equal(p.grad, g) for p, g in zip(network.parameters(), gradients, strict=True))


def test_periodic_axes_are_those_of_the_fields_view():
    x = red(20, 1, 16, 16)
    for axes in (True, (False, True)):
        with Probe.of(x, x, nn.Identity(), periodic=axes) as probe:
            (view,) = probe.views
            expected = views.fields(x, x, periodic=axes)
            assert view.geometry == expected.geometry
            np.testing.assert_allclose(view.target_power.sum(), expected.target_power.sum())
        assert views.choose(x, x, periodic=axes).geometry == expected.geometry
        with Observer.of(x.numpy(), x.numpy(), periodic=axes) as observer:
            assert observer.views[0].geometry == expected.geometry
    with pytest.raises(InputError, match="targets that are fields, with axes of space, for periodic"):
        Probe.of(x[:, 0, :, 0], x[:, 0, :1, 0], nn.Linear(16, 1).double(), periodic=True)


CHOSEN = {
    "pictures": ((9, 2, 16, 20), {}, "fields"),
    "time after channels": ((9, 2, 40), {"channel_axis": 1}, "fields"),
    "volumes": ((9, 1, 16, 16, 16), {}, "fields"),
    "time before channels": ((9, 40, 2), {"channel_axis": 2}, "sequence"),
    "too small": ((20, 2, 8, 8), {"channel_axis": 1}, "graph"),
}


@pytest.mark.parametrize(("shape", "options", "name"), CHOSEN.values(), ids=CHOSEN)
def test_values_with_axes_of_space_or_time_are_fields(shape, options, name):
    x = torch.randn(shape, generator=source(0))
    if x.ndim > 3:
        options = {"channel_axis": 1}
    assert views.choose(x, x, **options).name == name


def test_the_graph_of_samples_stays_in_reach():
    x = torch.randn(30, 1, 16, 16, generator=source(0))
    assert views.graph(x, x, channel_axis=1, modes=5).name == "graph"
    assert views.choose(x, x, channel_axis=1, features=x.flatten(1)[:, :5]).name == "graph"
    assert views.choose(x, (x > 0).long(), classes=2).name == "graph"


def test_samples_are_drawn_over_the_whole_set_and_say_of_how_many():
    x = torch.randn(300, 1, 16, 16, generator=source(0))
    view = views.choose(x, x, channel_axis=1)
    assert view.inputs.count == 32
    stored = view.header({}).attrs["fields"]
    assert stored["drawn_from"] == 300
    assert len(views.fields(x, x, samples=10).target.values) == 10


def test_rows_hold_intervals_blocks_and_pictures_at_few_steps(tmp_path):
    x = red(24, 1, 16, 16)
    network = Gain(0.0)
    with Probe(views.fields(x, x, periodic=True), network, tmp_path / "run") as probe:
        for step in range(12):
            network.gain.data.fill_(step / 11)
            probe(step)
    record, arrays = probe.record, records.snapshots(tmp_path / "run")
    assert probe.faults == []
    margins = record.attrs["margins"]["5"]["relative_power"]
    assert len(margins) == record.sizes["band"]
    # The error ratio of a gain is (1 - gain)^2 in every sample: its interval has no width.
    assert max(margins) < 1e-6
    assert arrays.steps("prediction") == (0, 1, 4, 11)
    assert arrays.steps("target") == (-1,)
    assert arrays.steps("blocks") == tuple(record.step.values)
    target, last = arrays.get("target", -1), arrays.get("prediction", 11)
    assert target.shape == (16, 16, 2)
    np.testing.assert_allclose(last, target)
    blocks = arrays.get("blocks", 0)
    assert blocks.shape == (24, 3, record.sizes["band"], 1)
    np.testing.assert_allclose(blocks[:, 0].mean(0), record.target_power, rtol=1e-5)


def test_a_resumed_record_goes_on_with_its_pictures(tmp_path):
    x, network = red(12, 1, 16, 16), Gain()
    view = views.fields(x, x)
    with Probe(view, network, tmp_path / "run") as probe:
        for step in range(6):
            probe(step)
    with Probe.resume(view, network, tmp_path / "run", after=4) as probe:
        for step in (5, 30):
            probe(step, force=True)
    arrays = records.snapshots(tmp_path / "run")
    assert arrays.steps("prediction") == (0, 1, 4, 5, 30)
    assert arrays.steps("blocks") == tuple(probe.record.step.values)


def test_one_sample_and_nine_have_no_interval():
    for count in (1, 9):
        x = red(count, 1, 16, 16)
        row = views.fields(x, x).compare(0.5 * x)
        assert "margins" not in row
        assert row["arrays"]["blocks"].shape[0] == count


def test_an_observer_measures_predictions_of_any_library(tmp_path):
    x = red(12, 1, 16, 16)
    with Observer(views.fields(x, x, periodic=True), tmp_path / "run") as observer:
        observer.observe(0, 0.5 * np.asarray(observer.inputs))
    ratio = observer.record.residual_power.sum() / observer.record.target_power.sum()
    assert float(ratio) == pytest.approx(0.25)


def test_predictions_that_are_not_finite_mark_the_row_alone(tmp_path):
    x, network = red(12, 1, 16, 16), Gain()
    with Probe(views.fields(x, x), network, tmp_path / "run") as probe:
        probe(0)
        network.gain.data.fill_(math.nan)
        with pytest.warns(ProbeWarning, match="outputs are not finite"):
            probe(1)
        network.gain.data.fill_(1.0)
        probe(2)
    assert np.isfinite(probe.record.residual_power).all(["band", "channel"]).values.tolist() == [
        True,
        False,
        True,
    ]


REFUSED = {
    "NaN alone in the targets": (
        lambda x: views.fields(x, x * math.nan),
        "values in each channel, got NaN alone",
    ),
    "infinity in the targets": (lambda x: views.fields(x, x / 0), "NaN or infinity in 4 of 4 rows"),
    "NaN in the inputs": (lambda x: views.fields(x / 0, x), "NaN or infinity in 4 of 4 rows"),
    "four axes of space": (
        lambda x: views.fields(x, x[..., None, None]),
        "with 1 to 3 axes of space or time, got 4",
    ),
    "labels": (lambda x: views.fields(x, x.long(), channel_axis=1), "targets that are known to be"),
    "too small": (lambda x: views.fields(x[..., :4, :4], x[..., :4, :4]), "three waves of its finest scale"),
    "other counts": (lambda x: views.fields(x[:3], x), "expected 3 targets, one per sample, got 4"),
    "other coordinates": (
        lambda x: views.fields(x, x, coordinates=(np.linspace(90, -90, 19), np.arange(0, 360, 10.0))),
        "expected targets on 19 latitudes and 36 longitudes, got fields of shape .16, 16.",
    ),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_spectrum_is_refused_in_a_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call(torch.randn(4, 1, 16, 16, generator=source(0)))


def test_values_declared_with_their_axis_are_fields():
    x = torch.randn(9, 2, 20, 20, generator=source(0))
    assert views.choose(x, Values(x, channel_axis=1, channels=["u", "v"])).target.channels == ("u", "v")


def test_only_channels_without_names_are_colours():
    x = torch.rand(9, 3, 16, 16, generator=source(0))
    for names, groups in ((None, [[0, 1, 2]] * 2), (("u", "v", "w"), [[0], [1], [2]] * 2)):
        stored = views.fields(x, x, channels=names).header({}).attrs["fields"]["pictures"]
        assert [entry["channels"] for entry in stored] == groups
