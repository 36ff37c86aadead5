"""A process that writes a record until it is killed: `python writing.py PATH wal|rollback ROWS PAUSE`.

Says "ready" before it touches the disk and the number of each row once the record has it. Row `n` is a function of `n`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from overtone.records import Header, Writer, journal

BANDS, CHANNELS = 16, 3


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


def main(path: str, mode: str, rows: str, pause: str) -> None:
    if mode == "rollback":
        journal.on_network = lambda path: True  # type: ignore[assignment]
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
