"""A record survives the death of its writer at any moment, and is read while it is written."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from overtone.errors import InputError, RunError
from overtone.records import Writer, load, snapshots
from tests.records import writing

ENDLESS = "1000000"


def start(path: Path, mode: str, rows: str = ENDLESS, pause: str = "0") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, writing.__file__, str(path), mode, rows, pause], stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str], last: int = -1) -> int:
    """Kill -9; the last row that the process said it had written, `last` if it said nothing more."""
    process.kill()
    assert process.stdout is not None
    with process.stdout as said:
        lines = [line.strip() for line in said if line.endswith("\n")]
    process.wait()
    return int(lines[-1]) if lines and lines[-1] != "ready" else last


def await_line(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline()


def check(path: Path, least: int) -> int:
    """Every row up to at least `least` is there and right; the number of rows."""
    record = load(path)
    count = record.sizes["step"]
    assert record.step.values.tolist() == list(range(count))
    assert count in (least + 1, least + 2)
    for step in range(count):
        expected = writing.row(step)
        for name in ("residual_power", "cross_power"):
            np.testing.assert_array_equal(record[name].values[step], expected[name])
        assert record.loss.values[step] == expected["loss"]
    kept = snapshots(path)
    for step in kept.steps("prediction"):
        np.testing.assert_array_equal(kept.get("prediction", step), writing.picture(step))
    return count


@pytest.mark.parametrize("mode", ["wal", "rollback"])
@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011, 0.05, 0.13])
def test_killed_while_writing_loses_no_acknowledged_row_and_resumes(tmp_path, mode, delay):
    path = tmp_path / "record.sqlite"
    process = start(path, mode)
    await_line(process)
    await_line(process)
    time.sleep(delay)
    count = check(path, kill(process, last=0))
    with Writer.resume(path, last_step=count - 2) as writer:
        for step in range(count - 1, count + 3):
            writer.append(step, writing.row(step))
    check(path, count + 2)


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.002, 0.006])
def test_killed_while_creating_leaves_a_good_record_or_none(tmp_path, delay):
    path = tmp_path / "record.sqlite"
    process = start(path, "wal")
    await_line(process)
    time.sleep(delay)
    last = kill(process)
    if path.exists():
        check(path, last)
        return
    assert last == -1
    with Writer.create(path, writing.header()) as writer:
        writer.append(0, writing.row(0))
    check(path, 0)


@pytest.mark.parametrize("statement", range(12))
def test_killed_at_any_statement_of_its_creation_leaves_no_record_and_the_next_one_succeeds(
    tmp_path, statement
):
    path = tmp_path / "record.sqlite"
    died = subprocess.run(
        [sys.executable, writing.__file__, str(path), f"die-{statement}", "1", "0"], check=False
    )
    assert died.returncode == writing.DIED
    assert not path.exists()
    with pytest.raises(
        InputError, match=r"expected a run directory, a \.sqlite or a \.nc file, got no such file"
    ):
        load(path)
    with Writer.create(path, writing.header()) as writer:
        writer.append(0, writing.row(0))
    check(path, 0)
    assert [p.name for p in tmp_path.iterdir()] == ["record.sqlite"]


def test_the_check_notices_a_changed_row(tmp_path):
    path = tmp_path / "record.sqlite"
    with Writer.create(path, writing.header()) as writer:
        writer.append(0, writing.row(1))
    with pytest.raises(AssertionError):
        check(path, 0)


@pytest.mark.parametrize("mode", ["wal", "rollback"])
def test_read_while_another_process_writes(tmp_path, mode):
    path = tmp_path / "record.sqlite"
    process = start(path, mode, rows="60", pause="0.01")
    await_line(process)
    await_line(process)
    sizes = []
    while process.poll() is None:
        record = load(path)
        sizes.append(record.sizes["step"])
        assert record.step.values.tolist() == list(range(sizes[-1]))
    process.communicate()
    assert process.returncode == 0
    assert sizes == sorted(sizes)
    assert len(set(sizes)) >= 3
    check(path, 59)


def test_a_second_writer_is_refused_while_the_first_lives_and_welcome_after(tmp_path):
    path = tmp_path / "record.sqlite"
    process = start(path, "wal", pause="0.01")
    await_line(process)
    await_line(process)
    with pytest.raises(RunError, match="expected one writer, got a second one; close the other writer"):
        Writer.resume(path, last_step=0)
    with pytest.raises(RunError, match="expected one writer"):
        Writer.create(path, writing.header())
    kill(process)
    Writer.resume(path, last_step=0).close()
    assert load(path).sizes["step"] == 1


def test_two_writers_of_one_process(tmp_path):
    path = tmp_path / "record.sqlite"
    with Writer.create(path, writing.header()) as first:
        with pytest.raises(RunError, match="expected one writer"):
            Writer.resume(path, last_step=0)
        first.append(0, writing.row(0))
        with pytest.raises(InputError, match="expected a step above 0, got 0"):
            first.append(0, writing.row(0))
    with Writer.resume(path, last_step=0) as second:
        second.append(1, writing.row(1))
    check(path, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["record.sqlite"]
