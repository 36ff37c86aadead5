"""A run directory with any one thing wrong in it is gone on with, or refused in one sentence; never a traceback.

Some damages are tried here; OVERTONE_TRIES=2000 tries that many in each test.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest

from overtone import records, reports
from overtone.errors import InputError, OvertoneError
from overtone.probes._run_writer import ProbeWarning
from overtone.records._codec import checksum
from tests.cli.calling import SENTENCE, TINY, ask, waves
from tests.damage import damaged_json, flipped, some


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of a few steps, begun on the command line."""
    folder = tmp_path_factory.mktemp("begun")
    np.save(folder / "waves.npy", waves((12, 10)))
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert ask("fit", "waves.npy", *TINY, "--bandwidth", "3", "--steps", 6).code == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(begun, tmp_path, monkeypatch, no_page):
    """A fresh folder with the samples; `restore` puts the run there as it was."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(begun / "waves.npy", "waves.npy")

    def restore():
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree(begun / "run", "run")

    restore()
    return restore


def resumed():
    return ask("fit", "waves.npy", "--resume", "--out", "run", "--steps", 8)


def refused_or_done(answer):
    """Whether an answer is a result, or one sentence with exit code 1 or 2."""
    if answer.code == 0:
        return True
    last = (answer.err.splitlines(keepends=True) or [""])[-1]
    return answer.code in (1, 2) and bool(SENTENCE.fullmatch(last)) and len(last) < 1500


def faults(damages, write, restore, ask_for=resumed):
    """What was wrong with the answers to damages, each tried on the whole run."""
    wrong = []
    for name, content in damages:
        write(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ProbeWarning)
                warnings.simplefilter("ignore", DeprecationWarning)  # of torch.compile itself
                answer = ask_for()
            if not refused_or_done(answer):
                wrong.append(f"{name}: {answer.code} {answer.err[-300:]}")
        except BaseException as error:  # noqa: BLE001
            wrong.append(f"{name}: {type(error).__name__}: {error}"[:300])
        restore()
    return "\n".join(wrong[:20])


def test_every_value_of_the_settings_wrong_in_every_way(here):
    file = Path("run/run.json")
    damages = some(damaged_json(file.read_text()), 40)
    assert not faults(damages, file.write_text, here)


def test_every_bit_of_the_settings(here):
    file = Path("run/run.json")
    data = file.read_bytes()
    assert not faults(some(flipped(data, range(len(data))), 12), file.write_bytes, here)


def header(data):
    return 8 + int.from_bytes(data[:8], "little")


def test_every_bit_of_a_checkpoint_and_of_a_network_kept_is_noticed_or_harmless(here):
    kept = sorted(Path("run/kept").iterdir())[-1]
    for file in (Path("run/checkpoint.safetensors"), kept):
        data = file.read_bytes()
        head = header(data)
        places = [*range(head), *range(head, len(data), 97)]
        for name, content in some(flipped(data, places), 100):
            file.write_bytes(content)
            with pytest.raises(InputError, match="expected "):
                _open(file)
                pytest.fail(f"{name} of {file} was not noticed")
        file.write_bytes(data)
        _open(file)


def _open(file):
    from overtone._training import Checkpoint
    from overtone._training._checkpoint import UNREADABLE, DamagedError, read_tensors

    if file.name.startswith("checkpoint"):
        Checkpoint.load(file)
        return
    try:
        read_tensors(file)
    except (*UNREADABLE, DamagedError) as damage:
        raise InputError("expected ", str(damage), "no") from damage


def rewritten(data, text, sums):
    """A checkpoint with another description, and with checksums that fit or none, as older versions wrote."""
    head = header(data)
    table = json.loads(data[8:head])
    metadata = {"overtone": text}
    if sums:
        known = json.loads(table["__metadata__"]["checksums"])
        listed = json.dumps(known | {"": zlib.crc32(text.encode())})
        metadata |= {"checksums": listed, "checksum": str(zlib.crc32(listed.encode()))}
    table["__metadata__"] = metadata
    packed = json.dumps(table).encode()
    packed += b" " * (-len(packed) % 8)
    return len(packed).to_bytes(8, "little") + packed + data[head:]


@pytest.mark.parametrize("sums", [True, False])
def test_every_value_of_a_checkpoint_wrong_in_every_way(here, sums):
    file = Path("run/checkpoint.safetensors")
    data = file.read_bytes()
    text = json.loads(data[8 : header(data)])["__metadata__"]["overtone"]
    damages = ((name, rewritten(data, wrong, sums)) for name, wrong in damaged_json(text))
    assert not faults(some(damages, 12), file.write_bytes, here)


def test_every_entry_of_an_old_checkpoint_wrong_in_every_way(here):
    file = Path("run/checkpoint.safetensors")
    data = rewritten(
        file.read_bytes(),
        json.loads(file.read_bytes()[8 : header(file.read_bytes())])["__metadata__"]["overtone"],
        False,
    )
    head = header(data)
    file.write_bytes(data)
    assert resumed().code == 0
    here()

    def packed(text):
        head_again = text.encode(errors="replace")
        head_again += b" " * (-len(head_again) % 8)
        return len(head_again).to_bytes(8, "little") + head_again + data[head:]

    damages = ((name, packed(wrong)) for name, wrong in damaged_json(data[8:head].decode()))
    assert not faults(some(damages, 12), file.write_bytes, here)


def looked_at():
    """The verdict on the record, and the page, as `overtone report` makes them."""
    from overtone.cli._main import in_flags  # noqa: F401
    from tests.cli.calling import Answer

    try:
        record = records.load("run")
        reports.verdict(record)
        REAL_PAGE([Path("run")], Path("page.html"))
    except OvertoneError as refused:
        return Answer(2, "", f"overtone: {refused}\n")
    return Answer(0, "", "")


REAL_PAGE = reports.report


def meta(name, text):
    """Put a text into the record's table meta, with the checksum that fits."""
    with sqlite3.connect("run/record.sqlite") as connection:
        crc = checksum((name.encode(), text.encode()))
        connection.execute("UPDATE meta SET text = ?, crc = ? WHERE name = ?", (text, crc, name))
    connection.close()


def read_meta(name):
    with sqlite3.connect("run/record.sqlite") as connection:
        (text,) = connection.execute("SELECT text FROM meta WHERE name = ?", (name,)).fetchone()
    connection.close()
    return text


@pytest.mark.parametrize(("name", "usual"), [("attrs", 16), ("channels", 8), ("schema", 8), ("rows", 4)])
def test_every_value_of_a_record_wrong_in_every_way(here, name, usual):
    damages = some(damaged_json(read_meta(name)), usual)
    assert not faults(damages, lambda text: meta(name, text), here, looked_at)


def test_resuming_with_every_value_of_a_record_wrong(here):
    damages = some(damaged_json(read_meta("attrs")), 8)
    assert not faults(damages, lambda text: meta("attrs", text), here)
