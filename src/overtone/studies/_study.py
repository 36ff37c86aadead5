"""Study: a claim of the literature, and how it is put to the test."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from overtone.errors import InputError
from overtone.studies._criteria import MOST_JUDGINGS, Average, Criterion, Limits, SeedInterval, confidence_of

Numbers = Sequence[float] | Sequence[int] | NDArray[np.floating] | NDArray[np.integer]
Curves = Mapping[str, tuple[Numbers, Numbers]]


MET_BY_A_CONDITION = "A condition meets the criterion, which shows that the test can be passed."
"""Why many studies need no positive control of their own."""


class StudySize(Enum):
    """Compute spent on a study.

    Attributes:
        SMOKE: Seconds; shows that the study runs.
        QUICK: Minutes on two cores; gives the verdict that comes with overtone.
        FULL: The source's own dimensions, for a cluster or a GPU.

    Example:
        >>> from overtone.studies import StudySize
        >>> [size.value for size in StudySize]
        ['smoke', 'quick', 'full']
    """

    SMOKE = "smoke"
    QUICK = "quick"
    FULL = "full"


class Topic(Enum):
    """Subject of a claim."""

    ORDER = "The order of learning"
    THEORY = "Theory"
    ACTIVATIONS = "Activations and layers"
    NOISE = "Generalization, noise, robustness"
    DESIGN = "Design"
    FIELDS = "Fields"
    GENERATIVE = "Generative models"


class Tested(Enum):
    """Part of a claim that a study tests.

    Attributes:
        CLAIM: The claim as it is worded.
        CASE: One case of it.
        MECHANISM: The mechanism behind it, for instance a kernel before training.
    """

    CLAIM = "the claim"
    CASE = "one case of it"
    MECHANISM = "its mechanism"


@final
@dataclass(frozen=True)
class Condition:
    """Situation in which a claim is tested.

    Attributes:
        name: Name in a few words.
        settings: Keywords of the measurement that make the situation.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Measurement:
    """Result of measuring one condition with one seed.

    Attributes:
        value: The statistic; NaN where it could not be measured, which counts against the claim.
        curves: Lines for the figure, by name: x and y.
        notes: Sentences about the measurement.
    """

    value: float
    curves: Curves = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class FigureAxes:
    """Axes of a study's figure.

    Attributes:
        x: Title of the horizontal axis, with its unit.
        y: Title of the vertical axis, with its unit.
        log_x: Whether x is logarithmic.
        log_y: Whether y is logarithmic.
    """

    x: str
    y: str
    log_x: bool = False
    log_y: bool = False


