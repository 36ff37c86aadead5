"""Where a comparison lies: its problem, results, predictions and page."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

from overtone.comparing._task import ComparisonTask, SizeLimits
from overtone.errors import InputError
from overtone.planning import Budget

ABOUT, RESULTS, REPORT = "comparison.json", "results", "report.html"
PROBLEM, PREDICTIONS = "problem.npz", "predictions"


@final
@dataclass(frozen=True)
class ComparisonDirectory:
    """A directory that holds one comparison.

    Attributes:
        path: The directory, which need not exist.
    """

    path: Path

    @property
    def results(self) -> Path:
        """Results of finished tasks."""
        return self.path / RESULTS

    @property
    def report(self) -> Path:
        """The page."""
        return self.path / REPORT

    def begin(self, problem: ComparisonTask, overwrite: bool) -> str:
        """Make the directory and keep the problem, or find the same one there.

        Args:
            problem: What is compared on.
            overwrite: Whether an earlier comparison on other samples may be replaced.

        Returns:
            The fingerprint of the problem.

        Raises:
            InputError: If something else is there, something in it is a link, or it cannot be written to.
        """
        mark = _fingerprint(problem)
        if self.path.exists() and not self.path.is_dir():
            raise InputError("a directory to write to", "a file", "choose another --out", str(self.path))
        self._check_own()
        with _written_to(self.path):
            about = self.path / ABOUT
            if about.is_file():
                if not overwrite and _read(about) == mark and (self.path / PROBLEM).is_file():
                    return mark
                if not overwrite:
                    raise InputError(
                        "the samples that the comparison began with",
                        "others",
                        "pass the same source and split, choose another --out, or replace it by --overwrite",
                        str(self.path),
                    )
                for name in (RESULTS, PREDICTIONS):
                    shutil.rmtree(self.path / name, ignore_errors=True)
                for name in (ABOUT, PROBLEM, REPORT):
                    (self.path / name).unlink(missing_ok=True)
            elif self.path.is_dir() and any(self.path.iterdir()):
                raise InputError(
                    "an empty directory or an earlier comparison",
                    "other files in it",
                    "choose another --out",
                    str(self.path),
                )
            self.path.mkdir(parents=True, exist_ok=True)
            about.write_text(json.dumps({"samples": mark}), encoding="utf-8")
            problem.save(self.path / PROBLEM)
        return mark

    def _check_own(self) -> None:
        """Whether all that is written to or deleted lies in the directory itself.

        Raises:
            InputError: If something in it is a link.
        """
        for entry in self.path.rglob("*") if self.path.is_dir() else ():
            if entry.is_symlink():
                raise InputError(
                    "a comparison whose files are its own",
                    "a link to another place",
                    "copy the folder with its links followed (cp -rL) and go on with the copy",
                    str(entry),
                )

    def keep(self, budget: Budget, extent: SizeLimits) -> None:
        """Keep what a budget pays for, so that every part of the comparison and its continuation get the same.

        Args:
            budget: Of each network.
            extent: What it pays for.

        Raises:
            InputError: If it cannot be written.
        """
        with _written_to(self.path):
            about = self.path / ABOUT
            kept = json.loads(about.read_text(encoding="utf-8"))
            kept.setdefault("extents", {})[_named(budget)] = extent.to_json()
            partial = about.with_suffix(".part")
            partial.write_text(json.dumps(kept), encoding="utf-8")
            partial.replace(about)


def stored_size_limits(folder: str | Path, budget: Budget) -> SizeLimits | None:
    """What `Folder.keep` kept for a budget; None if it kept nothing."""
    try:
        kept = json.loads((Path(folder) / ABOUT).read_text(encoding="utf-8"))
        return SizeLimits.from_json(kept["extents"][_named(budget)])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _named(budget: Budget) -> str:
    return f"{budget.seconds}-{budget.parameters}"


def _fingerprint(problem: ComparisonTask) -> str:
    digest = hashlib.blake2b(digest_size=16)
    signal = problem.signal
    for tensor in (signal.values, problem.reference, signal.train_index, signal.held_out_index):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    digest.update(repr(signal.geometry).encode())
    return digest.hexdigest()


def _read(about: Path) -> str | None:
    try:
        found = json.loads(about.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return found.get("samples") if isinstance(found, dict) else None


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
