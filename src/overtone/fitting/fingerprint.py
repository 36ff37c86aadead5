"""Shape and checksum of a signal's samples, to notice that a run is resumed on others."""

from __future__ import annotations

import zlib

from overtone.signals import Samples, Signal


def fingerprint(signal: Samples) -> str:
    """Samples per axis, channels, and the crc32 of the values, like "24x24x1 09f2a3c4"; the same on every device."""
    values = signal.values.detach().cpu().contiguous()
    shape = signal.geometry.shape if isinstance(signal, Signal) else (signal.geometry.samples,)
    return f"{'x'.join(map(str, (*shape, values.shape[1])))} {zlib.crc32(values.numpy().data):08x}"
