"""A process that writes a record until it is killed: `python writing.py PATH wal|rollback|die-N ROWS PAUSE`.

Says "ready" before it touches the disk and the number of each row once the record has it. Row `n` is a function of `n`.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from overtone.records import Header, Writer, _access

BANDS, CHANNELS = 16, 3
DIED = 77
"""Exit status of a process that ended itself."""


def header() -> Header:
    edges = np.arange(BANDS + 1.0)
    return Header(
        edges[:-1],
        edges[1:],
        ("red", "green", "blue"),
        {"target_power": np.ones((BANDS, CHANNELS))},
        {"seed": 0},
    )


def row(step: int) -> dict[str, np.ndarray]:
    values = np.random.default_rng(step).standard_normal((2, BANDS, CHANNELS))
    return {"residual_power": values[0], "cross_power": values[1], "loss": np.float64(1 / (1 + step))}


def picture(step: int) -> np.ndarray:
    return np.random.default_rng(step).standard_normal((64, 64)).astype(np.float32)


def die_at(statement: int) -> None:
    """End the process, as a kill would, when SQLite begins the given statement of a record's creation."""
    connect, seen = sqlite3.connect, iter(range(1 << 30))

    def watched(path: Path, *args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(path, *args, **options)
        if str(path).endswith(".part"):
            connection.execute("PRAGMA cache_size=1")
            connection.set_trace_callback(lambda text: os._exit(DIED) if next(seen) == statement else None)
        return connection

    sqlite3.connect = watched  # type: ignore[assignment]


def main(path: str, mode: str, rows: str, pause: str) -> None:
    if mode.startswith("die-"):
        die_at(int(mode.removeprefix("die-")))
    if mode == "rollback":
        _access.on_network = lambda path: True  # type: ignore[assignment]
    _say("ready")
    with Writer.create(Path(path), header()) as writer:
        for step in range(int(rows)):
            writer.append(step, row(step))
            if step % 5 == 0:
                writer.snapshot("prediction", step, picture(step))
            _say(str(step))
            time.sleep(float(pause))


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
