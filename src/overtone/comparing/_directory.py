"""Directory of a comparison: task, results, predictions and page."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

from overtone._utils.files import write_atomic
from overtone.comparing._measured import MeasuredTask
from overtone.comparing._task import ComparisonTask, SizeLimits
from overtone.errors import InputError
from overtone.planning import Budget
from overtone.units._frequency import positive

ABOUT, RESULTS, REPORT = "comparison.json", "results", "report.html"
PROBLEM, PREDICTIONS = "problem.npz", "predictions"


@final
@dataclass(frozen=True)
class ComparisonDirectory:
    """Directory of one comparison.

    Attributes:
        path: The directory, which need not exist.
    """

    path: Path

    @property
    def results(self) -> Path:
        """Directory of the results of finished tasks."""
        return self.path / RESULTS

    @property
    def report(self) -> Path:
        """Path of the page."""
        return self.path / REPORT

    def begin(self, task: ComparisonTask | MeasuredTask, overwrite: bool) -> str:
        """Create the directory and store the task, or continue an existing comparison of the same task.

        Args:
            task: The task of the comparison.
            overwrite: Whether an earlier comparison on other samples may be replaced.

        Returns:
            The fingerprint of the task's samples.

        Raises:
            InputError: If the directory has other files, contains a link, or cannot be written to.
        """
        fingerprint = _fingerprint(task)
        self.check_task(task, overwrite)
        with _written_to(self.path):
            about = self.path / ABOUT
            if about.is_file():
                if not overwrite and (self.path / PROBLEM).is_file():
                    return fingerprint
                # Only files of a comparison are deleted: other files of the user in the directory are not.
                for name in (RESULTS, PREDICTIONS):
                    shutil.rmtree(self.path / name, ignore_errors=True)
                for name in (ABOUT, PROBLEM, REPORT):
                    (self.path / name).unlink(missing_ok=True)
            self.path.mkdir(parents=True, exist_ok=True)
            # The fingerprint is written before the task: an interruption in between is detected, and --overwrite
            # restarts.
            about.write_text(json.dumps({"samples": fingerprint}), encoding="utf-8")
            task.save(self.path / PROBLEM)
        return fingerprint

    def check_free(self) -> None:
        """Check that a comparison may be written here, whatever its task, without changing anything.

        Raises:
            InputError: If the directory has other files, contains a link, or cannot be read.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError("a directory to write to", "a file", "choose another --out", str(self.path))
        self._check_no_links()
        with _written_to(self.path):
            if not (self.path / ABOUT).is_file() and self.path.is_dir() and any(self.path.iterdir()):
                raise InputError(
                    "an empty directory or an earlier comparison",
                    "other files in it",
                    "choose another --out",
                    str(self.path),
                )

    def accepts(self, task: ComparisonTask | MeasuredTask) -> bool:
        """Return whether the comparison of a task may be written here: nothing is here, or a comparison of the task.

        Args:
            task: The task of the comparison; its bandwidth does not matter.
        """
        with _written_to(self.path):
            if not os.path.lexists(self.path):
                return True
            if not self.path.is_dir():
                return False
            if not (self.path / ABOUT).is_file():
                return not any(self.path.iterdir())
            return self._holds(task)

    def _holds(self, task: ComparisonTask | MeasuredTask) -> bool:
        """Return whether the comparison here began with the samples of a task."""
        return (self.path / PROBLEM).is_file() and _read(self.path / ABOUT) == _fingerprint(task)

    def check_task(self, task: ComparisonTask | MeasuredTask, overwrite: bool) -> None:
        """Check that the comparison of a task may be written here, without changing anything.

        Args:
            task: The task of the comparison; its bandwidth does not matter.
            overwrite: Whether an earlier comparison on other samples may be replaced.

        Raises:
            InputError: If `check_free` refuses, or the directory holds a comparison of other samples or a damaged one.
        """
        self.check_free()
        with _written_to(self.path):
            if overwrite or not (self.path / ABOUT).is_file():
                return
            if not self._holds(task):
                raise InputError(
                    "the samples that the comparison began with",
                    "different ones",
                    "pass the same source and split, choose another --out, or replace it with --overwrite",
                    str(self.path),
                )

    def _check_no_links(self) -> None:
        """Check that every file to be written or deleted is in the directory itself.

        Raises:
            InputError: If a file is a link.
        """
        for entry in self.path.rglob("*") if self.path.is_dir() else ():
            if entry.is_symlink():
                raise InputError(
                    "a comparison without links to other places",
                    "a link to another place",
                    "copy the directory with its links followed (cp -rL) and continue with the copy",
                    str(entry),
                )

    def store_limits(self, budget: Budget, limits: SizeLimits) -> None:
        """Store the limits of a budget, so that all tasks and a continued comparison use the same.

        Args:
            budget: Budget of each network.
            limits: The limits of the budget.

        Raises:
            InputError: If they cannot be written.
        """
        with _written_to(self.path):
            about = self.path / ABOUT
            stored = json.loads(about.read_text(encoding="utf-8"))
            stored.setdefault("extents", {})[_named(budget)] = limits.to_json()
            write_atomic(about, json.dumps(stored), about.with_suffix(".part"), make_folder=False)

    def store_bandwidths(self, budget: Budget, bandwidths: Mapping[str, tuple[float, ...]]) -> None:
        """Store the bandwidths of networks at a budget, so that a continued comparison uses the same.

        Args:
            budget: Budget of each network.
            bandwidths: Per axis in cycles per unit, by the network's name.

        Raises:
            InputError: If they cannot be written.
        """
        with _written_to(self.path):
            about = self.path / ABOUT
            stored = json.loads(about.read_text(encoding="utf-8"))
            by_name = {name: list(value) for name, value in bandwidths.items()}
            stored.setdefault("bandwidths", {})[f"{budget.steps}-{_named(budget)}"] = by_name
            write_atomic(about, json.dumps(stored), about.with_suffix(".part"), make_folder=False)


