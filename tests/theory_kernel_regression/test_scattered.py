from __future__ import annotations

import pytest
import torch

from overtone.errors import InputError
from overtone.theory import kernel_regression, ntk
from tests.theory_kernel_regression.slow import dense, gaussian, picture, seeded


def scattered(n: int):
    x = torch.rand(n, 2, generator=seeded(0), dtype=torch.float64)
    y = torch.stack([(12 * x[:, 0]).sin() * x[:, 1], (9 * x[:, 1]).cos()], 1)
    held = torch.zeros(n, dtype=torch.bool)
    held[::7] = True
    return x, y, held


def network(sigma: float = 1.0) -> ntk.InfiniteNetwork:
    inputs = ntk.FeatureMap.fourier(gaussian(sigma).frequencies)
    return ntk.InfiniteNetwork.fully_connected([ntk.DenseLayer.ntk()] * 3, ntk.DualActivation.relu(), inputs)


def test_on_a_grid_it_is_the_dense_fit():
    signal = picture(14, 2, noise=0.3)
    model = kernel_regression.NTKModel.from_encoding(gaussian(1.0), signal.geometry)
    used = ~signal.ignored
    x = signal.coords
    found = kernel_regression.fit_scattered(
        model.network, x[used], signal.values[used], signal.held_out[used], x
    )
    assert found.exact
    exact = dense(signal, model, found.times[found.index : found.index + 1])[0].reshape(-1, 2)
    assert torch.allclose(found.prediction, exact, atol=1e-6 * float(exact.abs().max()))
    held = signal.held_out_index
    error = (exact[held] - signal.values[held]).square().mean(0)
    assert torch.allclose(found.error[found.index], error, rtol=1e-5)


def test_more_landmarks_come_closer():
    x, y, held = scattered(500)
    full = kernel_regression.fit_scattered(network(), x, y, held, x)
    gaps = []
    for count in (20, 80, 320):
        found = kernel_regression.fit_scattered(network(), x, y, held, x, landmarks=count)
        assert found.rank <= count
        assert not found.exact
        gaps.append(float((found.prediction - full.prediction).norm() / full.prediction.norm()))
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]
    assert gaps[2] < 0.02


def test_plain_coordinates_will_do():
    x, y, held = scattered(200)
    wide = ntk.InfiniteNetwork.fully_connected(
        [ntk.DenseLayer.ntk(sigma_b=0.5)] * 3, ntk.DualActivation.relu()
    )
    found = kernel_regression.fit_scattered(wide, x, y, held, x[held])
    assert found.prediction.shape == (int(held.sum()), 2)
    assert float(found.error[found.index].mean()) < float(y[held].var(0).mean())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda x, y, h: kernel_regression.fit_scattered(network(), x, y[:, 0], h, x), r"values \(N, C\)"),
        (lambda x, y, h: kernel_regression.fit_scattered(network(), x, y, h & False, x), "0 of 50 held out"),
        (lambda x, y, h: kernel_regression.fit_scattered(network(), x, y, h | True, x), "50 of 50 held out"),
    ],
)
def test_wrong_input_is_named(build, message):
    with pytest.raises(InputError, match=message):
        build(*scattered(50))
