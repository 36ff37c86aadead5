from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from overtone.signals import audio, synthetic
from tests.signals.refusals import refusal

RATE = 8000


def tone(frequency: float, samples: int = 4000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(samples) / RATE)


@pytest.mark.parametrize(
    ("suffix", "subtype", "bits"), [("wav", "PCM_16", 16), ("wav", "PCM_24", 24), ("flac", "PCM_16", 16)]
)
def test_lossless_recordings(tmp_path: Path, suffix: str, subtype: str, bits: int) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(440), RATE, subtype=subtype)
    signal = audio(path)
    # quantised to the nearest or the next level, then held in float32
    np.testing.assert_allclose(signal.values[:, 0].numpy(), tone(440), atol=2.0 ** (1 - bits) + 3e-8)
    assert signal.geometry.shape == (4000,)
    assert signal.geometry.spacing == (1 / RATE,)
    assert signal.geometry.frequency_unit == "Hz"
    assert signal.geometry.nyquist == (RATE / 2,)
    assert signal.channels == ("mono",)
    assert signal.peak == pytest.approx(1.0, abs=1e-3)
    assert signal.kind == "audio"


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy_recordings_keep_the_frequency(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(500), RATE)
    signal = audio(path)
    spectrum = np.abs(np.fft.rfft(signal.values[:4000, 0].numpy()))
    assert np.argmax(spectrum) == 250


def test_floating_point_beyond_full_scale_is_kept(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", 3 * tone(440), RATE, subtype="FLOAT")
    signal = audio(tmp_path / "a.wav")
    assert float(signal.values.max()) == pytest.approx(1.5, abs=1e-3)
    assert signal.notes == ("32 bit float at 8000 Hz",)


def test_tracks_are_channels(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([tone(100), tone(200)], 1), RATE)
    signal = audio(tmp_path / "a.wav")
    assert signal.channels == ("left", "right")
    assert signal.normalisation.scale[0] == signal.normalisation.scale[1]
    soundfile.write(tmp_path / "b.wav", np.stack([tone(100)] * 3, 1), RATE)
    assert audio(tmp_path / "b.wav").channels == ("channel 1", "channel 2", "channel 3")


def test_a_synthetic_voice_survives_a_file(tmp_path: Path) -> None:
    voice = synthetic.voice(0.5, RATE)
    soundfile.write(tmp_path / "a.wav", voice.values.numpy(), RATE, subtype="FLOAT")
    read = audio(tmp_path / "a.wav")
    assert read.values.tolist() == voice.values.tolist()
    assert read.geometry == voice.geometry


def test_recordings_without_content_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), RATE)
    assert "a recording with samples, got one of length 0" in refusal(audio, tmp_path / "none.wav")
    soundfile.write(tmp_path / "one.wav", np.ones(1), RATE)
    assert "at least 2 samples along every axis, got shape (1,)" in refusal(audio, tmp_path / "one.wav")
    soundfile.write(tmp_path / "mute.wav", np.zeros(100), RATE)
    assert "a constant signal of value 0" in refusal(audio, tmp_path / "mute.wav")


def test_a_gap_is_located_in_time(tmp_path: Path) -> None:
    samples = np.stack([tone(100), tone(200)], 1)
    samples[2000, 1] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    assert "finite values, got nan at sample 2000 (0.25 s), track 2" in refusal(audio, tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("suffix", "text"), [("wav", "truncated one"), ("flac", "truncated one"), ("mp3", "truncated one")]
)
def test_truncated_recordings_are_refused(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, tone(440, 16000), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert text in refusal(audio, path)


def test_a_streamed_recording_of_unknown_length_is_whole(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440), RATE)
    stored = bytearray((tmp_path / "a.wav").read_bytes())
    at = stored.index(b"data") + 4
    stored[at : at + 4] = stored[4:8] = b"\xff\xff\xff\xff"
    (tmp_path / "b.wav").write_bytes(stored)
    assert audio(tmp_path / "b.wav").values.shape == (4000, 1)


def test_what_is_no_recording_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("time,value\n")
    assert "a complete file that contains a recording, got text that could not be read" in refusal(
        audio, tmp_path / "a.wav"
    )
