"""Run writer: the records of one run, one for each view, with their faults."""

from __future__ import annotations

import contextlib
import functools
import math
import re
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overtone.errors import InputError
from overtone.probes._view import Row, View
from overtone.probes.loggers._loggers import Logger
from overtone.records import Header, Writer, load
from overtone.records._schema import FAILED, NOT_FINITE
from overtone.records.metrics._rows import highest_learned_of_row

if TYPE_CHECKING:
    import xarray


_MAX_COPIES = 9


class RecordWriter(Protocol):
    """Protocol of the writer of one record."""

    @property
    def header(self) -> Header:
        """Bands, channels and attributes of the record."""

    def append(self, step: int, row: Mapping[str, ArrayLike]) -> None:
        """Add the row of one step."""

    def snapshot(self, name: str, step: int, array: ArrayLike) -> None:
        """Store an array."""

    def annotate(self, **attrs: Any) -> None:
        """Set attributes."""

    def close(self) -> None:
        """Close the file."""


@final
@dataclass(frozen=True)
class ResumedRecord:
    """An existing record to continue.

    Attributes:
        path: Run directory or `.sqlite` file.
        after: The last step to retain; rows after it are dropped.
        elapsed: Seconds that earlier sessions of the run took.
    """

    path: str | Path
    after: int
    elapsed: float = 0.0


OpenRecord = Callable[[Path, Callable[[], Header]], RecordWriter]
"""Function that opens a record's file; it computes the header only if needed, since that may estimate the noise."""


def create_record(path: Path, header: Callable[[], Header]) -> RecordWriter:
    """Create a new record."""
    return Writer.create(path, header())


def check_no_records(paths: Iterable[Path]) -> None:
    """Refuse paths with existing records, before any record is created.

    Raises:
        InputError: If a record exists.
    """
    for path in paths:
        if path.exists() and (path.is_dir() or path.stat().st_size):
            raise InputError(
                "a path without a record",
                "an existing record",
                "pass another path=, or remove it; Probe.resume continues it",
                str(path),
            )


def _copy_record(path: Path) -> Path | None:
    """Copy a record to `NAME~1.sqlite` in its directory, or `~2` to `~9`; no view can have such a name.

    Args:
        path: A record; it may be open.

    Returns:
        The copy, or None if all names are taken.
    """
    names = (path.with_name(f"{path.stem}~{number}{path.suffix}") for number in range(1, _MAX_COPIES + 1))
    free = next((name for name in names if not name.exists()), None)
    if free is not None:
        # SQLite's backup is consistent also while the record is open and its journal holds rows.
        with (
            contextlib.closing(sqlite3.connect(path)) as old,
            contextlib.closing(sqlite3.connect(free)) as new,
        ):
            old.backup(new)
    return free


def restart_record(path: Path, writer: RecordWriter, step: int) -> tuple[RecordWriter, Path | None]:
    """Restart a record at a step: copy it, then drop the rows from that step on.

    Args:
        path: File of the record.
        writer: Writer of the record; it is closed.
        step: The first step of the new rows.

    Returns:
        The writer of the new rows, and the copy of the earlier record, if any.
    """
    if not isinstance(writer, Writer):
        return writer, None
    writer.close()
    copy = _copy_record(path)
    return Writer.resume(path, last_step=step - 1), copy


def resume_record(last_step: int) -> OpenRecord:
    """Return an opener of existing records that drops the rows after `last_step`."""

    def opened(path: Path, header: Callable[[], Header]) -> RecordWriter:
        del header
        return Writer.resume(path, last_step=last_step)

    return opened


def discard_rows(path: Path, header: Callable[[], Header]) -> RecordWriter:
    """Return a writer that retains the header and writes nothing."""
    del path
    return _DiscardingWriter(header())


@final
class _DiscardingWriter:
    def __init__(self, header: Header) -> None:
        self.header = header

    def append(self, step: int, row: Mapping[str, ArrayLike]) -> None:
        """Discard a row."""

    def snapshot(self, name: str, step: int, array: ArrayLike) -> None:
        """Discard a snapshot."""

    def annotate(self, **attrs: Any) -> None:
        """Discard attributes."""

    def close(self) -> None:
        """Do nothing."""


