"""Picture formats that Pillow reads, and Netpbm at every depth: upright, whole, transparent where the file says."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from overtone.signals import array, image, read
from overtone.signals._readers._pixels import Alpha
from tests.signals.readers.png import write_deep_png
from tests.signals.readers.test_tiff_layouts import STORED
from tests.signals.refusals import refusal

GENERATOR = np.random.default_rng(0)
COLOURS = GENERATOR.integers(0, 256, (24, 32, 3)).astype(np.uint8)
DEEP = GENERATOR.integers(0, 65536, (24, 32, 4)).astype(np.uint16)
BLOCKS = np.kron(GENERATOR.integers(0, 2, (3, 4, 1)), np.ones((16, 16, 3))).astype(np.uint8) * 255


def close(path: Path, expected: np.ndarray, atol: float = 1e-7) -> None:
    found = image(path).grid_values.numpy()
    np.testing.assert_allclose(found, expected.reshape(*expected.shape[:2], -1), rtol=0, atol=atol)


EXACT = ["ppm", "tga", "jp2", "j2k", "bmp", "dib", "pcx", "sgi", "qoi", "dds", "png", "webp", "tif"]


@pytest.mark.parametrize("suffix", EXACT)
def test_formats_that_lose_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(COLOURS).save(path, **({"lossless": True} if suffix == "webp" else {}))
    signal = read(path)
    assert (signal.kind, signal.channels, signal.notes) == ("picture", ("red", "green", "blue"), ())
    close(path, COLOURS / 255)
    np.testing.assert_array_equal(array(path).grid_values, COLOURS)


@pytest.mark.parametrize("suffix", ["avif", "jpg", "mpo", "jfif"])
def test_formats_that_lose_a_little(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(BLOCKS).save(path, "JPEG" if suffix == "jfif" else None, quality=95)
    close(path, BLOCKS / 255, atol=0.04)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "avif", "mpo", "tif"])
def test_orientation_in_every_format(tmp_path: Path, suffix: str, orientation: int) -> None:
    path, exif = tmp_path / f"a.{suffix}", Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = (
        {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix != "tif" else {}
    )
    Image.fromarray(np.ascontiguousarray(STORED[orientation](BLOCKS))).save(path, exif=exif, **options)
    close(path, BLOCKS / 255, atol=0.04)
    assert image(path).notes == (("orientation applied",) if orientation > 1 else ())


@pytest.mark.parametrize("number", [0, 9, 65535])
def test_an_orientation_that_is_none_of_the_eight_is_no_orientation(tmp_path: Path, number: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = number
    Image.fromarray(COLOURS).save(tmp_path / "a.png", exif=exif)
    close(tmp_path / "a.png", COLOURS / 255)
    assert image(tmp_path / "a.png").notes == ()


def test_an_orientation_in_xmp_alone_is_applied(tmp_path: Path) -> None:
    told = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    body = b"http://ns.adobe.com/xap/1.0/\0" + told.encode()
    path = tmp_path / "a.jpg"
    Image.fromarray(np.ascontiguousarray(STORED[6](BLOCKS))).save(path, quality=95)
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:])
    close(path, BLOCKS / 255, atol=0.04)
    assert image(path).notes == ("orientation applied",)


def with_chunk(path: Path, kind: bytes, body: bytes, *, last: bool = False) -> Path:
    """Add a chunk to a PNG before its pixels, or after them."""
    data = path.read_bytes()
    at = data.index(b"IEND" if last else b"IDAT") - 4
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    path.write_bytes(data[:at] + chunk + data[at:])
    return path


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_deep_pngs_are_turned_and_keep_every_bit(tmp_path: Path, bands: int, last: bool) -> None:
    upright = np.ascontiguousarray(DEEP[..., :bands])
    for orientation, store in STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = write_deep_png(tmp_path / "a.png", np.ascontiguousarray(store(upright)))
        with_chunk(path, b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"), last=last)
        signal = array(path)
        np.testing.assert_array_equal(signal.grid_values, upright, err_msg=f"{orientation}")
        assert ("orientation applied" in signal.notes) == (orientation > 1)


def test_deep_gray_with_alpha_is_composited_at_its_depth(tmp_path: Path) -> None:
    path = write_deep_png(tmp_path / "a.png", np.ascontiguousarray(DEEP[..., :2]))
    gray, cover = DEEP[..., 0] / 65535, DEEP[..., 1] / 65535
    close(path, gray * cover + 1 - cover)
    np.testing.assert_allclose(image(path, alpha=Alpha.DROP).grid_values[..., 0], gray, rtol=0, atol=1e-7)


def write_low_png(path: Path, values: np.ndarray, bits: int) -> Path:
    lines = [np.packbits([int(b) for v in row for b in format(v, f"0{bits}b")]).tobytes() for row in values]
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", values.shape[1], values.shape[0], bits, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(b"\0" + line for line in lines))),
        (b"IEND", b""),
    )
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_transparent_gray_is_transparent_at_every_depth(tmp_path: Path, bits: int) -> None:
    values = np.random.default_rng(0).integers(0, 2**bits, (9, 11))
    values[0, :3] = 0, 2**bits - 1, 1
    for key in {1, 2**bits - 1}:
        if bits == 16:
            path = write_deep_png(tmp_path / "a.png", values[..., None].astype(np.uint16))
        else:
            path = write_low_png(tmp_path / "a.png", values, bits)
        close(path, values / (2**bits - 1))
        with_chunk(path, b"tRNS", struct.pack(">H", key))
        assert image(path).notes == ("alpha composited over white",)
        close(path, np.where(values == key, 1.0, values / (2**bits - 1)))
        dropped = image(path, alpha=Alpha.DROP).grid_values[..., 0]
        np.testing.assert_allclose(dropped, values / (2**bits - 1), rtol=0, atol=1e-7)


@pytest.mark.parametrize("deep", [False, True])
def test_a_transparent_colour_is_that_colour_alone(tmp_path: Path, deep: bool) -> None:
    stored = DEEP[..., :3].copy() if deep else COLOURS.copy()
    stored[0, 0], stored[0, 1] = (
        (500, 501, 502) if deep else (50, 51, 52),
        (500, 501, 503) if deep else (50, 51, 53),
    )
    path = tmp_path / "a.png"
    if deep:
        write_deep_png(path, stored)
    else:
        Image.fromarray(stored).save(path)
    with_chunk(path, b"tRNS", struct.pack(">HHH", *stored[0, 0].tolist()))
    expected = stored / np.iinfo(stored.dtype).max
    expected[0, 0] = 1.0
    close(path, expected)


@pytest.mark.parametrize("suffix", ["png", "webp", "avif", "gif", "mpo"])
def test_of_several_frames_the_first_is_read_and_it_is_told(tmp_path: Path, suffix: str) -> None:
    path, second = tmp_path / f"a.{suffix}", Image.fromarray(BLOCKS[::-1])
    options = {"lossless": True} if suffix == "webp" else {"quality": 95} if suffix in ("avif", "mpo") else {}
    Image.fromarray(BLOCKS).save(path, save_all=True, append_images=[second], **options)
    assert "first of 2 frames" in read(path).notes
    close(path, BLOCKS / 255, atol=0.04)


def test_the_largest_icon_is_read_and_it_is_told(tmp_path: Path) -> None:
    large = Image.fromarray(np.kron(COLOURS, np.ones((2, 2, 1), np.uint8))[:48, :48])
    large.save(tmp_path / "a.ico", sizes=[(16, 16), (48, 48)])
    signal = read(tmp_path / "a.ico")
    assert (signal.geometry.shape, signal.notes) == ((48, 48), ("largest of 2 sizes",))


def netpbm(path: Path, kind: str, values: np.ndarray, top: int) -> Path:
    height, width, bands = values.shape
    if kind == "P7":
        tuples = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[bands]
        size = f"WIDTH {width}\nHEIGHT {height}\nDEPTH {bands}\nMAXVAL {top}\n"
        told = f"P7\n# by hand\n{size}TUPLTYPE {tuples}\nENDHDR\n"
    else:
        told = f"{kind}\n# by hand\n{width} # wide\n{height}" + (
            f"\n{top}\n" if kind not in ("P1", "P4") else "\n"
        )
    if kind in ("P1", "P2", "P3"):
        body = "\n".join(" ".join(map(str, row.ravel())) for row in values).encode()
    elif kind == "P4":
        body = np.packbits(values[..., 0].astype(bool), axis=1).tobytes()
    else:
        body = values.astype(np.uint8 if top < 256 else ">u2").tobytes()
    path.write_bytes(told.encode() + body)
    return path


CASES = [
    (k, b, t) for k, b in (("P2", 1), ("P3", 3), ("P5", 1), ("P6", 3)) for t in (1, 10, 255, 256, 1023, 65535)
]
CASES += [("P7", b, t) for b in (1, 2, 3, 4) for t in (255, 4095, 65535)]


@pytest.mark.parametrize(("kind", "bands", "top"), CASES)
def test_netpbm_pictures_have_the_white_that_they_state(
    tmp_path: Path, kind: str, bands: int, top: int
) -> None:
    values = np.random.default_rng(0).integers(0, top + 1, (5, 7, bands))
    path = netpbm(tmp_path / "a.pnm", kind, values, top)
    np.testing.assert_array_equal(array(path).grid_values, values)
    colours = values[..., : bands - (bands in (2, 4))] / top
    np.testing.assert_allclose(image(path, alpha=Alpha.DROP).grid_values, colours, rtol=0, atol=1e-7)
    assert read(path).kind == "picture"


@pytest.mark.parametrize("kind", ["P1", "P4"])
def test_a_one_of_a_bitmap_is_black(tmp_path: Path, kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 2, (5, 11, 1))
    close(netpbm(tmp_path / "a.pbm", kind, values, 1), 1.0 - values)


@pytest.mark.parametrize("bands", [1, 3])
def test_floating_point_maps_are_upright_and_pictures_only_within_the_range(
    tmp_path: Path, bands: int
) -> None:
    path = tmp_path / "a.pfm"
    for order, scale in (("<f4", "-1.0"), (">f4", "1.0")):
        for factor in (1.0, 30.0):
            values = np.random.default_rng(0).random((5, 7, bands)).astype(np.float32) * np.float32(factor)
            kind = "PF" if bands == 3 else "Pf"
            path.write_bytes(f"{kind}\n7 5\n{scale}\n".encode() + values[::-1].astype(order).tobytes())
            signal = read(path)
            np.testing.assert_array_equal(signal.grid_values, values)
            assert signal.kind == ("picture" if factor == 1 else "array")
    words = refusal(image, path)
    assert (
        "pass full_range=(black, white) (--full-range on the command line), or read other quantities with"
        in words
    )
    np.testing.assert_allclose(image(path, full_range=(0, 30)).grid_values, values / 30, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(array(path).grid_values, values)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"P5 4 2 1000\n" + bytes(15), "the file ends within its pixels"),
        (b"P5 4 2 70000\n" + bytes(16), "greatest value 70000"),
        (b"P2 2 2 9 1 2 3 10", "a value outside 0 to 9"),
        (b"P6\n", "no width, height and greatest value"),
        (b"P7\nWIDTH 3\n", "a header without its end"),
        (b"Pf 3 3 x\n", "no width, height and scale"),
    ],
)
def test_damaged_netpbm_pictures_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.pnm").write_bytes(content)
    words = refusal(read, tmp_path / "a.pnm")
    assert "a complete file that contains a picture, got a Netpbm picture that could not be read" in words
    assert reason in words


def test_a_netpbm_bomb_and_a_second_picture(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 400000 200000 255\n" + bytes(9))
    assert "at most 4 GiB of samples" in refusal(read, tmp_path / "a.pgm")
    one = netpbm(tmp_path / "b.pgm", "P5", COLOURS[..., :1], 255).read_bytes()
    (tmp_path / "b.pgm").write_bytes(one + one)
    assert read(tmp_path / "b.pgm").notes == ("first of several pictures in the file",)


def with_bits(path: Path, values: np.ndarray, bits: int) -> Path:
    """A JPEG 2000 stream whose header states other bits per sample than it was written with."""
    Image.fromarray(values).save(path)
    data = bytearray(path.read_bytes())
    for band in range(values.shape[2] if values.ndim == 3 else 1):
        data[42 + 3 * band] = bits - 1
    path.write_bytes(data)
    return path


def test_pictures_read_at_fewer_bits_say_so(tmp_path: Path) -> None:
    assert read(with_bits(tmp_path / "a.j2k", COLOURS, 8)).notes == ()
    assert "read at 8 of 9 bits" in read(with_bits(tmp_path / "a.j2k", COLOURS, 9)).notes
    Image.fromarray(COLOURS).save(tmp_path / "a.sgi", bpc=2)
    assert "read at 8 of 16 bits" in read(tmp_path / "a.sgi").notes


@pytest.mark.parametrize("bits", [9, 12, 15, 16])
def test_deep_gray_jpeg_2000_has_the_white_of_its_bits(tmp_path: Path, bits: int) -> None:
    deep = DEEP[..., 0]
    path = with_bits(tmp_path / "a.j2k", deep, bits)
    with Image.open(path) as picture:
        moved = np.asarray(picture).astype(int)
    assert (moved % 2 ** (16 - bits)).max() == 0
    np.testing.assert_array_equal(array(path).grid_values[..., 0], moved >> (16 - bits))
    close(path, (moved >> (16 - bits)) / (2**bits - 1))
