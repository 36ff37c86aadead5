"""Fields known through functionals: losses, groups held out together, adjoints that belong to their map."""

import numpy as np
import pytest
import torch

from overtone import signals
from overtone.errors import InputError

DRAW = np.random.default_rng(0)
GRID = signals.Grid.unit_box((16,))
MATRIX = torch.from_numpy(DRAW.normal(size=(24, 16)))


def matrix_measurements(**options):
    truth = torch.sin(2 * torch.pi * GRID.coords())
    return signals.measured(lambda v: MATRIX @ v, lambda w: MATRIX.T @ w, MATRIX @ truth, GRID, **options)


def sine(x):
    return torch.sin(2 * torch.pi * x)


def test_loss_is_the_weighted_mean_square_and_vanishes_at_the_truth():
    measured = matrix_measurements(weight=3.0)
    assert float(measured.loss(sine)) < 1e-28
    shifted = float(measured.loss(lambda x: sine(x) + 1))
    assert shifted == pytest.approx(3.0 * float(MATRIX.sum(1).square().mean()))


def test_groups_are_held_out_whole_and_small_terms_are_on_both_sides():
    groups = np.arange(24) // 2
    train, held_out = matrix_measurements(groups=groups).split(0.25, seed=1)
    here, there = (set(m.terms[0].group_numbers().tolist()) for m in (train, held_out))
    assert not here & there
    assert len(there) == 3
    assert train.terms[0].size == 18
    assert float(held_out.loss(sine)) < 1e-28
    assert float(held_out.loss(lambda x: 0 * x)) > 0.1
    both = matrix_measurements(groups=np.arange(24) // 4).split(0.25)
    assert [m.terms[0].size for m in both] == [24, 24]


def test_gradients_of_foreign_maps_come_from_the_adjoint():
    def forward(values):
        return torch.from_numpy(MATRIX.numpy() @ values.detach().numpy())

    factor = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    foreign = signals.measured(forward, lambda w: MATRIX.T @ w, torch.zeros(24, 1), GRID)
    native = signals.measured(lambda v: MATRIX @ v, lambda w: MATRIX.T @ w, torch.zeros(24, 1), GRID)
    pair = [torch.autograd.grad(m.loss(lambda x: factor * sine(x)), factor)[0] for m in (foreign, native)]
    assert float(pair[0]) == pytest.approx(float(pair[1]), rel=1e-12)
    assert float(pair[0]) > 0


def test_networks_of_single_precision_are_measured_in_double():
    assert float(matrix_measurements().loss(lambda x: sine(x).float())) < 1e-11


def test_complex_fields_and_data():
    grid = signals.Grid.unit_box((8,), periodic=True)
    rows = torch.tensor([0, 1, 3, 7])
    matrix = torch.fft.fft(torch.eye(8, dtype=torch.complex128), dim=0)[rows]
    data = matrix @ torch.exp(2j * torch.pi * grid.coords())
    measured = signals.measured(
        lambda v: matrix @ v, lambda w: matrix.mH @ w, data, grid, complex_values=True
    )

    def field(x):
        return torch.cat([torch.cos(2 * torch.pi * x), torch.sin(2 * torch.pi * x)], dim=1)

    assert measured.outputs == 2
    assert float(measured.loss(field)) < 1e-26
    assert float(measured.loss(lambda x: field(x).flip(1))) > 1


def test_real_fields_of_complex_data_compare_the_real_part_of_the_adjoint():
    grid = signals.Grid.unit_box((8,), periodic=True)
    matrix = torch.fft.fft(torch.eye(8, dtype=torch.complex128), dim=0)[:5]
    data = torch.zeros(5, 1, dtype=torch.complex128)
    signals.measured(lambda v: matrix @ v.to(matrix.dtype), lambda w: (matrix.mH @ w).real, data, grid)
    with pytest.raises(InputError, match=r"relative difference of .* on random vectors"):
        signals.measured(lambda v: matrix @ v.to(matrix.dtype), lambda w: (matrix.T @ w).real, data, grid)


@pytest.mark.parametrize(
    ("forward", "adjoint", "message"),
    [
        (lambda v: MATRIX @ v, lambda w: 2 * MATRIX.T @ w, "relative difference"),
        (lambda v: MATRIX @ v, lambda w: (MATRIX.T @ w)[:3], r"values of shape \(16, 1\)"),
        (lambda v: MATRIX @ v + 1, lambda w: MATRIX.T @ w, "a linear map"),
        (lambda v: 0 * MATRIX @ v, lambda w: MATRIX.T @ w, "got zeros"),
        (lambda v: MATRIX @ v / 0, lambda w: MATRIX.T @ w, "got nan or infinity"),
        (lambda v: MATRIX[:3] @ v, lambda w: MATRIX.T @ w, r"shape of the data, \(24, 1\)"),
    ],
)
def test_wrong_maps_are_refused(forward, adjoint, message):
    with pytest.raises(InputError, match=message):
        signals.measured(forward, adjoint, np.zeros((24, 1)), GRID)


def test_wrong_data_groups_shares_and_domains_are_refused():
    with pytest.raises(InputError, match="finite data"):
        signals.measured(lambda v: MATRIX @ v, lambda w: MATRIX.T @ w, np.full((24, 1), np.nan), GRID)
    with pytest.raises(InputError, match=r"one group per functional \(24\)"):
        matrix_measurements(groups=[1, 2])
    with pytest.raises(InputError, match="between 0 and 1"):
        matrix_measurements().split(1.0)
    with pytest.raises(InputError, match="a low end below the high end"):
        signals.Domain((0.0,), (0.0,), ("s",))


def test_functions_of_samples_name_the_function_for_measured_fields():
    with pytest.raises(InputError, match=r"known through functionals .*operators.choose_bandwidth"):
        signals.validate(matrix_measurements())


DATA = torch.ones(4, 1)


@pytest.mark.parametrize(
    ("forward", "data", "options", "message"),
    [
        (lambda v: v.numpy(), DATA, {}, "as a real tensor, as the data are, got ndarray"),
        (lambda v: v + 0j, DATA, {}, "as a real tensor, as the data are, got torch.complex128"),
        (lambda v: v * (1 + 1e-3 * torch.rand(1)), DATA, {}, "different functionals at the second call"),
        (lambda v: v.mul_(2), DATA, {}, "different functionals at the second call"),
        (lambda v: v, DATA, {"noise": -1.0}, "noise as a number of at least 0, got -1"),
        (lambda v: v, DATA, {"noise": [1.0, 2.0]}, "noise as a number of at least 0"),
        (lambda v: v, DATA, {"groups": [0.1, 0.2, 0.3, 0.4]}, "groups as whole numbers, got torch.float"),
    ],
)
def test_maps_that_change_what_they_are_called_with_are_refused(forward, data, options, message):
    with torch.random.fork_rng(), pytest.raises(InputError, match=message):
        signals.measured(forward, lambda w: w, data, signals.Grid.unit_box((4,)), **options)
