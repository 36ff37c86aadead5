"""Optional packages: import them where they are used, and say how to install them when they are absent."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any, final

from overtone.errors import InputError

PACKAGES = {
    "audio": ("soundfile",),
    "calendars": ("cftime",),
    "cluster": ("distributed",),
    "demo": ("scikit-image",),
    "figures": ("matplotlib", "plotly"),
    "grib": ("cfgrib",),
    "lightning": ("lightning",),
    "mcp": ("mcp",),
    "netcdf": ("h5netcdf", "h5py"),
    "points": ("finufft",),
    "ray": ("ray",),
    "reports": ("plotly", "jinja2", "markupsafe"),
    "sklearn": ("scikit-learn",),
    "static": ("kaleido",),
    "studies": ("scikit-image", "scikit-learn"),
    "tensorboard": ("tensorboard",),
    "tiff": ("tifffile", "imagecodecs"),
    "transformers": ("transformers", "accelerate"),
    "volumes": ("nibabel",),
    "wandb": ("wandb",),
    "zarr": ("zarr",),
}
"""The packages of each extra, as in the project's metadata."""

_MODULES = {"scikit-image": "skimage", "scikit-learn": "sklearn"}
"""Modules whose name is not that of their package."""


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra.

    The packages themselves are named: `pip install "overtone[extra]"` would look overtone up in an index, which is
    wrong for an installation from a checkout or from a file.

    Example:
        >>> install_command("netcdf")
        'pip install h5netcdf h5py'
    """
    return f"pip install {' '.join(PACKAGES[extra])}"


def missing_packages(extra: str) -> tuple[str, ...]:
    """Return the packages of an extra that are not installed; nothing is imported.

    Example:
        >>> missing_packages("reports")
        ()
    """
    return tuple(p for p in PACKAGES[extra] if importlib.util.find_spec(_MODULES.get(p, p)) is None)


def require_extra(extra: str) -> None:
    """Refuse if a package of an extra is not installed; for work that would otherwise fail at its end.

    Raises:
        InputError: If a package is not installed.

    Example:
        >>> require_extra("reports")
    """
    for package in missing_packages(extra):
        raise _absent(package, _MODULES.get(package, package), extra)


def import_optional(module: str, extra: str) -> ModuleType:
    """Import a module; if it is absent, say how its package is installed.

    Args:
        module: Dotted module name.
        extra: The extra of overtone that the package belongs to.

    Returns:
        The imported module.

    Raises:
        InputError: If the module is not installed.

    Example:
        >>> import_optional("json", "audio").__name__
        'json'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise _absent(module, missing.name, extra) from missing


def name_missing(extra: str, load: Callable[[str], Any]) -> Callable[[str], Any]:
    """Make the attribute loader of a package say how the packages of an extra are installed if one is absent.

    Args:
        extra: The extra that the package's modules import.
        load: The package's `__getattr__`.

    Returns:
        The loader to use instead.

    Example:
        >>> name_missing("reports", str.upper)("name")
        'NAME'
    """

    @functools.wraps(load)
    def attribute(name: str) -> Any:
        try:
            return load(name)
        except ModuleNotFoundError as missing:
            absent = (missing.name or "").partition(".")[0]
            if absent not in PACKAGES[extra]:
                raise
            raise _absent(absent, missing.name, extra) from missing

    return attribute


def _absent(module: str, missing: str | None, extra: str) -> InputError:
    """Return the error that names an absent module and the command that installs it."""
    return InputError(
        f"the package {module!r} to be installed",
        f"no module named {missing!r}",
        f"run: {install_command(extra)}",
    )


@final
class OptionalModule:
    """A module of an extra, imported when an attribute of it is first used.

    Modules that serve one file format stand at the top of the reader like any other import, and the package is asked
    for only when such a file is read.

    Args:
        module: Dotted module name.
        extra: The extra of overtone that the package belongs to.

    Example:
        >>> tool = OptionalModule("no_such_package", "audio")
        >>> tool.read
        Traceback (most recent call last):
        ...
        overtone.errors.InputError: expected the package 'no_such_package' to be installed, got no module ...
    """

    def __init__(self, module: str, extra: str) -> None:
        self._module, self._extra = module, extra

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the module.

        Raises:
            InputError: If the module is not installed.
        """
        return getattr(import_optional(self._module, self._extra), name)
