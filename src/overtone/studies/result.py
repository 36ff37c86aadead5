"""What a study found: one JSON file, with the machine and the versions."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from overtone._utils.files import write_atomic
from overtone.errors import InputError, RunError
from overtone.studies.interval import Interval
from overtone.studies.size import Size
from overtone.studies.study import Study
from overtone.studies.verdict import Judgement, Verdict, judge

PACKAGED = Path(__file__).with_name("results")
"""Results that come with overtone, by size."""


@final
@dataclass(frozen=True)
class Result:
    """The evidence and the verdict of one study.

    Attributes:
        study: Its name.
        size: How large it was run.
        judgement: The verdict and why.
        intervals: The statistic per condition.
        control: The statistic of the control.
        control_failed: Whether the control missed the criterion, as it must.
        measurements: Per condition, the control last: what each seed gave (`seed`, `value`, `curves`, `notes`).
        seconds: Time of all measurements together.
        revision: Of the measurement.
        machine: What it ran on.
        versions: Of packages.
        created: When, in UTC.
    """

    study: str
    size: Size
    judgement: Judgement
    intervals: Mapping[str, Interval]
    control: Interval
    control_failed: bool
    measurements: Mapping[str, Sequence[Mapping[str, Any]]]
    seconds: float
    revision: int
    machine: str
    versions: Mapping[str, str]
    created: str

    @staticmethod
    def of(study: Study, size: Size, measurements: Mapping[str, Sequence[Mapping[str, Any]]]) -> Result:
        """Judge a study by its measurements.

        Args:
            study: The study.
            size: How large it was run.
            measurements: Per condition, the control too: what `perform` gave for each seed, with its `seed`.
        """
        intervals = {
            name: Interval.of([_number(m["value"]) for m in rows]) for name, rows in measurements.items()
        }
        control = intervals.pop(study.control.name)
        return Result(
            study.name,
            size,
            judge(intervals, control, study.criterion, study.depends),
            intervals,
            control,
            study.criterion.fails(control),
            measurements,
            round(sum(m["seconds"] for rows in measurements.values() for m in rows), 2),
            study.revision,
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            {name: importlib.metadata.version(name) for name in ("overtone", "torch", "numpy", "scipy")},
            datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

    def save(self, folder: Path) -> Path:
        """Write `<size>/<study>.json` below a folder.

        Raises:
            RunError: If it cannot be written.
        """
        path = folder / self.size.value / f"{self.study}.json"
        try:
            write_atomic(path, json.dumps(self.to_json(), indent=1), path.with_suffix(".part"))
        except OSError as refused:
            raise RunError(
                "a folder that can be written", f"{refused}", "choose another", str(path)
            ) from refused
        return path

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-able values; numbers of curves with five digits."""
        return {
            "study": self.study,
            "size": self.size.value,
            "verdict": self.judgement.verdict.value,
            "reason": self.judgement.reason,
            "intervals": {name: vars(interval) for name, interval in self.intervals.items()},
            "control": vars(self.control),
            "control_failed": self.control_failed,
            "measurements": {n: [_short(m) for m in rows] for n, rows in self.measurements.items()},
            "seconds": self.seconds,
            "revision": self.revision,
            "machine": self.machine,
            "versions": dict(self.versions),
            "created": self.created,
        }

    @staticmethod
    def load(study: Study, size: Size, folder: Path = PACKAGED) -> Result | None:
        """The kept result of a study, or None if there is none, or it is of another revision of the study.

        Raises:
            InputError: If its file is damaged.
        """
        path = folder / size.value / f"{study.name}.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["revision"] != study.revision:
                return None
            return Result(
                kept["study"],
                Size(kept["size"]),
                Judgement(Verdict(kept["verdict"]), kept["reason"]),
                {name: Interval(**interval) for name, interval in kept["intervals"].items()},
                Interval(**kept["control"]),
                kept["control_failed"],
                kept["measurements"],
                kept["seconds"],
                kept["revision"],
                kept["machine"],
                kept["versions"],
                kept["created"],
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as broken:
            raise InputError(
                "an intact result", f"a damaged one ({broken})", "run the study again", str(path)
            ) from broken


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _short(measurement: Mapping[str, Any]) -> dict[str, Any]:
    curves = {
        name: {axis: [float(f"{v:.5g}") for v in values] for axis, values in curve.items()}
        for name, curve in measurement["curves"].items()
    }
    return {**measurement, "curves": curves}
