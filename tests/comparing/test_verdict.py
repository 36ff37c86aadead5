"""What is said about scores."""

import pytest

from overtone.comparing._statistics import Margin, Score, decide_winner
from overtone.comparing._wording import verdict_sentences


def score(name, level, trained=False, half=0.0):
    seeds = (level - half, level + half) if half else (level,)
    return Score(name, trained, seeds, level - half, level + half, 2.0 if trained else 0.01, None, "")


def judge(scores, half):
    """A verdict on scores whose differences are all known to +- half, and its wording."""
    scores = sorted(scores, key=lambda s: -s.mean)
    against = {
        (a.name, b.name): Margin(a.mean - b.mean, a.mean - b.mean - half, a.mean - b.mean + half)
        for i, a in enumerate(scores)
        for b in scores[i + 1 :]
    }
    verdict = decide_winner(scores, against)
    return verdict, tuple(verdict_sentences(verdict, scores, against))


MEAN, CUBIC = score("mean", 10.0), score("cubic", 25.0)


def test_a_network_that_is_clearly_better_wins():
    found, words = judge([MEAN, CUBIC, score("siren", 27.0, True, 0.3)], 0.5)
    assert (found.winner, found.network_recommended) == ("siren", True)
    assert (found.runner_up, found.network, found.simple) == ("cubic", "siren", "cubic")
    assert words == (
        "siren wins with 27.0 dB (26.7 to 27.3 over 2 seeds).",
        "That is 2.0 dB (1.5 to 2.5) above cubic.",
        "A network is recommended: 2.0 dB (1.5 to 2.5) above cubic, the best candidate without one, "
        "for 2 s against 0.01 s.",
    )


def test_one_that_is_ahead_but_not_surely_leaves_it_open():
    found, words = judge([MEAN, CUBIC, score("siren", 27.0, True, 0.3)], 3.0)
    assert (found.winner, found.network_recommended) == ("cubic", None)
    assert words[1] == "siren is 2.0 dB (-1.0 to 5.0) above it, which is not significant."
    assert words[2].startswith("It is undecided whether a network is recommended: siren has 27.0 dB")


@pytest.mark.parametrize("level", [25.05, 24.0])
def test_one_that_is_not_ahead_is_not_worth_it(level):
    found, words = judge([MEAN, CUBIC, score("siren", level, True)], 0.01)
    assert (found.winner, found.network_recommended) == ("cubic", False)
    assert words[2].startswith("No network is recommended: the best one, siren, has")


def test_a_lead_within_its_interval_is_called_one():
    _found, words = judge([MEAN, CUBIC, score("linear", 24.9), score("mlp", 20.0, True)], 0.5)
    assert words[1] == "It cannot be distinguished from linear, which is 0.1 dB (-0.4 to 0.6) below."


@pytest.mark.parametrize(("best", "half"), [(10.05, 0.01), (11.0, 2.0), (9.0, 0.1)])
def test_where_nothing_beats_the_mean_the_advice_is_not_to_fit(best, half):
    found, words = judge([MEAN, score("cubic", best), score("siren", 9.5, True)], half)
    assert (found.winner, found.network_recommended) == ("mean", False)
    assert words[0].startswith(
        "Do not fit this signal: no candidate predicts the held-out samples significantly better"
    )
