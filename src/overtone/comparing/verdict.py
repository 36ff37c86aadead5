"""Who wins, by how much, and whether any network is worth its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

from overtone.comparing.choices import MEAN
from overtone.comparing.score import CLEAR, Margin, Score
from overtone.plots.text import number


@final
@dataclass(frozen=True)
class Verdict:
    """What follows from the scores.

    Attributes:
        winner: The candidate to take. A network only where it is surely better than all that is no network.
        worth_a_network: Whether one is; None if more seeds are needed to tell.
        sentences: Why.
    """

    winner: str
    worth_a_network: bool | None
    sentences: tuple[str, ...]


def decide(scores: Sequence[Score], against: Mapping[tuple[str, str], Margin]) -> Verdict:
    """Judge.

    Args:
        scores: Of all candidates, best first, `mean` among them.
        against: Margins of (better, worse) pairs, at least those of the best network, the best other candidate, the
            best of all and the second, and the mean.
    """
    by_name = {score.name: score for score in scores}
    best, plain = scores[0], next(s for s in scores if not s.trained)
    if best.name == MEAN or not against[best.name, MEAN].clear:
        text = (
            "Do not fit this: nothing predicts the held-out samples surely better than their mean "
            f"({by_name[MEAN].mean:.1f} dB). What it holds is noise, or finer than its samples."
        )
        return Verdict(MEAN, False, (text,))
    network = next((s for s in scores if s.trained), None)
    ahead = network is best and against[best.name, plain.name].mean >= CLEAR
    worth = ahead and against[best.name, plain.name].clear
    winner = best if worth else plain
    others = [s for s in scores if s is not winner]
    sentences = [f"{winner.name} wins with {_level(winner)}.", _lead(winner, others[0], against)]
    if network is not None:
        sentences.append(_worth(network, plain, worth, ahead, against))
    return Verdict(winner.name, None if ahead and not worth else worth, tuple(sentences))


def _lead(winner: Score, other: Score, against: Mapping[tuple[str, str], Margin]) -> str:
    if (winner.name, other.name) not in against:
        found = against[other.name, winner.name]
        return f"{other.name} is {found} above it, too uncertain to count on."
    found = against[winner.name, other.name]
    if found.clear:
        return f"That is {found} above {other.name}."
    return f"It cannot be told from {other.name}, which is {found} below."


def _worth(
    network: Score, plain: Score, worth: bool, ahead: bool, against: Mapping[tuple[str, str], Margin]
) -> str:
    cost = f"{number(network.seconds)} s against {number(plain.seconds)} s"
    if worth:
        gain = against[network.name, plain.name]
        return f"A network is worth it: {gain} above {plain.name}, the best without one, for {cost}."
    if ahead:
        return (
            f"Whether a network is worth it is open: {network.name} reaches {_level(network)}, in {cost}. Try more "
            "seeds or a larger budget."
        )
    return (
        f"No network is worth training here: the best one, {network.name}, reaches {_level(network)} and "
        f"{plain.name} {_level(plain)}, in {cost}."
    )


def _level(score: Score) -> str:
    if score.high > score.low:
        return f"{score.mean:.1f} dB ({score.low:.1f} to {score.high:.1f} over {len(score.psnr)} seeds)"
    return f"{score.mean:.1f} dB"
