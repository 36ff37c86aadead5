from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from overtone.errors import InputError
from overtone.signals import Signal, array, audio, image, read, series, volume
from tests.signals.refusals import refusal

READERS = [array, audio, image, read, series, volume]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.PNG"
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6)).save(path)
    return path


def test_suffixes_choose_the_reader_in_any_case(picture: Path, tmp_path: Path) -> None:
    assert read(picture).kind == "picture"
    assert read(str(picture)).kind == "picture"
    soundfile.write(tmp_path / "a.wav", np.arange(9) / 10, 8000)
    assert read(tmp_path / "a.wav").kind == "audio"
    (tmp_path / "a.tsv").write_text("t\ta\n0\t1\n1\t2\n")
    assert read(tmp_path / "a.tsv").kind == "series"


def test_options_reach_the_reader_and_unknown_ones_are_named(picture: Path) -> None:
    assert read(picture, spacing=2.0).geometry.units == ("mm", "mm")
    text = refusal(read, picture, colour=True)
    assert (
        "an option of signals.image (alpha, background, spacing, full_range, channel_axis), got 'colour'"
        in text
    )


def test_an_unknown_suffix_lists_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")
    text = refusal(read, tmp_path / "a.xyz")
    assert "got the suffix '.xyz'" in text
    for suffix in (".png", ".tif", ".wav", ".flac", ".ogg", ".csv", ".npy", ".npz", ".nii", ".nii.gz"):
        assert suffix in text
    (tmp_path / "plain").write_text("x")
    assert "got no suffix" in refusal(read, tmp_path / "plain")


@pytest.mark.parametrize(
    "suffix", ["jpg", "tif", "wav", "flac", "ogg", "mp3", "nii", "nii.gz", "csv", "npy", "npz"]
)
def test_a_file_under_a_wrong_suffix_is_recognised(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\n\x00\x01" + bytes(range(256)))
    path.write_bytes((tmp_path / "a.pdf").read_bytes())
    text = refusal(read, path)
    assert text.startswith(str(path))
    assert "got a PDF document" in text


@pytest.mark.parametrize("reader", READERS)
def test_files_that_cannot_be_opened(
    reader: Callable[[Path], Signal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "a file, got nothing at this path" in refusal(reader, tmp_path / "none.png")
    assert "a file, got a directory; name one file in it" in refusal(reader, tmp_path)
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "zarr.json").touch()
    assert "with a Zarr store; open it with xarray.open_zarr" in refusal(reader, tmp_path / "a.zarr")
    (tmp_path / "a.png").touch()
    assert "a.png: expected a file with content, got an empty file" in refusal(reader, tmp_path / "a.png")
    assert "a file that can be read" in refusal(reader, tmp_path / ("x" * 300))
    assert "a name with a null character" in refusal(reader, tmp_path / "a\0.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        assert "a file, got a pipe; save its content to a file first" in refusal(
            reader, tmp_path / "pipe.png"
        )

    def locked(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", locked)
    assert "a file that may be read, got permission denied" in refusal(reader, tmp_path / "a.png")


@pytest.mark.parametrize("path", [None, 3])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(
        InputError, match=f"expected the path of a file, got {type(path).__name__}; pass its name"
    ):
        read(path)
