"""A study of nothing, for tests."""

from __future__ import annotations

from overtone.studies import Study, StudySize
from overtone.studies._criteria import AtLeast
from overtone.studies._study import Condition, FigureAxes, Measurement, SizeSettings, Topic


def measure(seed: int, level: float, spread: float = 0.0, points: int = 3) -> Measurement:
    value = level + spread * (-1) ** seed
    return Measurement(value, {"": (range(points), [value] * points)}, ("A note.",))


STUDY = Study(
    name="toy",
    topic=Topic.THEORY,
    claim="Levels are high.",
    source="Nobody 1900, On nothing, section 0",
    statistic="level",
    criterion=AtLeast(1.0),
    conditions=(Condition("first", {"level": 2.0}), Condition("second", {"level": 3.0})),
    control=Condition("low", {"level": 0.0}),
    positive=Condition("highest", {"level": 9.0}),
    measure=measure,
    axes=FigureAxes("Point", "Level"),
    sizes={size: SizeSettings(2) for size in StudySize},
    factor="the weather",
)

STUDIES = (STUDY,)
