"""Records are found by run directory or file, and read without any right to write."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from overtone.errors import InputError
from overtone.records import Writer, _access, load, snapshots, to_netcdf
from overtone.records._schema import PER_STEP, STATIC
from tests.records.toy import toy_header

NOBODY = 65534
ROW = {"residual_power": np.ones((8, 1))}


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Run the block as an ordinary user where the tests run as root, whom permissions do not bind."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def frozen():
    """A folder that all may look into; `frozen()` takes away the right to write there."""
    folder = Path(tempfile.mkdtemp(prefix="overtone-test-"))
    folder.chmod(0o755)

    def freeze() -> Path:
        for file in folder.iterdir():
            file.chmod(0o444)
        folder.chmod(0o555)
        return folder

    yield folder, freeze
    folder.chmod(0o755)
    shutil.rmtree(folder)


def write(folder: Path) -> Writer:
    writer = Writer.create(folder / "record.sqlite", toy_header())
    writer.append(0, ROW)
    writer.append(1, ROW)
    return writer


def check_unwritable(folder: Path) -> None:
    with without_privileges(), pytest.raises(OSError):
        (folder / "new").touch()


def test_a_finished_record_in_a_read_only_folder(frozen):
    folder, freeze = frozen
    write(folder).close()
    check_unwritable(freeze())
    with without_privileges():
        assert load(folder).sizes["step"] == 2
        assert snapshots(folder).entries == ()


def test_a_live_record_in_a_folder_that_is_read_only_to_us(frozen):
    folder, _ = frozen
    writer = write(folder)
    if os.geteuid() == 0:
        with without_privileges():
            assert load(folder).sizes["step"] == 2
        writer.append(2, ROW)
        with without_privileges():
            assert load(folder).sizes["step"] == 3
    else:
        assert load(folder).sizes["step"] == 2
    writer.close()


@pytest.mark.parametrize("shared", [False, True])
def test_a_crashed_record_in_a_read_only_folder(frozen, monkeypatch, shared):
    folder, freeze = frozen
    monkeypatch.setattr(_access, "on_network", lambda path: shared)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    writer = write(elsewhere)
    if shared:
        writer._connection.execute("PRAGMA cache_spill=1")
        writer._connection.execute("PRAGMA cache_size=1")
        writer._connection.execute("BEGIN IMMEDIATE")
        writer._connection.execute("UPDATE rows SET residual_power = zeroblob(9999)")
    for suffix in ("", "-journal") if shared else ("", "-wal"):
        shutil.copyfile(elsewhere / f"record.sqlite{suffix}", folder / f"record.sqlite{suffix}")
    if shared:
        writer._connection.execute("ROLLBACK")
    writer.close()
    shutil.rmtree(elsewhere)
    check_unwritable(freeze())
    with without_privileges():
        record = load(folder)
    assert record.sizes["step"] == 2
    assert (record.residual_power == 1).all()


def test_run_directory_file_and_export_are_the_same(tmp_path):
    write(tmp_path).close()
    record = load(tmp_path)
    to_netcdf(record, tmp_path / "record.nc")
    for path in (tmp_path, str(tmp_path), tmp_path / "record.sqlite", tmp_path / "record.nc"):
        assert load(path).identical(record)
    assert snapshots(tmp_path / "record.nc").names == ()


def test_names_with_odd_characters(tmp_path):
    folder = tmp_path / "a b#?%20ü"
    write(folder).close()
    assert load(folder).sizes["step"] == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("absent", "expected a run directory, a .sqlite or a .nc file, got no such file; check the path"),
        ("", r"got a folder without record\.sqlite"),
        ("empty.sqlite", r"expected an overtone record \(SQLite or netCDF\), got an empty file"),
        ("picture.png", "got something else or a damaged file"),
    ],
)
def test_what_is_no_record(tmp_path, name, text):
    (tmp_path / "empty.sqlite").touch()
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    with pytest.raises(InputError, match=text):
        load(tmp_path / name)


def test_a_file_we_may_not_read(frozen):
    folder, _ = frozen
    write(folder).close()
    (folder / "record.sqlite").chmod(0o000)
    with without_privileges(), pytest.raises(InputError, match="expected a file that can be read"):
        load(folder)


def test_the_schema_is_all_there_even_without_rows(tmp_path):
    Writer.create(tmp_path / "record.sqlite", toy_header(channels=3, value_unit="Pa")).close()
    record = load(tmp_path)
    assert dict(record.sizes) == {"band": 8, "channel": 3, "step": 0}
    assert set(record.data_vars) == {*STATIC, *PER_STEP}
    for name, variable in (STATIC | PER_STEP).items():
        assert record[name].dims == variable.dims
        assert record[name].attrs["units"] == variable.units.format(value="(Pa)")
    assert record.band_low.attrs["units"] == "cycles per picture height"
    assert record.attrs["schema"] == 1


def test_import_is_light():
    code = (
        "import sys, overtone.records; "
        "print([m for m in ('torch', 'xarray', 'pandas', 'scipy', 'h5py', 'h5netcdf', 'pickle') "
        "if m in sys.modules and m not in before])"
    )
    before = "import sys, numpy, sqlite3, pathlib, json, tempfile, shutil; before = set(sys.modules); "
    done = subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
