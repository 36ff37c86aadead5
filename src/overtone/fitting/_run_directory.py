"""The directory of a run: its files, the checks before they are written, and the space they need."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from overtone import records
from overtone._utils.files import write_atomic
from overtone.early_stopping._best_weights import weight_files
from overtone.errors import InputError
from overtone.fitting._settings import RunSettings, parse_settings
from overtone.nn import Field
from overtone.records._access import WriterLock, check_own
from overtone.signals import Geometry, Signal

if TYPE_CHECKING:
    import xarray


MIB = 1 << 20

MAX_CANDIDATES = 12
"""Candidates of the best network that are stored at most."""

FIXED_BYTES = 8 * MIB
"""Bytes of a report and of the rows of a record."""

MAX_SNAPSHOT_SAMPLES = MIB
"""Samples of a recorded prediction at most."""


def disk_space(signal: Signal[Geometry], network: Field, snapshots: int) -> int:
    """Return an upper bound on the bytes that a run writes.

    Args:
        signal: The signal to learn.
        network: The network that is trained.
        snapshots: Number of recorded predictions.
    """
    samples = min(signal.values.shape[0], MAX_SNAPSHOT_SAMPLES) * signal.values.shape[1]
    parameters = sum(p.numel() for p in network.parameters())
    # A checkpoint holds weights, their average and two averages of Adam; while one is written the older one is still
    # there. Candidates are stored of the weights and of their average.
    return FIXED_BYTES + 4 * samples * snapshots + (2 * 4 + 2 * MAX_CANDIDATES) * 4 * parameters


def available(path: Path) -> int:
    """Return the bytes that may be written at a path that need not exist yet: free, and allowed by `ulimit -f`.

    Raises:
        OSError: If the file system does not tell.
    """
    # A directory that is still to be made lies on the disk of its nearest parent.
    there = next((p for p in (path, *path.absolute().parents) if os.path.exists(p)), Path.cwd())
    return min(shutil.disk_usage(there).free, _file_limit())


def _file_limit() -> int:
    try:
        import resource
    except ImportError:
        return 1 << 62
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return 1 << 62 if limit == resource.RLIM_INFINITY else limit


def in_mib(size: int) -> str:
    """Return bytes in words, like "8.1 MiB"."""
    return (
        f"{size / MIB:.{0 if size >= 10 * MIB else 1}f} MiB"
        if size >= MIB / 10
        else f"{math.ceil(size)} bytes"
    )


RECORD, CHECKPOINT, SETTINGS, REPORT = "record.sqlite", "checkpoint.safetensors", "run.json", "report.html"
PARTIAL = f"{SETTINGS}.partial"
FILES = (
    *(
        RECORD,
        f"{RECORD}-wal",
        f"{RECORD}-shm",
        f"{RECORD}-journal",
        f"{RECORD}.part",
        f"{RECORD}.part-journal",
    ),
    *(CHECKPOINT, "checkpoint.partial", REPORT),
)
SQLITE_FILES = ("", "-wal", "-shm", "-journal")
"""Ends of the names of a record's files."""

BEGINNING = {f"{RECORD}.lock", PARTIAL}
"""Files of a run that was killed while it began."""

BEST_WEIGHTS, AVERAGED_WEIGHTS = "kept", "averaged"
"""Folders of the weights, and of the averaged weights, that a run may go back to."""

ATTRIBUTES = ("parameters", "frequency_unit", "bandwidth", "reasons")
"""Attributes of the record of any run, from its beginning on."""

ENDED = ("ending", "kept", "final_errors")
"""Further attributes once the run has ended."""

LARGEST_SETTINGS = 1 << 24
"""Bytes of `run.json`, at most."""


