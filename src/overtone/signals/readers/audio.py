"""Recordings: amplitudes at full scale -1 to 1 over seconds, so that frequencies are in Hz."""

from __future__ import annotations

import re
from pathlib import Path

import soundfile
import torch

from overtone.errors import InputError
from overtone.signals.assemble import assemble
from overtone.signals.geometry import Grid
from overtone.signals.readers.files import PathLike, check_size, decoding, existing
from overtone.signals.signal import Signal

_NAMES = {1: ("mono",), 2: ("left", "right")}
_CUT = re.compile(r"data : (\d+) \(should be (\d+)\)")
_UNKNOWN_LENGTH = 0x7FFF0000


def audio(path: PathLike) -> Signal:
    """A recording: .wav, .flac, .ogg, .mp3 or whatever else libsndfile reads.

    Args:
        path: The file.

    Returns:
        A float32 signal of kind "audio" over seconds, one channel per track, full scale -1 to 1.

    Raises:
        InputError: If the file is missing, damaged, cut short, without samples, or constant (silent).
    """
    file = existing(path)
    with decoding(file, "a recording"):
        header = soundfile.info(str(file), verbose=True)
        _check_header(header, file)
        samples, rate = soundfile.read(str(file), dtype="float32", always_2d=True)
        if len(samples) < header.frames:
            raise _cut_short(f"{len(samples)} of {header.frames}", file)
    count = samples.shape[1]
    return assemble(
        torch.from_numpy(samples),
        Grid((len(samples),), (1.0 / rate,), (0.0,), ("s",), (False,)),
        kind="audio",
        name=file.name,
        where=str(path),
        channels=_NAMES.get(count),
        notes=(f"{header.subtype_info} at {rate} Hz",),
        locate=lambda sample, channel: f"sample {sample} ({sample / rate:g} s), track {channel + 1}",
    )


def _check_header(header: soundfile._SoundFileInfo, file: Path) -> None:
    if header.frames == 0:
        raise InputError("a recording with samples", "one of length 0", "record it again", str(file))
    check_size((header.frames, header.channels), 4, str(file))
    cut = _CUT.search(header.extra_info)
    if cut and int(cut[2]) < int(cut[1]) < _UNKNOWN_LENGTH:
        raise _cut_short(f"{cut[2]} of {cut[1]} bytes", file)


def _cut_short(found: str, file: Path) -> InputError:
    return InputError("a whole recording", f"one cut short ({found})", "copy or export it again", str(file))