@final
@dataclass(frozen=True)
class SizeSettings:
    """Settings of a study at one size.

    Attributes:
        seeds: Number of seeds that are judged; 1 where the measurement does not depend on the seed.
        settings: Keywords of the measurement that set its dimensions.
    """

    seeds: int
    settings: Mapping[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Study:
    """A claim and its test.

    The measurement is called as `measure(seed=..., **settings)` in a process of its own; settings of the condition
    override those of the size.

    Attributes:
        name: One word or several joined by hyphens.
        topic: Subject of the claim.
        claim: One sentence, as the literature says it.
        source: Paper and section.
        statistic: What is measured, in words, with its unit.
        criterion: Values of the statistic that count as the claim holding, in every condition.
        conditions: Situations in which the claim is tested.
        control: Situation in which the claim must fail; without one the test would prove nothing.
        positive: Situation in which the criterion must be met, or the reason why there is none; without one the claim
            cannot be refuted.
        measure: The measurement; the `STUDIES` of its module list this study.
        axes: Axes of the figure.
        sizes: Settings at each size.
        tested: What of the claim is tested.
        average: Average over seeds, and its interval.
        limits: Smallest and largest value that the statistic can have.
        factor: What the conditions differ in, for a verdict "depends on ...".
        first_seed: The first seed that is judged; calibration uses smaller ones.
        judgings: How often the claim was judged on fresh seeds, this time included; intervals widen with it.
        undecidable: Why a run smaller than the source's cannot decide the claim; empty if it can.
        revision: Number of the measurement's version; stored results of another revision are not used.
        caveat: What the test of quick size does not show.

    Raises:
        InputError: If a size has no settings, two conditions have one name, no value can miss the
            criterion, the positive control is missing without a reason, or a claim was judged too often.

    Example:
        >>> from overtone.studies import StudySize, find_study
        >>> study = find_study("hat-conditioning")
        >>> str(study.criterion), study.control.name
        ('at most 0.5', 'ReLU functions')
        >>> study.seeds(StudySize.QUICK)
        range(100, 101)
    """

    name: str
    topic: Topic
    claim: str
    source: str
    statistic: str
    criterion: Criterion
    conditions: tuple[Condition, ...]
    control: Condition
    positive: Condition | str
    measure: Callable[..., Measurement]
    axes: FigureAxes
    sizes: Mapping[StudySize, SizeSettings]
    tested: Tested = Tested.CLAIM
    average: Average = Average.MEAN
    limits: Limits = (-math.inf, math.inf)
    factor: str = "the condition"
    first_seed: int = 100
    judgings: int = 1
    revision: int = 1
    undecidable: str = ""
    caveat: str = ""

    def __post_init__(self) -> None:
        missing = [size.value for size in StudySize if size not in self.sizes]
        if missing:
            raise InputError(
                "settings for every size", f"none for {', '.join(missing)}", "add them", self.name
            )
        names = [condition.name for condition in self.situations]
        if not self.conditions or len(set(names)) != len(names):
            raise InputError(
                "conditions of different names", f"{', '.join(names)}", "name each differently", self.name
            )
        if not self.positive:
            raise InputError("a positive control or a reason", "neither", "add one of them", self.name)
        # A criterion that every possible value meets tests nothing.
        if not any(self.criterion.missed_by(SeedInterval(end, end, end)) for end in self.limits):
            raise InputError(
                "a criterion that some possible value fails",
                f"{self.criterion}",
                "change it or the limits",
                self.name,
            )
        if not 1 <= self.judgings <= MOST_JUDGINGS:
            raise InputError(
                f"1 to {MOST_JUDGINGS} evaluations of the criterion",
                f"{self.judgings}",
                "leave the claim undecided",
                self.name,
            )

    @property
    def positive_control(self) -> Condition | None:
        """Return the positive control, or None if there is a reason in its place."""
        return self.positive if isinstance(self.positive, Condition) else None

    @property
    def situations(self) -> tuple[Condition, ...]:
        """Return everything that is measured: the conditions, the control, and the positive control if there is one."""
        positive = self.positive_control
        return (*self.conditions, self.control, *(() if positive is None else (positive,)))

    @property
    def confidence(self) -> float:
        """Return the confidence of the intervals."""
        return confidence_of(self.judgings)

    def interval(self, values: Sequence[float]) -> SeedInterval:
        """Return the interval of the statistic, from its values per seed."""
        return SeedInterval.from_values(values, self.average, self.limits, self.confidence)

    @property
    def module(self) -> str:
        """Dotted name of the module that defines the study."""
        return self.measure.__module__

    def seeds(self, size: StudySize) -> range:
        """Return the seeds that are judged at a size."""
        return range(self.first_seed, self.first_seed + self.sizes[size].seeds)


def studies_in(module: str) -> tuple[Study, ...]:
    """Return the studies that a module lists as `STUDIES`.

    Args:
        module: Dotted name.

    Raises:
        InputError: If the module cannot be imported, or does not list studies.
    """
    try:
        listed = importlib.import_module(module).STUDIES
    except (ImportError, AttributeError) as missing:
        raise InputError("a module with STUDIES", f"{missing}", "list its studies", module) from missing
    for study in listed:
        if not isinstance(study, Study):
            raise InputError("STUDIES of type Study", f"{type(study).__name__}", "list studies", module)
    return tuple(listed)
