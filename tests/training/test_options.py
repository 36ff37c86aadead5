import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone._training import Decay, Precision, TrainingConfig
from overtone.errors import InputError


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"steps": 0}, "steps: expected a positive finite number, got 0"),
        ({"seconds": math.nan}, "seconds: expected a positive finite number, got nan"),
        ({"batch": -1}, "batch: expected a positive finite number, got -1"),
        ({"lr": math.inf}, "lr: expected a positive finite number, got inf"),
        ({"momentum": 1.0}, "momentum: expected a momentum in \\[0, 1\\), got 1.0"),
        ({"weight_decay": -1e-3}, "weight_decay: expected a weight decay of at least 0, got -0.001"),
        ({"seed": -1}, "seed: expected a seed of at least 0, got -1"),
    ],
)
def test_wrong_options(wrong, text):
    with pytest.raises(InputError, match=text):
        TrainingConfig(**wrong)


@given(st.floats(0, 1))
def test_decay_closed_forms(share):
    assert Decay.CONSTANT.factor(share) == 1
    assert Decay.COSINE.factor(share) == pytest.approx((1 + math.cos(math.pi * share)) / 2)
    assert Decay.EXPONENTIAL.factor(share) == pytest.approx(10**-share)


def test_share_is_the_budget_nearest_its_end():
    both = TrainingConfig(steps=100, seconds=10.0)
    assert both.share(50, 1.0) == 0.5
    assert both.share(50, 9.0) == 0.9


def test_the_budget_is_2000_steps_unless_steps_or_seconds_are_given():
    assert TrainingConfig().max_steps == 2000
    assert TrainingConfig(seconds=3.0).max_steps is None
    assert TrainingConfig(5, seconds=3.0).max_steps == 5
    assert TrainingConfig().budget == "2000 steps"
    assert TrainingConfig().used_up(2000, 0.0)


def test_batch_is_never_more_than_there_is():
    assert TrainingConfig(batch=100).batch_of(30) == 30
    assert TrainingConfig().batch_of(10**6) == 8_192


def test_mixed_precision_where_a_device_gains_from_it():
    assert Precision.AUTO.mixed_on("cuda")
    assert not Precision.AUTO.mixed_on("cpu")
    assert Precision.MIXED.mixed_on("cpu")
    assert not Precision.FULL.mixed_on("cuda")


def test_compiling_is_for_long_runs_on_a_gpu():
    assert TrainingConfig(steps=5000).compiles_on("cuda")
    assert not TrainingConfig(steps=50).compiles_on("cuda")
    assert not TrainingConfig(steps=5000).compiles_on("cpu")
    assert TrainingConfig(steps=5, compile=True).compiles_on("cpu")
