"""A study: a claim of the literature, and how it is put to the test."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.studies.criterion import Criterion
from overtone.studies.size import Size

Numbers = Sequence[float] | Sequence[int] | NDArray[np.floating] | NDArray[np.integer]


class Family(Enum):
    """What a claim is about."""

    ORDER = "The order of learning"
    THEORY = "Theory"
    ACTIVATIONS = "Activations and layers"
    NOISE = "Generalization, noise, robustness"
    DESIGN = "Design"
    FIELDS = "Fields"
    GENERATIVE = "Generative models"


@final
@dataclass(frozen=True)
class Condition:
    """A situation in which a claim is tested.

    Attributes:
        name: In a few words.
        settings: Keywords of the measurement that make the situation.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Measured:
    """What one measurement, of one condition with one seed, found.

    Attributes:
        value: The statistic; NaN where it could not be had, which counts against the claim.
        curves: Lines for the figure, by name: x and y.
        notes: Sentences about what happened.
    """

    value: float
    curves: Mapping[str, tuple[Numbers, Numbers]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class Axes:
    """What the figure of a study shows.

    Attributes:
        x: Title of the horizontal axis, with its unit.
        y: Title of the vertical axis, with its unit.
        log_x: Whether x is multiplicative.
        log_y: Whether y is multiplicative.
    """

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False


@final
@dataclass(frozen=True)
class Effort:
    """How much is spent at one size.

    Attributes:
        seeds: How many seeds are judged; 1 for what no seed enters.
        settings: Keywords of the measurement that set its dimensions.
    """

    seeds: int
    settings: Mapping[str, Any] = field(default_factory=dict)


SMOKE = "A smoke run shows that a study runs; its verdict means nothing."
"""What there is to be said of results of the smallest size."""


@final
@dataclass(frozen=True)
class Study:
    """A claim and its test.

    The measurement is called as `measure(seed=..., **settings)` in a process of its own; settings of the condition go
    before those of the size.

    Attributes:
        name: One word or several joined by hyphens.
        family: What it is about.
        claim: One sentence, as the literature says it.
        source: Paper and section.
        statistic: What is measured, in words, with its unit.
        criterion: What the statistic has to reach in every condition.
        conditions: Where the claim is tested.
        control: Where it must fail, or the test would prove nothing.
        measure: The measurement.
        axes: Of its figure.
        efforts: What is spent at each size.
        depends: What the conditions differ in, for a verdict "depends on ...".
        first_seed: The first seed that is judged; calibration uses those below.
        revision: Raised when the measurement changes, so that results of the former one are not taken for its own.
        caveat: What the test of quick size does not show.
    """

    name: str
    family: Family
    claim: str
    source: str
    statistic: str
    criterion: Criterion
    conditions: tuple[Condition, ...]
    control: Condition
    measure: Callable[..., Measured]
    axes: Axes
    efforts: Mapping[Size, Effort]
    depends: str = "the condition"
    first_seed: int = 100
    revision: int = 1
    caveat: str = ""

    def __post_init__(self) -> None:
        missing = [size.value for size in Size if size not in self.efforts]
        if missing:
            raise InputError(
                "an effort for every size", f"none for {', '.join(missing)}", "add it", self.name
            )
        names = [condition.name for condition in (*self.conditions, self.control)]
        if not self.conditions or len(set(names)) != len(names):
            raise InputError(
                "conditions of different names", f"{', '.join(names)}", "name each differently", self.name
            )

    @property
    def module(self) -> str:
        """The file it is written in, as a dotted name."""
        return self.measure.__module__

    def seeds(self, size: Size) -> range:
        """The seeds that are judged."""
        return range(self.first_seed, self.first_seed + self.efforts[size].seeds)

    def care(self, size: Size) -> str:
        """What a result of that size does not show; the caveat is about the quick run, whose verdict is kept."""
        if size is Size.SMOKE:
            return SMOKE
        if size is Size.QUICK or not self.caveat:
            return self.caveat
        return f"Of the quick run it is said: {self.caveat}"


def study_in(module: str) -> Study:
    """The study that a module defines as `STUDY`.

    Raises:
        InputError: If there is none.
    """
    try:
        found = importlib.import_module(module).STUDY
    except (ImportError, AttributeError) as missing:
        raise InputError("a module with a STUDY", f"{missing}", "define one", module) from missing
    if not isinstance(found, Study):
        raise InputError("a STUDY of type Study", f"{type(found).__name__}", "make one", module)
    return found
