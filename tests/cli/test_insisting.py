"""Ctrl-C arrives wherever it is pressed: also where Python drops the exception, or in the middle of an import."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

import overtone.cli
from overtone.cli import _interrupts as interrupts
from tests.cli.calling import TINY


def press():
    signal.raise_signal(signal.SIGINT)


class Pressing:
    def __del__(self):
        press()


def in_a_destructor():
    Pressing()


def in_a_weak_reference():
    class Plain:
        pass

    plain = Plain()
    keep = weakref.ref(plain, lambda _: press())
    del plain
    assert keep() is None


def in_a_callback_of_a_database():
    connection = sqlite3.connect(":memory:")
    connection.set_progress_handler(press, 1)
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT 1").fetchall()
    connection.close()


def caught_by_somebody():
    with pytest.raises(KeyboardInterrupt):
        press()


def wait():
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "swallow", [in_a_destructor, in_a_weak_reference, in_a_callback_of_a_database, caught_by_somebody]
)
def test_what_was_swallowed_comes_again(monkeypatch, swallow):
    monkeypatch.setattr(interrupts, "AGAIN", 0.05)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with pytest.raises(KeyboardInterrupt), interrupts.insisting():
        swallow()
        wait()
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM))


def test_a_module_is_imported_to_its_end(tmp_path, monkeypatch):
    body = "import signal\nsignal.raise_signal(signal.SIGINT)\nwhole = True\n"
    (tmp_path / "half_imported.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt), interrupts.insisting():
        import half_imported

        wait()
    assert half_imported.whole


def test_pressed_when_all_is_done_is_not_a_success(monkeypatch, capsys):
    def done(_):
        caught_by_somebody()
        sys.exit(0)

    monkeypatch.setattr("overtone.cli._main.run_and_exit", done)
    with pytest.raises(SystemExit) as ended:
        overtone.cli.main([])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "overtone: interrupted, when all was done.\n"


def listens(pid):
    """Whether a process catches the alarm by which a press comes again; True where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        time.sleep(2)
        return True
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGALRM - 1) & 1)


@pytest.mark.parametrize("moment", [0.0, 1.0])
def test_a_run_is_interrupted_at_any_moment(tmp_path, moment):
    np.save(tmp_path / "waves.npy", np.random.default_rng(0).standard_normal((16, 16)).cumsum(0))
    words = ["fit", "waves.npy", *TINY, "--time", "20", "--out", "run"]
    child = subprocess.Popen(
        [sys.executable, "-m", "overtone.cli", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    deadline = time.monotonic() + 60
    while not listens(child.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(moment)
    os.kill(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert "overtone: interrupted" in err


def test_threads_sleep_while_they_wait_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    overtone.cli.sleep_while_waiting()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    overtone.cli.sleep_while_waiting()
    assert os.environ.pop("OMP_WAIT_POLICY") == "PASSIVE"
