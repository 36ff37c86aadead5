"""Result of a study: one JSON file with the measurements, the machine and the versions, in full or in short form."""

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

from overtone._utils.display import Result
from overtone._utils.files import write_atomic
from overtone.errors import InputError, RunError
from overtone.studies._criteria import Judgement, SeedInterval, judge
from overtone.studies._study import Study, StudySize

PACKAGED_RESULTS = Path(__file__).with_name("results")
"""Folder of the short results that come with overtone, by size."""


def evidence_folder() -> Path | None:
    """Return the folder of the full results in a checkout of the repository; None in an installed package."""
    # The root of a checkout; for an installed package a folder of the interpreter, which has no pyproject.toml.
    root = Path(__file__).resolve().parents[3]
    folder = root / "evidence"
    return folder if folder.is_dir() and (root / "pyproject.toml").is_file() else None


@final
@dataclass(frozen=True, repr=False)
class StudyResult(Result):
    """Evidence and verdict of one study.

    Attributes:
        study: Name of the study.
        size: Size at which it was run.
        judgement: The verdict and the facts that it follows from.
        intervals: The statistic per condition.
        control: The statistic of the control.
        positive: The statistic of the positive control; None if there is none.
        measurements: Per condition, then the control, then the positive control: one row per seed, with `seed`,
            `value`, `notes`, and in the full form `curves` and `seconds`.
        seconds: Time of all measurements together.
        revision: Revision of the measurement.
        machine: Machine it ran on.
        versions: Versions of packages.
        created: Date and time, in UTC.

    Example:
        >>> from overtone.studies import StudyResult, StudySize, find_study
        >>> result = StudyResult.load(find_study("hat-conditioning"), StudySize.QUICK)
        >>> result.judgement.verdict.value
        'supported'
    """

    study: str
    size: StudySize
    judgement: Judgement
    intervals: Mapping[str, SeedInterval]
    control: SeedInterval
    positive: SeedInterval | None
    measurements: Mapping[str, Sequence[Mapping[str, Any]]]
    seconds: float
    revision: int
    machine: str
    versions: Mapping[str, str]
    created: str

    @staticmethod
    def from_measurements(
        study: Study, size: StudySize, measurements: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> StudyResult:
        """Judge a study by its measurements.

        Args:
            study: The study.
            size: Size at which it was run.
            measurements: Per condition, the control too: the rows of all seeds.
        """
        return _judged(
            study,
            size,
            measurements,
            round(sum(row["seconds"] for rows in measurements.values() for row in rows), 2),
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
            {name: importlib.metadata.version(name) for name in ("overtone", "torch", "numpy", "scipy")},
            datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        )

    @property
    def has_curves(self) -> bool:
        """Return whether this is the full form."""
        return any(row.get("curves") for rows in self.measurements.values() for row in rows)

    def save(self, folder: Path, *, short: bool = False) -> Path:
        """Write `<size>/<study>.json` below a folder and return its path.

        Args:
            folder: Folder of results.
            short: Leave out the curves and the time of each measurement.

        Raises:
            RunError: If it cannot be written.
        """
        path = folder / self.size.value / f"{self.study}.json"
        try:
            write_atomic(path, json.dumps(self.to_json(short=short), indent=1), path.with_suffix(".part"))
        except OSError as refused:
            raise RunError("a writable folder", f"{refused}", "choose another", str(path)) from refused
        return path

    def to_json(self, *, short: bool = False) -> dict[str, Any]:
        """Return the result as JSON-able values; numbers of curves with five digits."""
        return {
            "study": self.study,
            "size": self.size.value,
            "verdict": self.judgement.verdict.value,
            "intervals": {name: vars(interval) for name, interval in self.intervals.items()},
            "control": vars(self.control),
            "control_failed": self.judgement.control_failed,
            "positive": None if self.positive is None else vars(self.positive),
            "positive_passed": self.judgement.positive_passed,
            "measurements": {
                name: [_short_row(row) if short else _full_row(row) for row in rows]
                for name, rows in self.measurements.items()
            },
            "seconds": self.seconds,
            "revision": self.revision,
            "machine": self.machine,
            "versions": dict(self.versions),
            "created": self.created,
        }

    @staticmethod
    def load(study: Study, size: StudySize, folder: Path | None = None) -> StudyResult | None:
        """Read the stored result of a study; None if there is none, or it is of another revision of the study.

        Args:
            study: The study.
            size: Size at which it was run.
            folder: Folder of results; if None, the full results of a checkout, else the short ones that come with
                overtone.

        Raises:
            InputError: If the file is damaged.
        """
        folders = [folder] if folder is not None else [f for f in (evidence_folder(), PACKAGED_RESULTS) if f]
        for each in folders:
            result = _read(each / size.value / f"{study.name}.json", study)
            if result is not None:
                return result
        return None


def _read(path: Path, study: Study) -> StudyResult | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        needed = {condition.name for condition in (*study.conditions, study.control)}
        if stored["revision"] != study.revision or not needed <= set(stored["measurements"]):
            return None
        # Judged again from the values of all seeds: intervals and verdict in the file serve its readers.
        return _judged(
            study,
            StudySize(stored["size"]),
            stored["measurements"],
            stored["seconds"],
            stored["machine"],
            stored["versions"],
            stored["created"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise InputError(
            "an intact result", f"a damaged one ({broken})", "run the study again", str(path)
        ) from broken


def _judged(
    study: Study,
    size: StudySize,
    measurements: Mapping[str, Sequence[Mapping[str, Any]]],
    seconds: float,
    machine: str,
    versions: Mapping[str, str],
    created: str,
) -> StudyResult:
    """Return the result of measurements, judged by what the study declares."""
    # The positive control of a study may be younger than a result of the same revision.
    rows = {c.name: measurements[c.name] for c in study.situations if c.name in measurements}
    intervals = {
        name: study.interval([_number(row["value"]) for row in seeds]) for name, seeds in rows.items()
    }
    control = intervals.pop(study.control.name)
    declared = study.positive_control
    positive = None if declared is None else intervals.pop(declared.name, None)
    judgement = judge(
        {condition.name: intervals[condition.name] for condition in study.conditions},
        control,
        study.criterion,
        positive,
        own_size=size is StudySize.FULL,
        decidable=size is StudySize.FULL or not study.undecidable,
    )
    return StudyResult(
        study.name,
        size,
        judgement,
        intervals,
        control,
        positive,
        rows,
        seconds,
        study.revision,
        machine,
        versions,
        created,
    )


def _number(value: float | None) -> float:
    # JSON that went through a strict writer has null in place of NaN.
    return math.nan if value is None else float(value)


def _full_row(row: Mapping[str, Any]) -> dict[str, Any]:
    # Five digits are more than a figure shows, and make the file less than half as large.
    curves = {
        name: {axis: [float(f"{v:.5g}") for v in values] for axis, values in curve.items()}
        for name, curve in row["curves"].items()
    }
    return {**row, "curves": curves}


def _short_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"seed": row["seed"], "value": row["value"], "notes": row["notes"]}
