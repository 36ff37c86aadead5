import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.probes import EveryN, LogSchedule


def test_log_schedule_takes_every_early_step_and_thins_out():
    schedule = LogSchedule()
    due = [step for step in range(2001) if schedule.due(step)]
    assert due[:8] == [0, 1, 2, 3, 4, 5, 6, 7]
    late = [b / a for a, b in itertools.pairwise(due) if a > 50]
    assert all(1.1 < ratio < 1.2 for ratio in late)


@given(st.floats(1.01, 3), st.integers(0, 3000))
def test_count_equals_counting(ratio, steps):
    schedule = LogSchedule(ratio)
    assert schedule.count(steps) == sum(schedule.due(step) for step in range(steps + 1))


@given(st.floats(1.01, 3), st.integers(0, 500))
def test_due_steps_are_exactly_the_rounded_powers(ratio, steps):
    exponents = range(math.ceil(math.log(steps + 2) / math.log(ratio)) + 1)
    powers = {0} | {round(ratio**n) for n in exponents}
    assert {s for s in range(steps + 1) if LogSchedule(ratio).due(s)} == {p for p in powers if p <= steps}


def test_every_step():
    assert [s for s in range(10) if EveryN(4).due(s)] == [0, 4, 8]
    assert EveryN(4).count(9) == 3


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: LogSchedule(1.0), "expected a ratio above 1, got 1.0"),
        (lambda: LogSchedule(float("nan")), "expected a ratio above 1, got nan"),
        (lambda: EveryN(0), "expected an interval of at least 1 step, got 0"),
    ],
)
def test_wrong_schedules(make, text):
    with pytest.raises(InputError, match=text):
        make()
