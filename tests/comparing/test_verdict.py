"""What is said about scores."""

import pytest

from overtone.comparing._statistics import Margin, Score, decide_winner


def score(name, level, trained=False, half=0.0):
    seeds = (level - half, level + half) if half else (level,)
    return Score(name, trained, seeds, level - half, level + half, 2.0 if trained else 0.01, None, "")


def judge(scores, half):
    """A verdict on scores whose differences are all known to +- half."""
    scores = sorted(scores, key=lambda s: -s.mean)
    against = {
        (a.name, b.name): Margin(a.mean - b.mean, a.mean - b.mean - half, a.mean - b.mean + half)
        for i, a in enumerate(scores)
        for b in scores[i + 1 :]
    }
    return decide_winner(scores, against)


MEAN, CUBIC = score("mean", 10.0), score("cubic", 25.0)


def test_a_network_that_is_clearly_better_wins():
    found = judge([MEAN, CUBIC, score("siren", 27.0, True, 0.3)], 0.5)
    assert (found.winner, found.worth_a_network) == ("siren", True)
    assert found.sentences == (
        "siren wins with 27.0 dB (26.7 to 27.3 over 2 seeds).",
        "That is 2.0 dB (1.5 to 2.5) above cubic.",
        "A network is worth it: 2.0 dB (1.5 to 2.5) above cubic, the best without one, for 2 s against 0.01 s.",
    )


def test_one_that_is_ahead_but_not_surely_leaves_it_open():
    found = judge([MEAN, CUBIC, score("siren", 27.0, True, 0.3)], 3.0)
    assert (found.winner, found.worth_a_network) == ("cubic", None)
    assert found.sentences[1] == "siren is 2.0 dB (-1.0 to 5.0) above it, too uncertain to count on."
    assert found.sentences[2].startswith("Whether a network is worth it is open: siren reaches 27.0 dB")


@pytest.mark.parametrize("level", [25.05, 24.0])
def test_one_that_is_not_ahead_is_not_worth_it(level):
    found = judge([MEAN, CUBIC, score("siren", level, True)], 0.01)
    assert (found.winner, found.worth_a_network) == ("cubic", False)
    assert found.sentences[2].startswith("No network is worth training here: the best one, siren, reaches")


def test_a_lead_within_its_interval_is_called_one():
    found = judge([MEAN, CUBIC, score("linear", 24.9), score("mlp", 20.0, True)], 0.5)
    assert found.sentences[1] == "It cannot be told from linear, which is 0.1 dB (-0.4 to 0.6) below."


@pytest.mark.parametrize(("best", "half"), [(10.05, 0.01), (11.0, 2.0), (9.0, 0.1)])
def test_where_nothing_beats_the_mean_the_advice_is_not_to_fit(best, half):
    found = judge([MEAN, score("cubic", best), score("siren", 9.5, True)], half)
    assert (found.winner, found.worth_a_network) == ("mean", False)
    assert found.sentences[0].startswith(
        "Do not fit this: nothing predicts the held-out samples surely better"
    )