@dataclass(frozen=True)
class RunDirectory:
    """A directory that holds one run: its record, checkpoint, settings and report."""

    path: Path

    @staticmethod
    def of(path: str | Path) -> RunDirectory:
        """Return the run directory at `path`, which need not exist yet."""
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
        """Check that a new run may begin here, without changing anything.

        Args:
            overwrite: Whether an earlier run here may be replaced.

        Raises:
            InputError: If the directory holds a run and `overwrite` is off, or holds anything that is not a run.
        """
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise InputError("a directory to write to", "a file", "choose another --out", str(self.path))
        with _written_to(self.path):
            if not os.path.exists(self.path) or {file.name for file in self.path.iterdir()} <= BEGINNING:
                return
        settings = self.path / SETTINGS
        if not (settings.is_file() or settings.is_symlink()):
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

    def begin(
        self, settings: RunSettings, overwrite: bool, space: int = 0, beside: Sequence[str] = ()
    ) -> None:
        """Make the directory, remove an earlier run's files and write the settings; an error changes nothing.

        Args:
            settings: The content of `run.json`.
            overwrite: Whether an earlier run here may be replaced.
            space: Bytes that the run will write.
            beside: Names of records beside the first one.

        Raises:
            InputError: If `check_free` refuses, or there is no space or no permission to write.
            RunError: If the earlier run is still being written.
        """
        self.check_free(overwrite)
        made = [p for p in (self.path, *self.path.parents) if not os.path.exists(p)]
        with _written_to(self.path):
            self._check_space(space)
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                # Held while files are replaced: a run that is still being written must not lose its record.
                lock = WriterLock(self.record)
                try:
                    self._replace(settings, beside)
                finally:
                    lock.release()
            except BaseException:
                self._undo(made)
                raise

    def _check_space(self, space: int) -> None:
        free = available(self.path)
        old = sum(f.stat().st_size for f in map(self.path.joinpath, FILES) if f.is_file())
        # The files of the run that is replaced are removed first, and give their space back.
        if free + old < space:
            raise InputError(
                f"room for a run of about {in_mib(space)}",
                f"{in_mib(free)} that may be written",
                "free some space or choose another --out",
                str(self.path),
            )

    def _replace(self, settings: RunSettings, beside: Sequence[str]) -> None:
        # The settings are written first and moved last: a full disk is noticed before anything is removed, and a kill
        # in between leaves the old settings, so that the directory is still that of a run.
        temporary = self._write_partial(settings)
        others = {*beside, *self._beside()}
        for name in (*FILES, *(f"{other}.sqlite{end}" for other in others for end in SQLITE_FILES)):
            (self.path / name).unlink(missing_ok=True)
        self._drop_networks()
        os.replace(temporary, self.path / SETTINGS)

    def _beside(self) -> list[str]:
        """Names of an earlier run's records beside its first one, as its record says."""
        try:
            names = records.load(self.record).attrs["equation"]["records"] if self.record.is_file() else []
        except (InputError, KeyError, TypeError):
            return []
        return [str(name) for name in names if Path(str(name)).name == str(name)]

    def _drop_networks(self) -> None:
        """Remove the stored networks of an earlier run; of a link only itself, and no file that no run has written."""
        for folder in (self.path / BEST_WEIGHTS, self.path / AVERAGED_WEIGHTS):
            if folder.is_symlink() or not folder.is_dir():
                folder.unlink(missing_ok=True)
                continue
            for file in weight_files(folder):
                file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()

    def _undo(self, made: list[Path]) -> None:
        with contextlib.suppress(OSError):
            (self.path / PARTIAL).unlink(missing_ok=True)
            for folder in made:
                folder.rmdir()

    def _write_partial(self, settings: RunSettings) -> Path:
        temporary = self.path / PARTIAL
        temporary.unlink(missing_ok=True)
        temporary.write_text(_json(settings), encoding="utf-8")
        return temporary

    def write_settings(self, settings: RunSettings) -> None:
        """Write `run.json` by a temporary file and a rename."""
        with _written_to(self.path):
            write_atomic(self.path / SETTINGS, _json(settings), self.path / PARTIAL, make_folder=False)

    def check_own(self) -> None:
        """Check that the files that a resumed run writes in place lie in the directory itself.

        Raises:
            InputError: If one of them is a link to another place.
        """
        check_own(self.record)
        for folder in (self.path / BEST_WEIGHTS, self.path / AVERAGED_WEIGHTS):
            if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
                raise InputError(
                    "a folder of the run's own",
                    "a link to another" if folder.is_symlink() else "a file",
                    "copy the run with its links followed (cp -rL) and go on with the copy",
                    str(folder),
                )

    def load_record(self) -> xarray.Dataset:
        """Return the record of a run to resume.

        Raises:
            InputError: If it is missing or damaged.
        """
        if not self.record.exists():
            raise InputError(
                "a run with a record",
                "one that ended before its first row",
                "begin again with --overwrite",
                str(self.path),
            )
        record = records.load(self.record)
        due = ATTRIBUTES + (ENDED if record.attrs.get("complete") is True else ())
        missing = [name for name in due if name not in record.attrs]
        if missing:
            raise InputError(
                f"the record of a run, with the attribute {missing[0]!r}",
                "one without it",
                "use a backup or repeat the run",
                str(self.record),
            )
        return record

    def read_settings(self) -> RunSettings:
        """Return the settings that the run began with.

        Raises:
            InputError: If there is no run here, or its settings are damaged.
        """
        file = self.path / SETTINGS
        if not os.path.lexists(file):
            raise InputError("a run to resume", "none", "leave --resume out to begin one", str(self.path))
        try:
            if not file.is_file() or file.stat().st_size > LARGEST_SETTINGS:
                raise ValueError("not the file of a run")
            plain = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as problem:
            raise InputError(
                "readable settings of a run",
                f"a damaged {SETTINGS}",
                "begin again with --overwrite",
                str(self.path),
            ) from problem
        return parse_settings(plain, str(file))


@contextlib.contextmanager
def _written_to(path: Path) -> Iterator[None]:
    """Turn errors of the file system inside the block into one sentence about `path`."""
    try:
        yield
    except OSError as problem:
        raise InputError(
            "a directory that can be written to",
            f"{problem.strerror or problem}",
            "choose another --out",
            str(path),
        ) from problem


def fingerprint(signal: Signal[Geometry]) -> str:
    """Samples per axis, channels, and the crc32 of the values, like "24x24x1 09f2a3c4"; the same on every device."""
    values = signal.values.detach().cpu().contiguous()
    return f"{'x'.join(map(str, (*signal.geometry.shape, values.shape[1])))} {zlib.crc32(values.numpy().data):08x}"


def _json(settings: RunSettings) -> str:
    return json.dumps(settings.to_json(), indent=1) + "\n"
