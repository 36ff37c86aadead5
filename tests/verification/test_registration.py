"""Structure in the wrong place: displaced where shifts restore its coherence, and not where they do not."""

from __future__ import annotations

import numpy as np
import pytest

import overtone as ot
from overtone.records.metrics._field_scores import FactCode
from tests.verification import fields

TRUTH = fields.truth(24, exponent=2.0)


def verified(forecast, truth=TRUTH, **options):
    return ot.verify(forecast, truth, **{"periodic": True, "spacing": 10.0, "unit": "km", **options})


@pytest.mark.parametrize("periodic", [True, False])
def test_a_displaced_field_is_said_to_be_with_its_shift(periodic):
    """The forecast has the truth's structure five rows further and three columns back."""
    forecast, truth = np.roll(TRUTH, (5, -3), (2, 3)), TRUTH
    if not periodic:
        forecast, truth = forecast[..., 4:60, 2:62], truth[..., 4:60, 2:62]
    result = verified(forecast, truth, periodic=periodic)
    (registration,) = result.registrations
    assert registration.displaced
    assert registration.certain
    assert registration.after > 0.85
    assert registration.before < 0.3
    assert registration.shift == pytest.approx((50, -30), abs=3)
    assert registration.distance == pytest.approx(np.hypot(50, 30), rel=0.05)
    assert any("is displaced: shifts of 58 km" in sentence for sentence in result.sentences)


def test_other_phases_are_not_displaced():
    low = np.where(fields.K < 6, 1.0, 0.0)
    other = fields.truth(24, 9, exponent=2.0)
    result = verified(fields.filtered(TRUTH, low) + fields.filtered(other, 1 - low))
    assert result.scores[0].facts[-1].code is FactCode.MISPLACED
    (registration,) = result.registrations
    assert not registration.displaced
    assert registration.after == pytest.approx(registration.chance, abs=0.1)
    assert any("no shift restores" in sentence for sentence in result.sentences)


def test_a_field_in_the_right_place_is_not_registered():
    assert verified(fields.blurred(TRUTH)).registrations == ()


def test_storms_of_a_globe_are_displaced_in_kilometres():
    """Blobs of random sign and place, three columns of 2 degrees further, which are shorter away from the equator."""
    generator = np.random.default_rng(0)
    latitude, longitude = np.linspace(89, -89, 90), np.arange(1.0, 360, 2)
    truth = np.zeros((10, 1, 90, 180))
    for field in truth[:, 0]:
        for _ in range(200):
            row, column = np.degrees(np.arcsin(generator.uniform(-1, 1))), generator.uniform(0, 360)
            north = latitude - row
            east = ((longitude - column + 180) % 360 - 180) * np.cos(np.radians(row))
            field += generator.standard_normal() * np.exp(-(north[:, None] ** 2 + east**2) / 16)
    result = ot.verify(np.roll(truth, 3, axis=3), truth, latitude=latitude, longitude=longitude)
    (registration,) = result.registrations
    assert registration.displaced
    assert abs(registration.shift[0]) < 20
    assert 6 * 111.2 * 0.6 < registration.shift[1] < 6 * 111.2