class ProbeWarning(UserWarning):
    """A probe could not measure or record a row; training continues and the row is marked."""


PICTURE_GROWTH = 4
"""Ratio of the steps at which pictures of a row are stored."""


@final
class PictureSchedule:
    """Steps at which the pictures of rows are stored: the first, at steps that grow by a factor, and the last one."""

    def __init__(self) -> None:
        self._stored: dict[str, int] = {}
        self._pending: dict[str, tuple[int, Mapping[str, NDArray[np.generic]]]] = {}

    def due(
        self, step: int, name: str, pictures: Mapping[str, NDArray[np.generic]]
    ) -> Mapping[str, NDArray[np.generic]]:
        """Return the pictures to store at this step, none if they have to wait.

        Args:
            step: The row's step.
            name: The view.
            pictures: Arrays by name; empty if the view has none.
        """
        last = self._stored.get(name)
        if not pictures:
            return {}
        # A step before the last one belongs to a training that has restarted.
        if last is None or step < last or step >= max(1, PICTURE_GROWTH * last):
            self._stored[name] = step
            self._pending.pop(name, None)
            return pictures
        self._pending[name] = (step, pictures)
        return {}

    def pending(self, name: str) -> list[tuple[str, int, NDArray[np.generic]]]:
        """Return name, step and array of the last pictures that were not stored, and forget them."""
        step, pictures = self._pending.pop(name, (0, {}))
        return [(kind, step, array) for kind, array in pictures.items() if kind != "target"]


