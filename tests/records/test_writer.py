"""The writer refuses what does not fit, in one clear sentence, and a failed write changes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from overtone.errors import InputError, RunError
from overtone.records import Header, Writer, _access, load, snapshots
from overtone.records._access import on_network
from tests.records.toy import toy_header

ROW = {"residual_power": np.ones((8, 1))}


@pytest.fixture
def writer(tmp_path):
    with Writer.create(tmp_path / "record.sqlite", toy_header()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({}, r"step 0: expected the variable residual_power, got none; pass it with shape \(8, 1\)"),
        (
            {"residual_power": np.ones((1, 8))},
            r"residual_power of shape \(8, 1\) \(band, channel\), got shape \(1, 8\)",
        ),
        ({**ROW, "loss": [1.0, 2.0]}, r"expected loss of shape \(\) \(a single number\), got shape \(2,\)"),
        ({**ROW, "error": 1.0}, "expected variables among residual_power, .*, got error; rename or drop"),
        ({**ROW, "loss": "0.5"}, "loss: expected an array of real numbers, got dtype <U3"),
        ({**ROW, "loss": 1j}, "expected an array of real numbers, got dtype complex128"),
        ({**ROW, "loss": print}, "expected an array of real numbers, got dtype object"),
        ({"residual_power": [[1.0], [1.0, 2.0]]}, "expected an array of real numbers, got list"),
    ],
)
def test_rows_that_do_not_fit(writer, row, text):
    with pytest.raises(InputError, match=text):
        writer.append(0, row)
    writer.append(0, ROW)
    assert load(writer.path).sizes["step"] == 1


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (3, "expected a step above 3, got 3"),
        (2, "expected a step above 3, got 2"),
        (-1, "expected a step of 0 or more, got -1"),
        (2**63, "expected a step of 0 or more"),
        (4.0, "expected a whole number of steps, got 4.0"),
    ],
)
def test_steps_that_do_not_fit(writer, step, text):
    writer.append(np.int32(3), ROW)
    with pytest.raises(InputError, match=text):
        writer.append(step, ROW)
    writer.append(4, ROW)
    assert load(writer.path).step.values.tolist() == [3, 4]


@pytest.mark.parametrize("array", [np.array([print]), np.array(["a"]), [[1], [1, 2]], np.array(0, "M8[s]")])
def test_snapshots_hold_numbers_only(writer, array):
    with pytest.raises(InputError, match="expected an array of numbers"):
        writer.snapshot("prediction", 0, array)
    assert snapshots(writer.path).entries == ()


@pytest.mark.parametrize("name", ["", "a\nb", 3])
def test_snapshots_have_names(writer, name):
    with pytest.raises(InputError, match="expected a printable name"):
        writer.snapshot(name, 0, [1.0])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"band_low": [0.0, 1.0]},
            r"bands: expected as many lower as upper band edges, got shapes \(2,\) and \(1,\)",
        ),
        ({"band_low": [1.0]}, "expected finite bands with 0 <= low < high"),
        ({"band_high": [np.inf]}, "expected finite bands"),
        ({"band_low": [0.0, 0.5], "band_high": [1.0, 2.0]}, "expected ascending bands that do not overlap"),
        ({"channels": ()}, "expected distinct printable channel names"),
        ({"channels": ("a", "a")}, "expected distinct printable channel names"),
        ({"static": {}}, "static: expected the variable target_power, got none"),
        ({"static": {"target_power": [1.0]}}, r"target_power of shape \(1, 1\)"),
        (
            {"attrs": {"a": {"b": object()}}},
            r"attrs\.a\.b: expected numbers, strings, lists, dicts or None, got object",
        ),
        ({"attrs": {1: 2}}, "attrs: expected names that are strings, got 1"),
    ],
)
def test_headers_that_do_not_fit(change, text):
    good = {"band_low": [0.0], "band_high": [1.0], "channels": ("c",), "static": {"target_power": [[1.0]]}}
    Header(**good)
    with pytest.raises(InputError, match=text):
        Header(**{**good, **change})


def test_a_header_copies_what_it_is_given():
    power = np.ones((1, 1))
    header = Header([0], [1], ["c"], {"target_power": power})
    power[:] = 7
    assert header.static["target_power"] == 1


def test_paths_that_do_not_fit(tmp_path):
    header = toy_header()
    with pytest.raises(InputError, match=r"expected a file name ending in \.sqlite, got 'run'"):
        Writer.create(tmp_path / "run", header)
    with pytest.raises(InputError, match="expected an existing record, got no such file"):
        Writer.resume(tmp_path / "record.sqlite", 0)
    (tmp_path / "file").write_text("")
    with pytest.raises(
        RunError, match=r"expected a folder that can be made, got (File exists|Not a directory); choose"
    ):
        Writer.create(tmp_path / "file" / "record.sqlite", header)
    with Writer.create(tmp_path / "new" / "deep" / "record.sqlite", header) as writer:
        writer.append(0, ROW)
    with pytest.raises(InputError, match="expected a path without a record, got an existing one; resume it"):
        Writer.create(writer.path, header)
    (tmp_path / "folder.sqlite").mkdir()
    with pytest.raises(InputError, match="expected a path without a record"):
        Writer.create(tmp_path / "folder.sqlite", header)
    assert sorted(p.name for p in writer.path.parent.iterdir()) == ["record.sqlite"]


def test_a_closed_writer_says_so(tmp_path):
    writer = Writer.create(tmp_path / "record.sqlite", toy_header())
    writer.close()
    writer.close()
    for use in (
        lambda: writer.append(0, ROW),
        lambda: writer.snapshot("a", 0, 1.0),
        lambda: writer.annotate(a=1),
    ):
        with pytest.raises(
            InputError, match=r"expected an open record, got a closed one; continue it with Writer\.resume"
        ):
            use()


def test_annotations_merge(writer):
    writer.annotate(stop={"step": 3}, seed=7)
    writer.annotate(reasons=["a"])
    attrs = load(writer.path).attrs
    assert (attrs["stop"], attrs["seed"], attrs["reasons"], attrs["signal"]) == ({"step": 3}, 7, ["a"], "toy")
    with pytest.raises(InputError, match=r"attrs\.bad: expected numbers"):
        writer.annotate(bad={1, 2})


@pytest.mark.parametrize("shared", [False, True])
def test_a_full_disk_keeps_what_there_was_and_writing_goes_on_when_there_is_room(
    tmp_path, monkeypatch, shared
):
    monkeypatch.setattr(_access, "on_network", lambda path: shared)
    with Writer.create(tmp_path / "record.sqlite", toy_header()) as writer:
        writer.append(0, ROW)
        pages = writer._connection.execute("PRAGMA page_count").fetchone()[0]
        writer._connection.execute(f"PRAGMA max_page_count={pages + 2}")
        with pytest.raises(
            RunError, match=r"expected room for the record, got a full disk .*; free some space"
        ):
            writer.snapshot("prediction", 0, np.random.default_rng(0).random(10_000))
        with pytest.raises(RunError, match="full disk"):
            for step in range(1, 1000):
                writer.append(step, ROW)
        kept = load(writer.path)
        assert kept.step.values.tolist() == list(range(step))
        assert snapshots(writer.path).entries == ()
        writer._connection.execute("PRAGMA max_page_count=1000000")
        writer.append(step, ROW)
    assert load(writer.path).sizes["step"] == step + 1


def test_a_read_only_record_says_so(writer):
    writer._connection.execute("PRAGMA query_only=1")
    with pytest.raises(
        RunError, match="expected a record that can be written, got a read-only file or folder"
    ):
        writer.append(0, ROW)
    writer._connection.execute("PRAGMA query_only=0")
    writer.append(0, ROW)


def test_a_locked_record_says_so(writer):
    other = sqlite3.connect(writer.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writer._connection.execute("PRAGMA busy_timeout=1")
    with pytest.raises(RunError, match="expected a free record, got one locked by another process"):
        writer.append(0, ROW)
    other.execute("ROLLBACK")
    other.close()
    writer.append(0, ROW)
    assert load(writer.path).sizes["step"] == 1


def test_the_journal_follows_the_file_system(tmp_path, monkeypatch):
    for shared, mode in ((False, "wal"), (True, "delete")):
        monkeypatch.setattr(_access, "on_network", lambda path, shared=shared: shared)
        with Writer.create(tmp_path / f"{mode}.sqlite", toy_header()) as writer:
            assert writer._connection.execute("PRAGMA journal_mode").fetchone() == (mode,)


def test_network_mounts_are_known_by_the_deepest_mount(tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\ntmpfs /home/a\\040b tmpfs rw 0 0\n"
    )
    assert on_network(Path("/home/me/run/record.sqlite"), mounts)
    assert not on_network(Path("/homely/record.sqlite"), mounts)
    assert not on_network(Path("/home/a b/record.sqlite"), mounts)
    assert not on_network(Path("/home/me"), tmp_path / "absent")


def test_a_reader_at_closing_time_does_not_disturb(tmp_path):
    writer = Writer.create(tmp_path / "record.sqlite", toy_header())
    writer.append(0, ROW)
    other = sqlite3.connect(writer.path, isolation_level=None)
    other.execute("BEGIN")
    assert other.execute("SELECT COUNT(*) FROM rows").fetchone() == (1,)
    writer.close()
    other.close()
    assert load(tmp_path).sizes["step"] == 1
    with Writer.resume(writer.path, 0) as again:
        again.append(1, ROW)
    assert load(tmp_path).sizes["step"] == 2
