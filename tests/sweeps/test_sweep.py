"""Every task runs once, on any workers, and an interrupted sweep continues."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overtone._sweeps import Local, Store, Task, sweep
from overtone.errors import InputError, RunError
from tests.sweeps import tasks

MODULE = tasks.__name__


def task(function: str, **settings: object) -> Task:
    return Task(function, f"{MODULE}:{function}", settings)


def begun(folder: Path, number: int) -> int:
    return len(list(folder.glob(f"{number}-begun-*")))


def test_results_come_once_each_and_are_not_computed_again(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    selected = [task("log", folder=str(marks), number=n) for n in range(4)]
    store = Store(tmp_path / "store")
    first = list(sweep(selected[:2], store, Local(2)))
    second = list(sweep([*selected, selected[0]], store, Local(2)))
    assert sorted(f.result["number"] for f in first) == [0, 1]
    assert sorted(f.result["number"] for f in second) == [0, 1, 2, 3]
    assert [f.stored for f in second] == [True, True, False, False]
    assert [begun(marks, n) for n in range(4)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("limit", "processes", "expected"), [(None, 1, 4), ("1", 1, 1), ("8", 1, 4), ("3", 2, 2), ("many", 2, 2)]
)
def test_workers_share_the_cores_within_what_the_user_allows(
    monkeypatch, tmp_path, limit, processes, expected
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    tasks = [task("threads", note=n) for n in range(processes)]
    assert [int(f.result) for f in sweep(tasks, Store(tmp_path), Local(processes))] == [expected] * processes


def test_failures_are_reported_and_repeated_by_the_next_sweep(tmp_path):
    store = Store(tmp_path / "store")
    selected = [task("fail", text="no luck"), task("refuse"), task("unspeakable"), task("square", x=3.0)]
    outcomes = {f.task.name: f for f in sweep(selected, store, Local(1))}
    assert outcomes["fail"].error == "ValueError: no luck"
    assert outcomes["refuse"].error == "expected this, got that; do so."
    assert outcomes["unspeakable"].error is not None
    assert "expected a result that JSON can hold" in outcomes["unspeakable"].error
    assert (outcomes["square"].result, outcomes["square"].error) == (9.0, None)
    assert [store.has(t) for t in selected] == [False, False, False, True]


def test_the_death_of_a_worker_repeats_only_its_own_task(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    selected = [task("die_once", folder=str(marks), number=0), task("die", folder=str(marks), number=1)]
    selected += [task("log", folder=str(marks), number=n) for n in (2, 3)]
    outcomes = {f.task.settings["number"]: f for f in sweep(selected, Store(tmp_path / "store"), Local(2))}
    assert outcomes[0].result == 0
    assert outcomes[1].error == "its worker died 3 times (out of memory, or killed)"
    assert outcomes[2].result["number"] == 2
    assert [begun(marks, n) for n in range(4)] == [2, 3, 1, 1]


def test_a_killed_sweep_continues_without_repeating_finished_tasks(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    selected = [task("log", folder=str(marks), number=n, seconds=0.3) for n in range(6)]
    code = (
        "import sys\nfrom tests.sweeps.test_sweep import task\nfrom overtone._sweeps import Local, Store, sweep\n"
        "if __name__ == '__main__':\n"
        f"    selected = [task('log', folder={str(marks)!r}, number=n, seconds=0.3) for n in range(6)]\n"
        f"    for done in sweep(selected, Store({str(tmp_path / 'store')!r}), Local(1)):\n"
        "        print(done.task.settings['number'], flush=True)\n"
    )
    script = tmp_path / "driver.py"
    script.write_text(code)
    driver = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
    )
    assert driver.stdout is not None
    done = {int(driver.stdout.readline()) for _ in range(2)}
    driver.kill()
    driver.communicate()
    store = Store(tmp_path / "store")
    time.sleep(0.5)
    stored = {t.settings["number"] for t in selected if store.has(t)}
    assert done <= stored < set(range(6))
    before = {n: begun(marks, n) for n in stored}
    outcomes = list(sweep(selected, store, Local(1)))
    assert sorted(f.result["number"] for f in outcomes) == list(range(6))
    assert {n: begun(marks, n) for n in stored} == before


def test_closing_the_sweep_ends_its_workers(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    selected = [task("log", folder=str(marks), number=0)]
    selected += [task("log", folder=str(marks), number=n, seconds=60.0) for n in (1, 2)]
    running = sweep(selected, Store(tmp_path / "store"), Local(1))
    next(running)
    began = time.monotonic()
    running.close()
    assert time.monotonic() - began < 30
    assert not list(marks.glob("1-ended-*"))


@given(
    st.dictionaries(st.text(min_size=1), st.integers() | st.text() | st.booleans() | st.none(), max_size=4)
)
def test_a_key_depends_on_the_function_and_its_settings_alone(settings):
    reordered = dict(reversed(settings.items()))
    assert Task("a", "m:f", settings).key == Task("b", "m:f", reordered).key
    assert Task("a", "m:f", settings).key != Task("a", "m:g", settings).key
    assert Task("a", "m:f", settings).key != Task("a", "m:f", settings | {"another key": 1}).key


def test_damaged_results_are_refused(tmp_path):
    store, selected = Store(tmp_path), task("square", x=2)
    with pytest.raises(InputError, match="expected a finished task, got none; run the sweep"):
        store.get(selected)
    store.put(selected, 4)
    assert store.get(selected) == 4
    store.path(selected).write_text(store.path(selected).read_text()[:-5])
    with pytest.raises(InputError, match=r"expected an intact result, got a damaged one .*remove it"):
        store.get(selected)
    store.path(selected).write_text(json.dumps({"key": "other", "result": 4}))
    with pytest.raises(InputError, match="belongs to another task"):
        store.get(selected)


def test_wrong_arguments_are_refused_in_one_sentence(tmp_path):
    with pytest.raises(InputError, match="expected settings that JSON can hold"):
        task("square", x=object())
    with pytest.raises(InputError, match=r'expected a function as "module:name", got \'nothing\''):
        Task("a", "nothing", {})
    with pytest.raises(InputError, match=r"expected the function .*:absent"):
        task("absent").run()
    with pytest.raises(InputError, match="expected at least one process, got 0"):
        Local(0)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="expected a folder for results, got a file"):
        Store(file)
    with pytest.raises(RunError, match="expected a folder with space for a result"):
        Store(file / "below").put(task("square", x=1), 1)


def test_ctrl_c_reaches_the_sweep_and_not_its_workers(tmp_path):
    """A terminal sends it to all processes, also to those that are still being imported."""
    (finished,) = sweep([task("press_ctrl_c")], Store(tmp_path), Local(1))
    assert (finished.result, finished.error) == ("not interrupted", None)
    # Here it still interrupts.
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
