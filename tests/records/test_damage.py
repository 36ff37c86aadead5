"""Whatever happened to a file, reading it gives what was written or says that it is damaged."""

from __future__ import annotations

import random
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.records import Writer, load, snapshots, to_netcdf
from overtone.records._schema import PER_STEP
from tests.records.toy import toy_header, toy_record


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    path, toy = tmp_path_factory.mktemp("intact") / "record.sqlite", toy_record()
    with Writer.create(path, toy_header()) as writer:
        for i, step in enumerate(toy.step.values):
            writer.append(step, {name: toy[name].values[i] for name in PER_STEP})
        writer.snapshot("target", -1, np.arange(100.0))
    return path


def edited(intact, folder, *statements):
    path = folder / "edited.sqlite"
    path.write_bytes(intact.read_bytes())
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("seed", range(3))
def test_one_flipped_bit_is_harmless_or_noticed(intact, tmp_path, seed):
    data, whole, draw = intact.read_bytes(), load(intact), random.Random(seed)
    heads = [i for i in range(len(data)) if i % 4096 < 14 or i < 100]
    path, noticed = tmp_path / "flipped.sqlite", 0
    for where in [*draw.sample(heads, 40), *draw.sample(range(len(data)), 40)]:
        flipped = bytearray(data)
        flipped[where] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            assert load(path).identical(whole)
        except InputError:
            noticed += 1
        for extra in tmp_path.glob("flipped.sqlite-*"):
            extra.unlink()
    assert noticed > 12


def test_every_variable_is_under_the_checksum(intact, tmp_path):
    whole = load(intact)
    for name in PER_STEP:
        path = edited(intact, tmp_path, f"UPDATE rows SET {name} = zeroblob(length({name})) WHERE step = 9")
        with pytest.raises(
            InputError, match=r"a damaged one with \d+ good rows \(the checksum of step 9\); keep those"
        ):
            load(path)
        kept = load(path, salvage=True)
        assert kept.attrs.pop("salvaged") == ["the checksum of step 9"]
        assert kept.identical(whole.drop_sel(step=9))
        with pytest.raises(InputError, match="expected an intact overtone record, got a damaged file"):
            Writer.resume(path, 9)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE static SET data = zeroblob(64) WHERE name = 'band_low'",
        "UPDATE static SET data = zeroblob(8) WHERE name = 'target_power'",
        "DELETE FROM static WHERE name = 'noise_power'",
        "UPDATE meta SET text = replace(text, 'toy', 'boy') WHERE name = 'attrs'",
        "DELETE FROM meta WHERE name = 'schema'",
        "DELETE FROM meta WHERE name = 'channels'",
        "DROP TABLE meta",
        "DROP TABLE rows",
    ],
)
def test_a_broken_header_cannot_be_salvaged(intact, tmp_path, statement):
    path = edited(intact, tmp_path, statement)
    with pytest.raises(InputError, match="a damaged"):
        load(path)


@pytest.mark.parametrize("where", ["step = 9", "step >= 1000", "step = 0"])
def test_lost_rows_are_noticed(intact, tmp_path, where):
    path = edited(intact, tmp_path, f"DELETE FROM rows WHERE {where}")
    with pytest.raises(InputError, match=r"good rows \(\d+ rows of 57\)"):
        load(path)
    assert load(path, salvage=True).sizes["step"] < 57


def test_a_renumbered_row_is_noticed(intact, tmp_path):
    with pytest.raises(InputError, match="the checksum of step 100000"):
        load(edited(intact, tmp_path, "UPDATE rows SET step = 100000 WHERE step = 9"))


def test_a_truncated_record_says_how_much_is_left(intact, tmp_path):
    data, whole, path = intact.read_bytes(), load(intact), tmp_path / "cut.sqlite"
    best = 0
    for size in range(len(data) - 4096, 0, -4096):
        path.write_bytes(data[:size])
        with pytest.raises(InputError, match="damaged"):
            load(path)
        try:
            kept = load(path, salvage=True)
        except InputError:
            continue
        best = max(best, kept.sizes["step"])
        assert kept.attrs.pop("salvaged")
        assert kept.identical(whole.sel(step=kept.step))
    assert best > 20


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"SQLite format 3\0", b"\x89HDF\r\n\x1a\n"]))
def test_random_bytes_are_no_record(tmp_path_factory, data, start):
    path = tmp_path_factory.getbasetemp() / "random.sqlite"
    path.write_bytes(start + data)
    for read in (load, snapshots):
        if (start + data).startswith(b"\x89HDF") and read is snapshots:
            continue
        with pytest.raises(InputError, match=r"expected an (intact )?overtone record"):
            read(path)


def test_a_foreign_database_is_no_record(tmp_path):
    connection = sqlite3.connect(tmp_path / "other.sqlite")
    connection.execute("CREATE TABLE photos (name TEXT)")
    connection.commit()
    connection.close()
    for use in (load, snapshots, lambda path: Writer.resume(path, 0)):
        with pytest.raises(InputError, match="expected an intact overtone record"):
            use(tmp_path / "other.sqlite")


def test_a_damaged_snapshot_is_noticed(intact, tmp_path):
    for change in (
        "data = substr(data, 1, length(data) - 1)",
        "dtype = '<f4'",
        "shape = '[50, 2]'",
        "dtype = 'O'",
    ):
        path = edited(intact, tmp_path, f"UPDATE snapshots SET {change}")
        with pytest.raises(InputError, match=r"a damaged file \(the snapshot target@-1\)"):
            snapshots(path).get("target", -1)


def test_records_of_a_newer_overtone_are_refused(tmp_path, monkeypatch):
    from overtone.records import _sqlite

    with monkeypatch.context() as later:
        later.setattr(_sqlite, "SCHEMA", 2)
        Writer.create(tmp_path / "record.sqlite", toy_header()).close()
    for use in (load, snapshots, lambda path: Writer.resume(path, 0)):
        with pytest.raises(
            InputError, match="schema 2, written by a newer overtone; upgrade overtone to read it"
        ):
            use(tmp_path / "record.sqlite")
    to_netcdf(toy_record().assign_attrs(schema=2), tmp_path / "record.nc")
    with pytest.raises(InputError, match="schema 2, written by a newer overtone"):
        load(tmp_path / "record.nc")


def test_damaged_netcdf_is_noticed(tmp_path):
    to_netcdf(toy_record(), tmp_path / "record.nc")
    data = (tmp_path / "record.nc").read_bytes()
    for size in (len(data) // 2, len(data) - 1, 600):
        (tmp_path / "cut.nc").write_bytes(data[:size])
        with pytest.raises(InputError, match=r"damaged file \(not readable as netCDF\)"):
            load(tmp_path / "cut.nc")
