"""Optional packages: import them where they are used, and name the extra when they are absent."""

from __future__ import annotations

import importlib
from types import ModuleType

from overtone.errors import InputError


def import_optional(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra of overtone brings it.

    Args:
        module: Dotted module name.
        extra: The name in `pip install "overtone[extra]"`.

    Returns:
        The imported module.

    Raises:
        InputError: If the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise InputError(
            f"the package {module!r} to be installed",
            f"no module named {missing.name!r}",
            f'run: pip install "overtone[{extra}]"',
        ) from missing
