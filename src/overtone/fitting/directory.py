"""The run directory: what may be written where, so that two runs are never silently mixed."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overtone.errors import InputError, RunError

RECORD, CHECKPOINT, SETTINGS, REPORT = "record.sqlite", "checkpoint.safetensors", "run.json", "report.html"


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds one run: its record, checkpoint, settings and report."""

    path: Path

    @staticmethod
    def of(path: str | Path) -> RunDirectory:
        """The run directory at `path`, which need not exist yet."""
        return RunDirectory(Path(path))

    @property
    def record(self) -> Path:
        """The record, an SQLite file."""
        return self.path / RECORD

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint."""
        return self.path / CHECKPOINT

    @property
    def report(self) -> Path:
        """The report, one HTML page."""
        return self.path / REPORT

    def check_free(self, overwrite: bool) -> None:
        """Whether a new run may begin here; nothing is changed yet.

        Args:
            overwrite: Whether an earlier run here may be replaced.

        Raises:
            InputError: If the directory holds a run and `overwrite` is off, or holds anything that is not a run.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError("a directory to write to", "a file", "choose another --out", str(self.path))
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not (self.path / SETTINGS).is_file():
            raise InputError(
                "an empty directory or an earlier run",
                "other files in it",
                "choose another --out",
                str(self.path),
            )
        if not overwrite:
            raise InputError(
                "a directory without a run",
                "an earlier run in it",
                "go on with it by --resume, replace it by --overwrite, or choose another --out",
                str(self.path),
            )

    def begin(self, settings: dict[str, Any], overwrite: bool) -> None:
        """Make the directory, drop an earlier run's files, and write the settings.

        Raises:
            InputError: If `check_free` says no, or there is no permission to write.
            RunError: If the disk is full.
        """
        self.check_free(overwrite)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in (RECORD, f"{RECORD}-wal", f"{RECORD}-shm", CHECKPOINT, REPORT):
                (self.path / name).unlink(missing_ok=True)
            if shutil.disk_usage(self.path).free < 1 << 20:
                raise RunError(
                    "room for a run", "a full disk", "free some space or choose another --out", str(self.path)
                )
            self.write_settings(settings)
        except PermissionError as problem:
            raise InputError(
                "permission to write", f"{problem.strerror}", "choose another --out", str(self.path)
            ) from problem
        except OSError as problem:
            raise RunError(
                "to make a run directory", str(problem), "choose another --out", str(self.path)
            ) from problem

    def write_settings(self, settings: dict[str, Any]) -> None:
        """Write `run.json` by a temporary file and a rename."""
        temporary = self.path / f"{SETTINGS}.partial"
        temporary.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        os.replace(temporary, self.path / SETTINGS)

    def read_settings(self) -> dict[str, Any]:
        """The settings the run began with.

        Raises:
            InputError: If there is no run here, or its settings are damaged.
        """
        try:
            settings = json.loads((self.path / SETTINGS).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as problem:
            raise InputError(
                "a run to resume", "none", "leave --resume out to begin one", str(self.path)
            ) from problem
        except (OSError, ValueError) as problem:
            raise InputError(
                "readable settings of a run",
                f"a damaged {SETTINGS}",
                "begin again with --overwrite",
                str(self.path),
            ) from problem
        if not isinstance(settings, dict) or "network" not in settings or "training" not in settings:
            raise InputError(
                "settings of a run", "other JSON", "begin again with --overwrite", str(self.path / SETTINGS)
            )
        return settings
