import numpy as np
import pytest
import torch
from sklearn.neural_network import MLPRegressor

from overtone import signals
from overtone.errors import InputError
from overtone.probes import EveryN, Observer, Probe, ProbeWarning, views
from overtone.records import metrics
from tests.probes.fields import tones


def data(seed=0):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(60, 5))
    return x, np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], 1)


def test_predictions_give_the_rows_of_a_probe(tmp_path):
    x, y = data()
    network = torch.nn.Linear(5, 2).double()
    with Probe.of(x, y, network, tmp_path / "a") as probe, Observer.of(x, y, tmp_path / "b") as observer:
        for step in range(3):
            probe(step, loss=1.0)
            given = torch.from_numpy(observer.inputs)
            assert observer.due(step)
            assert observer.observe(step, network(given).detach().numpy(), loss=1.0)
            assert not observer.observe(step, network(given).detach().numpy())
    for name in ("target_power", "residual_power", "cross_power", "train_error", "loss"):
        np.testing.assert_array_equal(probe.record[name], observer.record[name])
    assert isinstance(observer.inputs, np.ndarray)


def test_a_network_of_another_library_is_watched(tmp_path):
    signal = tones(samples=64, frequencies=(1, 5))
    network = MLPRegressor(
        hidden_layer_sizes=(64,), activation="tanh", learning_rate_init=0.02, random_state=0
    )
    with Observer(signal, tmp_path, attrs={"network": "MLPRegressor"}) as observer:
        x, y = observer.inputs, signal.values.numpy()[:, 0]
        features = np.concatenate([np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)], 1)
        network.partial_fit(features, y)
        for step in range(1, 200):
            if observer.due(step):
                observer.observe(step, network.predict(features), loss=network.loss_)
            network.partial_fit(features, y)
    error = metrics.relative_error(metrics.combine_channels(observer.record)).isel(step=-1)
    low, high = (float(error.sel(band=f, method="nearest")) for f in (1.0, 5.0))
    assert low < 0.3 < high
    assert observer.record.attrs["network"] == "MLPRegressor"


def test_several_views_take_a_dict(tmp_path):
    x, y = data()
    watched = [views.graph(x, y), views.filters(x[:40], y[:40], widths=[1.0])]
    with Observer(watched, tmp_path, schedule=EveryN(2)) as observer:
        assert [observer.due(step) for step in range(3)] == [True, False, True]
        observer.observe(0, {"graph": 0 * y, "filters": 0 * y[:40]})
        np.testing.assert_allclose(observer.records["filters"].residual_power[0], watched[1].target_power)
        with pytest.warns(ProbeWarning, match="predictions for the view 'filters', got some for 'graph'"):
            observer.observe(2, {"graph": y})
    assert np.isfinite(observer.records["graph"].residual_power).all()
    assert np.isnan(observer.records["filters"].residual_power[1]).all()


@pytest.mark.parametrize(
    ("predictions", "text"),
    [
        (np.zeros((59, 2)), r"real predictions at 60 samples, got torch.float64 of shape \(59, 2\)"),
        (np.zeros((60, 3)), r"outputs of shape \(samples, 2\), like the targets, got \(samples, 3\)"),
        (np.zeros((60, 2), complex), "got torch.complex128"),
    ],
)
def test_predictions_that_do_not_fit(predictions, text, tmp_path):
    with Observer.of(*data(), tmp_path, strict=True) as observer, pytest.raises(InputError, match=text):
        observer.observe(0, predictions)


def test_what_is_not_a_view_of_samples_is_refused():
    with pytest.raises(InputError, match=r"got ndarray; use Observer.of"):
        Observer([np.zeros(3)])


def test_a_signal_is_observed_on_its_grid(tmp_path):
    signal = signals.array(np.random.default_rng(0).normal(size=(8, 6)))
    with Observer(signal, tmp_path) as observer:
        assert observer.inputs.shape == (48, 2)
        observer.observe(0, signal.values.numpy())
    np.testing.assert_allclose(observer.record.residual_power, 0, atol=1e-30)
