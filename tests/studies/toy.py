"""A study of nothing, for tests."""

from __future__ import annotations

from overtone.studies import AtLeast, Axes, Condition, Effort, Family, Measured, Size, Study


def measure(seed: int, level: float, spread: float = 0.0, points: int = 3) -> Measured:
    value = level + spread * (-1) ** seed
    return Measured(value, {"": (range(points), [value] * points)}, ("A note.",))


STUDY = Study(
    name="toy",
    family=Family.THEORY,
    claim="Levels are high.",
    source="Nobody 1900, On nothing, section 0",
    statistic="level",
    criterion=AtLeast(1.0),
    conditions=(Condition("first", {"level": 2.0}), Condition("second", {"level": 3.0})),
    control=Condition("low", {"level": 0.0}),
    measure=measure,
    axes=Axes("Point", "Level"),
    efforts={size: Effort(2) for size in Size},
    depends="the condition",
)
