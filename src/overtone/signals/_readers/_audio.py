"""Reader of recordings: amplitudes from -1 to 1 over time in seconds, with frequencies in Hz."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch

from overtone._utils.optional import OptionalModule
from overtone.errors import InputError
from overtone.signals._construction import make_signal
from overtone.signals._geometry import Grid
from overtone.signals._readers._files import PathLike, check_size, decoding_errors, existing_file
from overtone.signals._readers._mpeg import mpeg_parts
from overtone.signals._readers._sound_files import (
    Parts,
    au_parts,
    caf_parts,
    cut_short,
    flac_parts,
    ogg_parts,
    wav_parts,
)
from overtone.signals._signal import Signal

if TYPE_CHECKING:
    import soundfile
else:
    soundfile = OptionalModule("soundfile", "audio")

MPEG = (".mp3", ".mp2", ".mp1", ".mpa")
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus"),
    *MPEG,
    *(".aif", ".aiff", ".aifc", ".caf", ".au", ".snd", ".voc", ".sph", ".nist", ".svx", ".8svx"),
)
"""Suffixes of the files that `audio` reads."""

_NAMES = {1: ("mono",), 2: ("left", "right")}
_CUT = re.compile(r"^ *(?:SSND|BODY|riff|Data length) *:? (\d+) \(?should be (\d+)", re.MULTILINE)
_FRAMES = re.compile(r"Frame count read from 'COMM' chunk \((\d+)\) not equal")
_UNKNOWN_LENGTH = 0x7FFF0000
_OTHERS = (b"FORM", b"riff", b"NIST", b"Crea", b"2BIT")
_WIDE = ("PCM_32", "DOUBLE", "ALAC_32")


def audio(path: PathLike) -> Signal:
    """Read a recording: .wav, .flac, .ogg, .opus, .mp3, .aiff, .caf, .au or another format of libsndfile.

    Args:
        path: The file.

    Returns:
        A float32 signal of kind "audio" over seconds, one channel per track, full scale -1 to 1; float64 if
        the file contains 32-bit integers or 64-bit numbers.

    Raises:
        InputError: If the file is missing, damaged, cut short, without samples, or constant (silent).

    Example:
        >>> import pathlib, tempfile
        >>> import numpy as np, soundfile
        >>> from overtone import signals
        >>> path = pathlib.Path(tempfile.mkdtemp(), "tone.wav")
        >>> soundfile.write(path, np.sin(np.arange(800) / 10), samplerate=8000)
        >>> tone = signals.audio(path)
        >>> tone.geometry.nyquist, tone.channels
        ((4000.0,), ('mono',))
    """
    file = existing_file(path)
    with decoding_errors(file, "a recording"):
        parts = _parts(file)
        read = [_decoded(stream, file) for stream in parts.opened()]
        kinds = {(samples.shape[1], rate) for samples, rate, _ in read}
        if len(kinds) > 1:
            listed = " and ".join(f"{tracks} at {rate} Hz" for tracks, rate in sorted(kinds))
            raise InputError(
                "one recording", f"several in a row, of {listed} tracks", "separate them", str(path)
            )
        samples = read[0][0] if len(read) == 1 else np.concatenate([part for part, _, _ in read])
    rate, header = read[0][1:]
    count = samples.shape[1]
    return make_signal(
        torch.from_numpy(samples),
        Grid((len(samples),), (1.0 / rate,), (0.0,), ("s",), (False,)),
        kind="audio",
        name=file.name,
        location=str(path),
        channels=_NAMES.get(count),
        notes=(f"{header.subtype_info} at {rate} Hz", *parts.notes, *_contradiction(header)),
        locate=lambda sample, channel: f"sample {sample} ({sample / rate:g} s), track {channel + 1}",
    )


def _parts(file: Path) -> Parts:
    for reader in (wav_parts, flac_parts, ogg_parts, au_parts, caf_parts):
        parts = reader(file)
        if parts is not None:
            return parts
    return (mpeg_parts(file) if _may_be_mpeg(file) else None) or Parts((file,))


def _may_be_mpeg(file: Path) -> bool:
    """Return whether to search for MPEG frames; samples of other formats may resemble frames by chance."""
    with file.open("rb") as stream:
        head = stream.read(4)
    begins = head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)
    return begins or (file.suffix.lower() in MPEG and head not in _OTHERS)


def _decoded(stream: str | BinaryIO, file: Path) -> tuple[np.ndarray, int, soundfile._SoundFileInfo]:
    header = soundfile.info(stream, verbose=True)
    _check_header(header, file)
    if not isinstance(stream, str):
        stream.seek(0)
    # 32-bit integers and doubles exceed the precision of float32.
    kind = "float64" if header.subtype in _WIDE else "float32"
    samples, rate = soundfile.read(stream, dtype=kind, always_2d=True)
    if len(samples) < header.frames:
        raise cut_short(f"{len(samples)} of {header.frames} samples", file)
    return samples, rate, header


def _check_header(header: soundfile._SoundFileInfo, file: Path) -> None:
    # libsndfile silently shortens truncated AIFF, W64 and NIST files; only its log contains the fact.
    cut = _CUT.search(header.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < _UNKNOWN_LENGTH:
        raise cut_short(f"{cut[2]} of {cut[1]} bytes", file)
    if header.frames == 0:
        raise InputError("a recording with samples", "one of length 0", "record it again", str(file))
    check_size((header.frames, header.channels), 4, str(file))
    announced = _FRAMES.search(header.extra_info)
    if announced and header.frames < int(announced[1]) < _UNKNOWN_LENGTH:
        raise cut_short(f"{header.frames} of {announced[1]} samples", file)


def _contradiction(header: soundfile._SoundFileInfo) -> tuple[str, ...]:
    announced = _FRAMES.search(header.extra_info)
    if announced is None or not 0 < int(announced[1]) < header.frames:
        return ()
    return (f"its header announces {announced[1]} samples; it holds {header.frames}, and all were read",)