@final
class RunWriter:
    """Writer of the records of one run, one per view, and of their faults.

    A row that cannot be measured, or whose outputs are not finite, is written as NaN; its step and reason are stored
    in `faults` and in the attribute `faults` of the record, and a `ProbeWarning` is issued once.

    Args:
        views: The views, with distinct names.
        path: Run directory or `.sqlite` file of the first view's record; the others are in the same directory. A
            temporary directory if None. A `ResumedRecord` continues existing records.
        attrs: Further attributes of every record.
        opened: Function that opens a record; by default records are created or, for a `ResumedRecord`, continued.
        loggers: Further loggers that receive every row.
        strict: Raise instead of warning, except for outputs that are not finite.

    Attributes:
        path: File of the first view's record.
        paths: File of every view's record, by name.
        faults: One dict per fault, with `step`, `view` and `why`.
        highest_learned: Highest learned frequency of the first view at the last row, see
            `records.metrics.highest_learned`.

    Raises:
        InputError: If names are not distinct or not valid as file names, or a record exists.
        RunError: If a record cannot be written.
    """

    def __init__(
        self,
        views: Sequence[View],
        path: str | Path | ResumedRecord | None,
        attrs: Mapping[str, Any],
        *,
        opened: OpenRecord | None = None,
        loggers: Sequence[Logger] = (),
        strict: bool = False,
    ) -> None:
        resumed = path if isinstance(path, ResumedRecord) else None
        self.path = _record_path(path)
        self.paths = _paths(self.path, [view.name for view in views])
        self._loggers = tuple(loggers)
        self._began = time.perf_counter() - (resumed.elapsed if resumed else 0.0)
        self._strict, self._warned = strict, False
        self._steps: tuple[int, int] | None = None
        if opened is None:
            opened = resume_record(resumed.after) if resumed else create_record
        self._writes, self._restarted = opened is not discard_rows, False
        self.faults: list[dict[str, Any]] = []
        self.highest_learned = math.nan
        self.latest: Row = {}
        self._margins: dict[str, dict[str, Any]] = {}
        self._writers: dict[str, RecordWriter] = {}
        self._pictures = PictureSchedule()
        # Nothing is created unless every path is free: a conflict at the third view would leave two empty records.
        if opened is create_record:
            check_no_records(self.paths.values())
        try:
            for view in views:
                header = functools.partial(view.header, attrs)
                self._writers[view.name] = opened(self.paths[view.name], header)
        except BaseException:
            self.close()
            raise

    @property
    def elapsed(self) -> float:
        """Seconds since the start of the run, over all its sessions."""
        return time.perf_counter() - self._began

    @property
    def records(self) -> dict[str, xarray.Dataset]:
        """The records so far, by view."""
        return {name: load(path) for name, path in self.paths.items()}

    def recorded(self, step: int) -> bool:
        """Return whether this step was recorded last, as happens when several batches make one optimizer step."""
        return step == self.last

    @property
    def last(self) -> int | None:
        """The last recorded step, None before the first."""
        return None if self._steps is None else self._steps[1]

    def append(self, step: int, extra: Mapping[str, float], measure: Mapping[str, Callable[[], Row]]) -> None:
        """Write a row to every record.

        A step at or before the first one restarts the record, see `begin_again`.

        Args:
            step: Above all steps so far, unless training restarts.
            extra: Variables shared by all records: `loss`, `learning_rate`.
            measure: Functions that measure the other variables of the row, by view.

        Raises:
            Exception: Any error of the row, if strict.
        """
        # A step at or before the first one cannot be a repeated call: training has restarted.
        if self._steps is not None and self._steps[0] < self._steps[1] and step <= self._steps[0]:
            self.begin_again(step, self._steps[1])
        self._steps = (step if self._steps is None else min(step, self._steps[0]), step)
        # One time for all views: rows of several records are joined by step and time.
        seconds = self.elapsed
        for position, (name, writer) in enumerate(self._writers.items()):
            row = self._measured(step, name, measure[name])
            arrays, pictures = row.pop("arrays", {}), row.pop("pictures", {})
            if position == 0:
                self.highest_learned = highest_learned_of_row(writer.header, row["residual_power"])
            row |= {**extra, "time": seconds}
            if position == 0:
                self.latest = row
            self.guard(step, name, functools.partial(writer.append, step, row))
            arrays |= self._pictures.due(step, name, pictures)
            for kind, array in arrays.items():
                self.guard(step, name, functools.partial(self._store, name, kind, step, array))
            for logger in self._loggers:
                self.guard(step, name, functools.partial(logger.row, name, writer.header, step, row))

    def begin_again(self, step: int, last: int) -> None:
        """Drop the rows from a step on, after copying the records, and warn once.

        The copies are in the same directory (`record~1.sqlite`); the attribute `restarts` lists them.

        Args:
            step: The first step of the new rows.
            last: The last recorded step.
        """
        copies: dict[str, str | None] = {}
        for name, writer in self._writers.items():
            try:
                self._writers[name], copy = restart_record(self.paths[name], writer, step)
            except Exception as error:  # noqa: BLE001
                self._fault(step, name, error)
            else:
                copies[name] = None if copy is None else copy.name
        # Faults of dropped rows are dropped too; earlier faults remain.
        self.faults = [fault for fault in self.faults if fault["step"] < step]
        for name, file in copies.items():
            self._note_restart(name, step, last, file)
        for logger in self._loggers:
            self.guard(step, next(iter(self._writers)), functools.partial(logger.begin_again, step))
        if step == 0:
            self._began = time.perf_counter()
        files = ", ".join(file for file in copies.values() if file) or "no copy, because nine copies exist"
        if self._writes and not self._restarted:
            self._restarted = True
            self.warn(
                f"step {step} follows step {last}: training has restarted, and so has the record; the earlier rows are "
                f"copied ({files}). In a single training, count the steps without a break. This warning appears once."
            )

    def _note_restart(self, name: str, step: int, last: int, file: str | None) -> None:
        entry = {"step": step, "after": last, "kept": file}
        writer = self._writers[name]
        earlier = list(writer.header.attrs.get("restarts", ()))
        with contextlib.suppress(Exception):
            writer.annotate(restarts=[*earlier, entry], faults=self._faults_of(name))

    def guard(self, step: int, name: str, action: Callable[[], object]) -> None:
        """Call a function; if it fails, raise if strict, else warn once and store the reason."""
        try:
            action()
        except Exception as error:  # noqa: BLE001
            self._fault(step, name, error)

    def annotate(self, **attrs: Any) -> None:
        """Add attributes to every record."""
        for writer in self._writers.values():
            writer.annotate(**attrs)

    def snapshot(self, name: str, kind: str, step: int, array: NDArray[np.generic]) -> None:
        """Store an array in the record of view `name`."""
        self._writers[name].snapshot(kind, step, array)

    def warn(self, text: str) -> None:
        """Issue a warning that points at the user's line."""
        warnings.warn(text, ProbeWarning, stacklevel=4)

    def close(self) -> None:
        """Close the files and loggers; records remain readable."""
        for logger in self._loggers:
            with contextlib.suppress(Exception):
                logger.close()
        for name, writer in self._writers.items():
            # A full disk must not keep the other records open.
            with contextlib.suppress(Exception):
                for kind, step, array in self._pictures.pending(name):
                    self._store(name, kind, step, array)
            writer.close()

    def _store(self, name: str, kind: str, step: int, array: NDArray[np.generic]) -> None:
        self._writers[name].snapshot(kind, -1 if kind == "target" else step, array)

    def _measured(self, step: int, name: str, measure: Callable[[], Row]) -> Row:
        sizes = self._writers[name].header.sizes
        try:
            row = measure()
        except Exception as error:  # noqa: BLE001
            self._fault(step, name, error)
            # A row of NaN keeps the rows of all views aligned.
            return {"residual_power": np.full((sizes["band"], sizes["channel"]), math.nan)}
        margins = row.pop("margins", None)
        if margins is not None:
            self.guard(step, name, lambda: self._store_margins(step, name, margins))
        if np.isnan(row["residual_power"]).all():
            finite = math.isfinite(float(row.get("train_error", math.nan)))
            what = "so large that the target is lost in rounding" if finite else "not finite"
            self._note(step, name, NOT_FINITE, f"the network's outputs are {what}")
        return row

    def _faults_of(self, name: str) -> list[dict[str, Any]]:
        return [fault for fault in self.faults if fault["view"] == name]

    def _store_margins(self, step: int, name: str, margins: Mapping[str, Any]) -> None:
        """Add a row's margins to those of earlier rows."""
        writer = self._writers[name]
        # The attribute is rewritten as a whole each time; a resumed record already has the margins of its earlier
        # rows.
        known = self._margins.get(name) or writer.header.attrs.get("margins") or {}
        before = {key: value for key, value in known.items() if int(key) < step}
        self._margins[name] = before | {str(step): dict(margins)}
        writer.annotate(margins=self._margins[name])

    def _fault(self, step: int, name: str, error: Exception) -> None:
        if self._strict:
            raise error
        self._note(step, name, FAILED, f"{type(error).__name__}: {error}"[:500])

    def _note(self, step: int, name: str, code: str, why: str) -> None:
        self.faults.append({"step": step, "view": name, "code": code, "why": why})
        if not self._warned:
            self._warned = True
            self.warn(
                f"the probe could not measure or record step {step} of {name!r} ({why}). Training continues; such rows "
                "are NaN or missing, and `faults` lists them. This warning appears once."
            )
        # The record itself may be impossible to write, so errors of storing the fault are ignored.
        with contextlib.suppress(Exception):
            self._writers[name].annotate(faults=self._faults_of(name))


