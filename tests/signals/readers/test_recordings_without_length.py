"""Recordings whose header does not say how long they are, or says it wrongly, are read whole or refused."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from overtone.errors import InputError
from overtone.signals import audio, read
from tests.signals.refusals import refusal

RATE = 8000
KINDS = ("wav", "flac", "ogg", "mp3", "aiff", "caf", "au", "w64", "rf64")
STREAMED = "its header does not state its length; read to its end"
LAST_LEFT_OUT = "its last frame is incomplete and was left out"
ID3 = b"ID3\x04\0\0\0\0\x02\0" + b"\xff\xfb\x90\x64" * 64
APE = bytes(10) + b"APETAGEX" + struct.pack("<4I", 2000, 42, 1, 0) + bytes(8)
ID1 = b"TAG" + bytes(125)


def sound(samples: int = 8001, tracks: int = 1) -> np.ndarray:
    turns = 2 * np.pi * np.arange(samples)[:, None] / RATE
    return 0.5 * np.sin(turns * (440 + 100 * np.arange(tracks)))


def encoded(suffix: str, values: np.ndarray, rate: int = RATE, **options: object) -> bytes:
    kind = {"aif": "AIFF", "sph": "NIST"}.get(suffix, suffix.upper())
    stream = io.BytesIO()
    soundfile.write(stream, values, rate, format=kind, **options)
    return stream.getvalue()


def changed(data: bytes, mark: bytes, size: bytes) -> bytes:
    at = data.index(mark) + len(mark)
    return data[:at] + size + data[at + len(size) :]


def samples_of(tmp_path: Path, data: bytes, suffix: str) -> tuple[np.ndarray, tuple[str, ...]]:
    (tmp_path / f"a.{suffix}").write_bytes(data)
    found = read(tmp_path / f"a.{suffix}")
    return found.values.numpy(), found.notes[1:]


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x80000000, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFFFD8])
@pytest.mark.parametrize("trailer", [b"", b"LIST\x04\0\0\0INFO"])
def test_wav_from_a_pipe(tmp_path: Path, size: int, trailer: bytes) -> None:
    whole = encoded("wav", sound(8000), subtype="PCM_U8")
    data = changed(whole, b"data", struct.pack("<I", size)) + trailer
    values, notes = samples_of(tmp_path, data, "wav")
    assert values.tolist() == samples_of(tmp_path, whole, "wav")[0].tolist()
    assert notes == (STREAMED,)


@pytest.mark.parametrize(
    ("suffix", "mark", "size"),
    [
        ("au", b".snd\0\0\0\x18", struct.pack(">I", 0)),
        ("au", b".snd\0\0\0\x18", struct.pack(">I", 0xFFFFFFFF)),
        ("caf", b"data", struct.pack(">q", -1)),
        ("caf", b"data", struct.pack(">q", 0)),
        ("aif", b"SSND", struct.pack(">I", 0)),
        ("aif", b"SSND", struct.pack(">I", 0xFFFFFFFF)),
        ("rf64", b"ds64\x1c\0\0\0", struct.pack("<qq", -1, -1)),
        ("flac", b"\x01\xf4\x00\xf0", struct.pack(">I", 0)),
    ],
)
def test_other_containers_from_a_pipe(tmp_path: Path, suffix: str, mark: bytes, size: bytes) -> None:
    whole = encoded(suffix, sound(), subtype="PCM_16")
    values, _ = samples_of(tmp_path, changed(whole, mark, size), suffix)
    assert values.tolist() == samples_of(tmp_path, whole, suffix)[0].tolist()


@pytest.mark.parametrize("suffix", ["wav", "aif", "au", "caf", "rf64", "w64", "flac", "ogg", "mp3", "svx"])
@pytest.mark.parametrize("part", [0.5, 0.97])
def test_what_is_cut_short_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    data = encoded(suffix, sound(30000))
    (tmp_path / f"a.{suffix}").write_bytes(data[: int(part * len(data))])
    assert "expected a complete recording, got a truncated one" in refusal(read, tmp_path / f"a.{suffix}")


def test_a_count_that_is_too_low_does_not_shorten_a_recording(tmp_path: Path) -> None:
    whole = encoded("flac", sound())
    values, notes = samples_of(tmp_path, changed(whole, b"\x01\xf4\x00\xf0", struct.pack(">I", 100)), "flac")
    assert (len(values), notes) == (
        8001,
        ("its header announces 100 samples; it holds 8001, and all were read",),
    )
    whole = encoded("aif", sound())
    values, notes = samples_of(
        tmp_path, changed(whole, b"COMM\0\0\0\x12\0\x01", struct.pack(">I", 100)), "aif"
    )
    assert (len(values), notes) == (
        8001,
        ("its header announces 100 samples; it holds 8001, and all were read",),
    )
    whole = encoded("wav", sound())
    values, notes = samples_of(tmp_path, changed(whole, b"data", struct.pack("<I", 100)), "wav")
    assert len(values) == 50
    assert notes == (
        "15902 bytes after the samples belong to nothing that its header names, and were left out",
    )


def test_flac_that_stops_within_a_frame(tmp_path: Path) -> None:
    data = changed(encoded("flac", sound(20000)), b"\x01\xf4\x00\xf0", struct.pack(">I", 0))
    assert samples_of(tmp_path, ID3 + data, "flac")[0].shape == (20000, 1)
    values, notes = samples_of(tmp_path, data[:-5], "flac")
    assert (len(values), notes) == (4 * 4096, (LAST_LEFT_OUT,))


def test_chunks_of_odd_length(tmp_path: Path) -> None:
    data = encoded("wav", sound())
    at = data.index(b"data")
    for pad in (b"", b"\0"):
        odd = data[:at] + b"note\x03\0\0\0abc" + pad + data[at:]
        assert len(samples_of(tmp_path, odd, "wav")[0]) == 8001
    (tmp_path / "none.wav").write_bytes(changed(data[: at + 8], b"data", bytes(4)))
    assert "got one of length 0" in refusal(audio, tmp_path / "none.wav")


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_recordings_in_a_row(tmp_path: Path, subtype: str) -> None:
    one = encoded("ogg", sound(20000), subtype=subtype)
    alone, _ = samples_of(tmp_path, one, "oga")
    both, notes = samples_of(tmp_path, one + one, "ogg")
    assert both.tolist() == np.concatenate([alone, alone]).tolist()
    assert notes == ("2 recordings in a row, read as one",)
    (tmp_path / "a.ogg").write_bytes(one + encoded("ogg", sound(20000, 2), subtype=subtype))
    assert "expected one recording, got several in a row" in refusal(audio, tmp_path / "a.ogg")
    one = encoded("ogg", np.random.default_rng(0).normal(scale=0.2, size=60000), subtype=subtype)
    begins = [i for i in range(len(one)) if one[i : i + 4] == b"OggS"]
    _, notes = samples_of(tmp_path, one[: begins[-1]], "opus")
    assert "not marked as the end" in notes[0]


# MPEG audio: the tests' own walk from frame to frame, by the lengths of MPEG-1 and MPEG-2 layer III
KBIT = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
KBIT_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def frames(data: bytes, rate: int) -> list[bytes]:
    found, at = [], data.index(b"\xff")
    while at + 4 <= len(data):
        first = rate >= 32000
        kbit = (KBIT if first else KBIT_2)[data[at + 2] >> 4]
        size = (144000 if first else 72000) * kbit // rate + (data[at + 2] >> 1 & 1)
        found.append(data[at : at + size])
        at += size
    return found


def recording(rate: int, tracks: int, mode: str, rich: str) -> list[bytes]:
    """The frames of a second whose beginning or end needs a high bit rate, first the frame that only counts."""
    time = np.arange(rate) / rate
    loud = time < 0.3 if rich == "start" else time > 0.6
    noise = np.random.default_rng(0).normal(size=(time.size, tracks))
    values = np.clip(0.2 * np.sin(2 * np.pi * 440 * time)[:, None] + 0.3 * noise * loud[:, None], -1, 1)
    data = encoded("mp3", values, rate, subtype="MPEG_LAYER_III", bitrate_mode=mode, compression_level=0.3)
    return frames(data, rate)


@pytest.mark.parametrize("rich", ["start", "end"])
@pytest.mark.parametrize(
    ("rate", "tracks", "mode"),
    [
        (44100, 1, "VARIABLE"),
        (32000, 1, "CONSTANT"),
        (22050, 2, "VARIABLE"),
        (8000, 1, "VARIABLE"),
    ],
)
def test_mp3_without_a_count_is_read_to_its_end(
    tmp_path: Path, rate: int, tracks: int, mode: str, rich: str
) -> None:
    stored = recording(rate, tracks, mode, rich)
    each = 1152 if rate >= 32000 else 576
    whole, notes = samples_of(tmp_path, b"".join(stored), "mp3")
    assert (whole.shape, notes) == ((rate, tracks), ())
    bare = b"".join(stored[1:])
    values, notes = samples_of(tmp_path, bare, "mp3")
    assert notes == ()
    # the decoder drops its own delay of 529 samples; the encoder's 576 stay where no frame tells of them
    assert len(values) == (len(stored) - 1) * each - 529
    assert np.abs(values[576 + 2000 : 576 + rate - 2000] - whole[2000 : rate - 2000]).max() < 1e-4
    for tagged in (ID3 + bare, ID3 + bare + APE + ID1, bare + ID1, bytes(500) + bare + bytes(100)):
        assert samples_of(tmp_path, tagged, "mp3")[0].tolist() == values.tolist()
    values, notes = samples_of(tmp_path, bare[:-20], "mp3")
    assert (len(values), notes) == ((len(stored) - 2) * each - 529, (LAST_LEFT_OUT,))


def test_mp3_of_a_free_bit_rate(tmp_path: Path) -> None:
    stored = recording(44100, 1, "CONSTANT", "start")[1:]
    free = b"".join(f[:2] + bytes([f[2] & 0x0F]) + f[3:] for f in stored)
    assert (
        samples_of(tmp_path, free, "mp3")[0].tolist()
        == samples_of(tmp_path, b"".join(stored), "mp3")[0].tolist()
    )


def test_an_mp3_that_counts_its_first_frame_too_is_whole_and_one_that_lacks_its_last_is_not(
    tmp_path: Path,
) -> None:
    stored = recording(44100, 1, "VARIABLE", "start")
    at = max(stored[0].find(b"Xing"), stored[0].find(b"Info")) + 8
    told = int.from_bytes(stored[0][at : at + 4], "big")
    first = stored[0][:at] + (told + 1).to_bytes(4, "big") + stored[0][at + 4 :]
    values, notes = samples_of(tmp_path, first + b"".join(stored[1:]), "mp3")
    assert (len(values), notes) == ((len(stored) - 1) * 1152 - 529, ())
    (tmp_path / "a.mp3").write_bytes(b"".join(stored[:-1]))
    assert f"truncated one ({told - 1} of {told} frames)" in refusal(read, tmp_path / "a.mp3")


def test_joined_mp3s_are_read_whole(tmp_path: Path) -> None:
    stored = recording(44100, 1, "VARIABLE", "start")
    values, notes = samples_of(tmp_path, 2 * (ID3 + b"".join(stored)), "mp3")
    assert len(values) == 2 * (len(stored) - 1) * 1152 - 529
    count = len(stored) - 1
    assert notes == (f"its first frame announces {count} frames; it holds {2 * count}, and all were read",)


def test_precise_recordings_keep_their_digits(tmp_path: Path) -> None:
    values = sound()[:, 0] * (1 + 1e-9)
    for subtype, step in (("DOUBLE", 0.0), ("PCM_32", 2.0**-31), ("FLOAT", 2.0**-25)):
        found = samples_of(tmp_path, encoded("wav", values, subtype=subtype), "wav")[0][:, 0]
        assert np.abs(found - values).max() <= step


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("WAV", {"subtype": "ALAW"}),
        ("wave", {"subtype": "MS_ADPCM"}),
        ("AIFF", {"subtype": "PCM_24"}),
        ("aifc", {"subtype": "FLOAT"}),
        ("Caf", {"subtype": "ALAC_24"}),
        ("snd", {"subtype": "ULAW"}),
        ("w64", {"subtype": "PCM_16"}),
        ("opus", {"subtype": "OPUS"}),
        ("voc", {"subtype": "PCM_16"}),
        ("sph", {"subtype": "PCM_16"}),
    ],
)
def test_what_libsndfile_reads_is_routed(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    kind = {"wave": "wav", "aifc": "aiff", "snd": "au", "opus": "ogg"}.get(suffix.lower(), suffix.lower())
    (tmp_path / f"a.{suffix}").write_bytes(encoded(kind, sound(8000), **options))
    found = read(tmp_path / f"a.{suffix}")
    power = np.abs(np.fft.rfft(found.values[:8000, 0].numpy()))
    assert (found.kind, int(power.argmax())) == ("audio", 440)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "aif", "caf", "w64"])
def test_content_decides_where_the_name_lies(tmp_path: Path, suffix: str) -> None:
    for name in ("a.png", "a.npy", "a.unknown", "plain"):
        (tmp_path / name).write_bytes(encoded(suffix, sound()))
        found = read(tmp_path / name)
        assert found.kind == "audio"
        assert "which its content is, though its name ends in" in found.notes[-1]


WHOLE = {suffix: encoded(suffix, sound(3000)) for suffix in KINDS}


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.floats(0.01, 1),
)
def test_no_damage_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, suffix, changes, part
) -> None:
    data = bytearray(WHOLE[suffix])
    for at, value in changes:
        data[at] = value
    path = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    path.write_bytes(data[: max(1, int(part * len(data)))])
    told = ""
    try:
        read(path)
    except InputError as refused:
        told = str(refused)
    assert "\n" not in told
