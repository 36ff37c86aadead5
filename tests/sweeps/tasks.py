"""Functions that tests run in other processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from overtone.errors import InputError


def square(x: float) -> float:
    return x * x


def threads(note: int = 0) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def press_ctrl_c() -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return "not interrupted"


def fail(text: str) -> None:
    raise ValueError(text)


def refuse() -> None:
    raise InputError("this", "that", "do so")


def unspeakable() -> object:
    return object()


def log(folder: str, number: int, seconds: float = 0.0) -> dict[str, int]:
    """Leave a mark for every time it is begun and every time it ends."""
    _mark(folder, number, "begun")
    time.sleep(seconds)
    _mark(folder, number, "ended")
    return {"number": number, "pid": os.getpid()}


def die_once(folder: str, number: int) -> int:
    """Kill the own process the first time."""
    _mark(folder, number, "begun")
    if len(list(Path(folder).glob(f"{number}-begun-*"))) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(folder: str, number: int) -> None:
    _mark(folder, number, "begun")
    os.kill(os.getpid(), signal.SIGKILL)


def _mark(folder: str, number: int, word: str) -> None:
    (Path(folder) / f"{number}-{word}-{os.getpid()}-{time.monotonic_ns()}").touch()