def _record_path(path: str | Path | ResumedRecord | None) -> Path:
    if path is None:
        return Path(tempfile.mkdtemp(prefix="overtone-")) / "record.sqlite"
    return record_file(path.path if isinstance(path, ResumedRecord) else path)


def record_file(path: str | Path) -> Path:
    """Return the first view's record: the `.sqlite` file itself, or `record.sqlite` in a run directory."""
    path = Path(path)
    return path if path.suffix == ".sqlite" else path / "record.sqlite"


def _paths(first: Path, names: Sequence[str]) -> dict[str, Path]:
    wrong = [name for name in names if not re.fullmatch(r"[\w.-]+", name)]
    if not names or wrong or len(set(names)) != len(names):
        raise InputError(
            "views with distinct names of letters, digits, dots, dashes and underscores",
            ", ".join(repr(name) for name in names) or "no view",
            "pass name= to each view",
            "views",
        )
    # Two runs may share a directory under different file names: the stem is then part of the names of all views.
    prefix = "" if first.stem == "record" else f"{first.stem}-"
    beside = {name: first.with_name(f"{prefix}{name}.sqlite") for name in names[1:]}
    if first in beside.values():
        raise InputError(
            "views with other names than 'record'", "a view named 'record'", "rename it", "views"
        )
    return {names[0]: first, **beside}
