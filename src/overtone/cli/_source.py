"""Reading of a SOURCE argument with the reading flags."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from overtone.cli._options import words
from overtone.errors import InputError

if TYPE_CHECKING:
    from overtone.signals import Geometry, Measured, Signal


def read_source(path: str | None, options: dict[str, Any], clean: str | None = None) -> Signal:
    """As `read_samples`, of a file of samples on a grid.

    Raises:
        InputError: If a file cannot be read as what it is, or a flag does not apply to it.
    """
    from overtone.signals import require_grid

    return require_grid(read_samples(path, options, clean), "this command", "pass it to `overtone fit`")


def read_samples(path: str | None, options: dict[str, Any], clean: str | None = None) -> Signal[Geometry]:
    """Read a file, or the default picture if there is none.

    Args:
        path: The file, or None.
        options: The reading flags that were given.
        clean: A file with the noise-free version of the same samples, if there is one.

    Returns:
        The signal.

    Raises:
        InputError: If a file cannot be read as what it is, or a flag does not apply to it.
    """
    if path is None:
        for name in options:
            raise InputError(f"a SOURCE, which {_flag(name)} describes", "none", "name a file")
        signal: Signal[Geometry] = default_picture()
    else:
        signal = _read(path, options)
    return signal if clean is None else signal.with_clean(_read(clean, options).values)


def read_measurements(path: str | None, options: dict[str, Any], clean: str | None = None) -> Measured | None:
    """Read a file of measurements (k-space, sinogram, blurred samples); None for any other file.

    Args:
        path: The file, or None.
        options: The reading flags that were given; a `key` makes an array of the file.
        clean: A file with the noise-free version of the samples, which such files hold themselves.

    Raises:
        InputError: If the measurements cannot be read, or a flag does not apply to them.
    """
    from overtone.signals._readers._measured_file import measured_kind, read_measured

    if path is None or "key" in options or measured_kind(path) is None:
        return None
    if options:
        name = next(iter(options))
        raise InputError(
            "flags that apply to measurements",
            _flag(name),
            "leave it out: the keys of the file say how to read it",
            path,
        )
    if clean is not None:
        raise InputError(
            "flags that apply to measurements",
            "--clean",
            "save the clean picture in the file, as reference",
            path,
        )
    return read_measured(path)


def default_picture() -> Signal:
    """Return the default picture: 512 x 512 RGB, shipped with scikit-image."""
    from overtone import signals
    from overtone._utils.optional import import_optional

    data = import_optional("skimage.data", "demo")
    return replace(signals.image(data.astronaut()), name="astronaut (from scikit-image)")


def _read(path: str, options: dict[str, Any]) -> Signal[Geometry]:
    from overtone import signals
    from overtone.signals._readers._read import UnknownOptionError

    arguments = dict(options)
    # One number means the same spacing on every axis, which the readers take as a float.
    if len(arguments.get("spacing", ())) == 1:
        arguments["spacing"] = arguments["spacing"][0]
    if len(arguments.get("full_range", (0, 1))) != 2:
        numbers = ",".join(f"{v:g}" for v in arguments["full_range"])
        raise InputError(
            "two numbers, the values of black and white", numbers, "write for instance 0,4095", "--full-range"
        )
    if "columns" in arguments:
        arguments["columns"] = words(arguments["columns"])
    if "time_column" in arguments:
        arguments["time"] = arguments.pop("time_column")
    try:
        return signals.read(path, **arguments)
    except UnknownOptionError as unknown:
        raise InputError(
            "flags that apply to this kind of file", _flag(unknown.option), "leave it out", path
        ) from unknown


def _flag(name: str) -> str:
    return "--" + {"time": "time_column"}.get(name, name).replace("_", "-")
