"""A report of a large record, against a limit of three seconds."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from overtone import reports
from overtone.records import Header, Writer

ROWS, BANDS, CHANNELS, SIDE = 200, 64, 3, 512
SECONDS, MEGABYTES = 3.0, 6.0


def write_record(folder: Path) -> None:
    """200 rows of 64 bands and 3 channels, and five predictions of a 512 x 512 picture with film grain."""
    rng = np.random.default_rng(0)
    edges = np.concatenate([[0], np.geomspace(0.5, 256, BANDS - 1), [363]])
    target = np.outer(1 / (1 + edges[1:] ** 2), np.ones(CHANNELS))
    attrs = {"geometry": {"shape": [SIDE, SIDE]}, "kind": "picture", "peak": 1.0, "nyquist": [256, 256]}
    header = Header(edges[:-1], edges[1:], ("red", "green", "blue"), {"target_power": target}, attrs)
    row, column = np.mgrid[:SIDE, :SIDE][..., None] / SIDE
    picture = (
        0.5
        + 0.4 * np.sin(20 * row * column + np.arange(CHANNELS))
        + 0.02 * rng.standard_normal((SIDE, SIDE, 3))
    )
    with Writer.create(folder / "record.sqlite", header) as writer:
        writer.snapshot("target", -1, picture.astype(np.float32))
        for step in range(ROWS):
            left = np.exp(-step / edges[1:])[:, None] * target
            errors = dict.fromkeys(("train_error", "held_out_error", "loss"), left.sum())
            writer.append(step, {"residual_power": left, "cross_power": target - left, "time": step} | errors)
            if step % 49 == 0:
                writer.snapshot("prediction", step, (picture * step / ROWS).astype(np.float32))


def main() -> list[dict[str, object]]:
    """Processor time of the second report in this process, without imports, and the size of the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_record(folder)
        page = reports.report(folder, folder / "report.html")
        start = time.process_time()
        reports.report(folder, page)
        seconds, size = time.process_time() - start, page.stat().st_size / 1e6
    what = f"report of {ROWS} rows x {BANDS} bands x {CHANNELS} channels"
    note = "processor time, against the target itself; with five predictions of a 512 x 512 picture"
    return [
        {
            "name": f"{what}: {part}",
            "ours": value,
            "theirs": limit,
            "ratio": value / limit,
            "target": 1.0,
            "unit": unit,
            "note": note,
        }
        for part, value, limit, unit in (("time", seconds, SECONDS, "s"), ("size", size, MEGABYTES, "MB"))
    ]


if __name__ == "__main__":
    for line in main():
        print(
            f"{line['name']:60s} {line['ours']:.2f} {line['unit']} x{line['ratio']:.2f} <= {line['target']}"
        )
