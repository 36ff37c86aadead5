"""Plans for scattered samples and tables."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage import data

from overtone import planning, signals
from overtone._config import EncodingKind
from overtone.errors import InputError
from overtone.planning import Budget, Plan, ReasonCode
from overtone.planning._held_out import ensure_held_out


def places(samples=250, axes=2, seed=0):
    return np.random.default_rng(seed).random((samples, axes))


def striped(samples=250, cycles=5.0, **options):
    x = places(samples)
    return signals.points(x, np.cos(2 * np.pi * cycles * x[:, 0]), **options)


SHORT = Budget(steps=400, parameters=20_000)


@pytest.fixture(scope="module")
def plan():
    return planning.plan(striped(), SHORT)


def test_each_axis_gets_what_it_needs(plan):
    across, along = plan.bandwidth
    assert 2.5 < across < 20
    assert along < across / 4
    assert plan.recommended
    assert plan.encoding is EncodingKind.GAUSSIAN
    assert plan.reason(ReasonCode.AXIS_BANDWIDTHS).values["axes"]


def test_faster_stripes_get_more(plan):
    assert planning.plan(striped(cycles=1.0), SHORT).bandwidth[0] < plan.bandwidth[0]


def photograph(samples=600):
    """Pixels of a photograph of 64 x 64, drawn at random."""
    picture = data.camera().reshape(64, 8, 64, 8).mean((1, 3)) / 255
    drawn = np.random.default_rng(0).choice(picture.size, samples, replace=False)
    return signals.points(np.stack(np.divmod(drawn, 64), 1) / 64, picture.ravel()[drawn])


def test_a_photograph_gets_what_trained_networks_are_best_at():
    chosen = planning.plan(photograph(), Budget(steps=400, parameters=20_000)).bandwidth
    # Networks trained for 400 steps are best at 2.2 cycles per picture and lose 1 dB at 0.7 and 4.
    assert all(0.9 < b < 4 for b in chosen)


def test_units_of_the_coordinates_do_not_matter(plan):
    x = places()
    metres = signals.points(1000 * x + 50, np.cos(10 * np.pi * x[:, 0]))
    found = planning.plan(metres, SHORT)
    # The box of the places is rounded to 2^-53 of its coordinates; errors of the twins by some hundred times that.
    assert [1000 * b for b in found.bandwidth] == pytest.approx(list(plan.bandwidth), rel=1e-6)


def test_held_out_values_are_not_learned_from():
    signal = ensure_held_out(striped(300), 0)
    wild = signal.values.clone()
    wild[signal.held_out_index] = torch.randn(len(signal.held_out_index), 1).double()
    assert planning.plan(signal, SHORT).recommended
    assert not planning.plan(replace(signal, values=wild), SHORT).recommended


def test_noise_is_not_worth_a_network():
    noise = np.random.default_rng(1).standard_normal(500)
    found = planning.plan(signals.points(places(500), noise), SHORT)
    assert not found.recommended
    assert [w.code for w in found.warnings] == [ReasonCode.NOT_RECOMMENDED]


def test_a_table_is_judged_by_short_runs_and_a_plan_crosses_json():
    x = places(200, 5)
    table = signals.points(x, x @ np.arange(5.0), units=list("abcde"), kind="table")
    found = planning.plan(table, Budget(steps=300, parameters=20_000))
    tried = {c.encoding.value for c in found.candidates if c.trial_steps}
    assert tried == {"gaussian", "none", "periodic"}
    assert sum(c.trial_steps for c in found.candidates) <= 300 / 4
    assert Plan.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.field(table)(table.coords).shape == (200, 1)


@pytest.mark.parametrize(
    "family", [EncodingKind(name) for name in ("gaussian", "positional", "none", "periodic")]
)
def test_every_family_builds_a_field_for_a_table(family, plan):
    table = signals.points(places(40, 3), places(40, 2), units=list("abc"), kind="table")
    field = replace(plan, encoding=family, bandwidth=(1.0, 2.0, 3.0)).field(table)
    assert field(table.coords).shape == (40, 2)
    if family is not EncodingKind.NONE:
        assert field.bandwidth == pytest.approx((1.0, 2.0, 3.0), rel=1e-3)


def test_labels_are_numbers_only_where_they_are_said_to_be():
    x = places(120)
    labels = np.digitize(x[:, 0], [0.3, 0.6]).astype(float)
    signal = signals.points(x, labels, channels=["species"])
    assert isinstance(planning.plan(signal, SHORT, choose="quick"), planning.ClassPlan)
    assert planning.plan(signal, SHORT, quantities=True, choose="quick").recommended
    both = signals.points(x, np.stack([x[:, 0], labels], 1), channels=["height", "species"])
    with pytest.raises(
        InputError, match=r"3 values alone in column 'species' \(0, 1, 2\), which look like labels"
    ):
        planning.plan(both, SHORT)
    # Twelve whole numbers are counts.
    assert planning.plan(signals.points(x, np.floor(12 * x[:, 0])), SHORT, choose="quick").recommended


def test_too_few_samples_are_told():
    found = planning.plan(striped(20))
    assert found.expected is None
    assert found.reasons[0].code is ReasonCode.TOO_FEW_SAMPLES
    assert found.reasons[0].values["samples"] == 20
    assert found.features == 20


def test_still_axes_and_the_same_seed():
    x = places(200)
    x[:, 1] = 3.0
    signal = signals.points(x, np.cos(10 * x[:, 0]))
    assert planning.plan(signal, SHORT) == planning.plan(signal, SHORT)
