"""Rules for ranking networks of each kind: regressions on untrained copies, short trainings, or a fixed rule."""

from __future__ import annotations

from typing import NamedTuple

from overtone._config import Activation, EncodingKind, ModelConfig


class Ranking(NamedTuple):
    """Rule for ranking networks of a kind.

    Attributes:
        name: Name in reasons.
        tried: Candidates that are trained for a while.
        regret: Mean regret in dB of the choice without trials, as measured; see the results.
        regret_with_trials: The same with trials.
        octaves_below: How far below the best of the regressions, in rungs of the ladder, the candidates lie that are
            trained, from the lowest to the highest; empty where those that the regressions rank best are.
        untried_below: The same of the one that is taken without trials.
        by_outlook: Whether the trials are extrapolated by regressions with the trained networks' tangent kernels.
        regressions_count: Whether regressions on untrained copies may be judged together with the trials.
        is_fixed: Whether the ladder is a single bandwidth, because nothing cheaper than training ranks others.
        weight: Weight of the regressions' error against the trial's, both in dB: after few steps a trial shows speed
            more than quality, the more so, the more candidates far from the best are tried.
        counted_steps: Steps of the run up to which the regressions' ridge falls; None if it falls with all of them.
    """

    name: str
    tried: int
    regret: float
    regret_with_trials: float
    octaves_below: tuple[int, ...] = ()
    untried_below: int = 0
    by_outlook: bool = False
    regressions_count: bool = True
    is_fixed: bool = False
    weight: float = 4.0
    counted_steps: int | None = None


FOURIER = Ranking("fourier", 2, 0.6, 0.4, weight=1.0, counted_steps=300)
"""Fourier features, or none, before plain layers: the last hidden layer ranks well. Two with weight 1 lose 0.2 dB
less than three with weight 4. After 300 steps the best bandwidth hardly changes, but random features overfit. The
regrets are means of 114 cases of the batteries A, B, D and E: 0.63 and 0.42."""

PERIODIC = Ranking(
    "periodic activation", 3, 0.9, 0.7, (3, 2, 1), untried_below=2, by_outlook=True, regressions_count=False
)
"""Sines: the layers behind the first multiply frequencies while they learn, so that networks do best one to three
octaves below what their untrained last layer does best at."""

FINER = PERIODIC._replace(regret=0.5, regret_with_trials=0.4, untried_below=1)
"""Sines of growing frequency, whose first layer already holds higher ones than its bandwidth says."""

LOCALISED = PERIODIC._replace(
    name="localised", regret=0.4, regret_with_trials=0.2, octaves_below=(0, -1, -2), untried_below=-2
)
"""Gaussians and others of limited support: untrained layers are so rough that regressions prefer the smoothest, and
networks do best up to two octaves above."""

GABOR = LOCALISED._replace(regret=1.4, regret_with_trials=0.3, untried_below=-1)
"""Gabor wavelets, which do best nearer to the best of the regressions."""

OF_ACTIVATIONS = (PERIODIC, FINER, LOCALISED, GABOR)
"""Rankings of networks with one frequency for all axes."""

CELLS = Ranking("cells", 1, 1.3, 1.3, by_outlook=True, regressions_count=False, is_fixed=True)
"""Grids of trained values: neither regressions nor trials rank them better than a fixed rule does, since the quality of
trained grids itself is jagged over resolutions."""

OWN = Ranking("own network", 4, 2.3, 1.1, (3, 2, 1, 0), untried_below=2, by_outlook=True)
"""Networks of the caller, of any kind: the trials show whether the regressions rank them."""


def ranking_of(model: ModelConfig) -> Ranking:
    """Return the rule for ranking networks with these settings.

    Args:
        model: The settings.
    """
    kind, first = model.resolved_encoding, model.activation[0]
    if kind in (EncodingKind.HASH_GRID, EncodingKind.DENSE_GRID, EncodingKind.TRIPLANE):
        return CELLS
    if kind is not EncodingKind.NONE or not first.has_bandwidth:
        return FOURIER
    if first is Activation.FINER:
        return FINER
    if first in (Activation.GABOR, Activation.COMPLEX_GABOR):
        return GABOR
    return PERIODIC if first is Activation.SINE else LOCALISED
