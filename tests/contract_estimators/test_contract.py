"""What every estimator keeps to, whatever its samples lie on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from tests.contract_estimators.adapters import ESTIMATORS, MEASURES

TESTS = Path(__file__).parents[1]
SOURCE = TESTS.parent / "src/overtone/spectra"
EACH = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
SINGLE = 2.0**-23


def with_attribute(name):
    """The estimators for which the adapter has it."""
    some = {key: one for key, one in ESTIMATORS.items() if getattr(one, name) is not None}
    return pytest.mark.parametrize("estimator", some.values(), ids=some)


def close(found, wanted, estimator, precision=1e-12):
    """Equal to rounding of the largest entry: small powers are differences of amplitudes as large as that one's."""
    allowed = (precision + estimator.slack) * float(wanted.abs().max())
    torch.testing.assert_close(found, wanted, rtol=0, atol=allowed)


@EACH
def test_a_known_field_has_its_known_power(estimator):
    known = estimator.known()
    torch.testing.assert_close(estimator.power(known.values), known.power, rtol=0, atol=known.tolerance)


@with_attribute("coefficients")
def test_coefficients_are_linear(estimator):
    """A sum of two random fields has coefficients of the size of theirs; each is rounded some hundred times."""
    one, other = estimator.draw(1), estimator.draw(2)
    apart = 2 * estimator.coefficients(one) - 3 * estimator.coefficients(other)
    close(estimator.coefficients(2 * one - 3 * other), apart, estimator)


@with_attribute("coefficients")
def test_the_check_of_linearity_can_fail(estimator):
    one, other = estimator.draw(1), estimator.draw(2)
    with pytest.raises(AssertionError):
        close(estimator.coefficients(one + other), estimator.coefficients(one), estimator, 1e-2)


@EACH
def test_power_is_quadratic(estimator):
    values = estimator.draw(1)
    close(estimator.power(3 * values), 9 * estimator.power(values), estimator)


@EACH
def test_a_shift_or_reversal_leaves_power_alone(estimator):
    values = estimator.draw(1)
    close(estimator.moved(values), estimator.power(values), estimator, 1e-10)


@with_attribute("rough")
def test_another_change_does_not_leave_it_alone(estimator):
    """Mirrored axes know where they begin, clouds and scattered places which value belongs where."""
    values = estimator.draw(1)
    changed, power = estimator.rough(values), estimator.power(values)
    assert float((changed - power).abs().max()) > 1e-3 * float(power.abs().max())


@EACH
def test_power_closes_or_says_what_is_missing(estimator):
    found, wanted = estimator.closure(estimator.draw(1))
    close(found, wanted, estimator, 1e-9)
    assert float(wanted.abs().max()) > 0


@EACH
def test_channels_do_not_know_each_other(estimator):
    values = estimator.draw(1)
    alone = torch.cat([estimator.power(values[..., [c]]) for c in range(2)], -1)
    close(estimator.power(values), alone, estimator)
    swapped = estimator.power(values.flip(-1))
    close(swapped.flip(-1), estimator.power(values), estimator)


@EACH
def test_single_precision_is_rounded_double_precision(estimator):
    """A transform of n numbers loses some log2(n) < 8 roundings of 2^-24 in amplitude, twice that in power; sums over
    the numbers themselves at most as many as there are on a side, 200: 2^-23 * 2 * 200 of the largest power in all."""
    single = estimator.draw(1).float()
    found, wanted = estimator.power(single), estimator.power(single.double())
    assert found.dtype == wanted.dtype == torch.float64
    close(found, wanted, estimator, 400 * SINGLE)


@EACH
def test_the_result_is_where_the_input_is(estimator):
    values = estimator.draw(1)
    before = values.clone()
    assert estimator.power(values).device == values.device
    assert torch.equal(values, before), "the input is left as it was"


@with_attribute("batched")
@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_the_batch_does_not_matter(estimator, batch):
    values = estimator.draw(1)
    close(estimator.batched(values, batch), estimator.power(values), estimator)


TWINS = [twin for one in ESTIMATORS.values() for twin in one.twins] + [
    t for ts in MEASURES.values() for t in ts
]


def defined(file):
    """Names of the tests in a file."""
    return {node.name for node in ast.parse(file.read_text(encoding="utf-8")).body if hasattr(node, "name")}


@pytest.mark.parametrize("twin", sorted(set(TWINS)))
def test_the_twin_that_is_named_exists(twin):
    file, name = twin.split("::")
    assert name in defined(TESTS / file)


def test_every_folder_of_estimators_has_a_twin():
    folders = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    held = {twin.split("/")[0].removeprefix("spectra_") for twin in TWINS}
    assert folders <= held
    assert any(twin.startswith("spectra/test_noise") for twin in TWINS)


def test_a_twin_that_does_not_exist_is_found_out():
    assert "test_that_nobody_wrote" not in defined(Path(__file__))
