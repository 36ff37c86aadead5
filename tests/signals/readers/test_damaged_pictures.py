"""Files of pictures and volumes with flipped, overwritten and missing bytes end in one sentence, or are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from overtone.errors import InputError
from overtone.signals import array, image, read, volume
from tests.signals.readers.png import write_deep_png
from tests.signals.readers.tiff import DEFLATE, LZW, write_tiff

TRIES = 24
COLOURS = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)


def tiles(path: Path) -> None:
    write_tiff(path, [COLOURS], compression=LZW, tile=16, tags={274: (3, 6)})


def slices(path: Path) -> None:
    write_tiff(path, [COLOURS.astype(np.int16)] * 3, compression=DEFLATE, predictor=2)


def movie(path: Path) -> None:
    told = {"axes": "TYXS", "finterval": 0.1, "unit": "um"}
    tifffile.imwrite(path, np.stack([COLOURS] * 3), imagej=True, resolution=(2, 2), metadata=told)


def raster(path: Path) -> None:
    items = '<GDALMetadata><Item name="SCALE" sample="0" role="scale">0.5</Item></GDALMetadata>'
    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001)
    tags = [
        (42112, 2, 0, items, True),
        (42113, 2, 0, "-9999", True),
        (33550, 12, 3, (1.0, 1.0, 0.0), True),
        (34735, 3, 12, keys, True),
    ]
    tifffile.imwrite(path, COLOURS[..., 0].astype(np.float32), photometric="minisblack", extratags=tags)


def microscope(path: Path) -> None:
    told = {"axes": "CYX", "PhysicalSizeX": 0.1, "PhysicalSizeY": 0.1, "SignificantBits": 8}
    tifffile.imwrite(path, np.moveaxis(COLOURS, -1, 0).copy(), metadata=told)


def first_volume(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(COLOURS.astype(np.int16), np.eye(4)), path)


def second_volume(path: Path) -> None:
    nibabel.save(nibabel.Nifti2Image(COLOURS.astype(np.float32), np.eye(4)), path)


def deep(path: Path) -> None:
    write_deep_png(path, COLOURS[..., :2].astype(np.uint16) * 256)


def plain(path: Path) -> None:
    Image.fromarray(COLOURS).save(path)


FILES: list[tuple[str, Callable[[Path], None]]] = [
    *(("a.tif", make) for make in (tiles, slices, movie, raster)),
    ("a.ome.tif", microscope),
    *(("a.nii", make) for make in (first_volume, second_volume)),
    ("a.png", deep),
    *(
        (f"a.{suffix}", plain)
        for suffix in ("ppm", "png", "jpg", "tga", "jp2", "webp", "avif", "gif", "qoi", "ico")
    ),
]


def answer(reader: Callable[[Path], object], path: Path) -> str:
    """The sentence of a refusal, or nothing where the file is read all the same."""
    try:
        reader(path)
    except InputError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(("name", "make"), FILES)
def test_no_damage_ends_in_a_traceback(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    path = tmp_path / name
    make(path)
    whole = path.read_bytes()
    generator = np.random.default_rng(len(whole))
    for attempt in range(TRIES):
        data = bytearray(whole)
        for _ in range(generator.integers(1, 4)):
            at = int(generator.integers(min(len(data), 600)))
            data[at] = int(generator.choice([data[at] ^ 1 << int(generator.integers(8)), 0, 1, 128, 255]))
        if attempt % 8 == 7:
            data = data[: int(generator.integers(1, len(data)))]
        path.write_bytes(data)
        for reader in (read, array, image, volume):
            assert "\n" not in answer(reader, path)