def stored_bandwidths(folder: str | Path, budget: Budget) -> dict[str, tuple[float, ...]]:
    """Return the bandwidths stored by `ComparisonDirectory.store_bandwidths` for a budget; none if there are none."""
    try:
        stored = json.loads((Path(folder) / ABOUT).read_text(encoding="utf-8"))
        by_name = stored["bandwidths"][f"{budget.steps}-{_named(budget)}"]
        return {str(name): tuple(positive(b, "bandwidth") for b in value) for name, value in by_name.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        return {}


def stored_size_limits(folder: str | Path, budget: Budget) -> SizeLimits | None:
    """Return the limits stored by `ComparisonDirectory.store_limits` for a budget; None if there are none."""
    try:
        stored = json.loads((Path(folder) / ABOUT).read_text(encoding="utf-8"))
        return SizeLimits.from_json(stored["extents"][_named(budget)])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _named(budget: Budget) -> str:
    return f"{budget.seconds}-{budget.parameters}"


def _fingerprint(task: ComparisonTask | MeasuredTask) -> str:
    if isinstance(task, MeasuredTask):
        return task.fingerprint
    digest = hashlib.blake2b(digest_size=16)
    signal = task.signal
    for tensor in (signal.values, task.reference, signal.train_index, signal.held_out_index):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    # Positions and spacing determine bandwidths, so the same values on another grid are another task.
    digest.update(repr(signal.geometry).encode())
    return digest.hexdigest()


def _read(about: Path) -> str | None:
    try:
        content = json.loads(about.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return content.get("samples") if isinstance(content, dict) else None


@contextlib.contextmanager
def _written_to(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise InputError(
            "a directory that can be written to",
            f"{problem.strerror or problem}",
            "choose another --out",
            str(path),
        ) from problem
