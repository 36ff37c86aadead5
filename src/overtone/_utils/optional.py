"""Optional packages: import them where they are used, and name the extra when they are absent."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any, final

from overtone.errors import InputError


def import_optional(module: str, extra: str) -> ModuleType:
    """Import a module; if it is absent, name the extra of overtone that installs it.

    Args:
        module: Dotted module name.
        extra: The name in `pip install "overtone[extra]"`.

    Returns:
        The imported module.

    Raises:
        InputError: If the module is not installed.

    Example:
        >>> import_optional("json", "all").__name__
        'json'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise InputError(
            f"the package {module!r} to be installed",
            f"no module named {missing.name!r}",
            f'run: pip install "overtone[{extra}]"',
        ) from missing


@final
class OptionalModule:
    """A module of an extra, imported when an attribute of it is first used.

    Modules that serve one file format stand at the top of the reader like any other import, and the package is asked
    for only when such a file is read.

    Args:
        module: Dotted module name.
        extra: The name in `pip install "overtone[extra]"`.

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
