"""One run of many: a function named by where it lives, and settings that JSON can hold."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from overtone.errors import InputError


@final
@dataclass(frozen=True)
class Task:
    """A function call that any process can make and whose result any process can tell apart.

    Attributes:
        name: What people call it.
        function: `"package.module:function"`, called with the settings as keywords. It returns what JSON can hold.
        settings: The keywords: numbers, strings, booleans, None, lists and dicts of them.
        stored_as: The function's name in the key of stored results; `function` if empty. A function that moves keeps
            its results by it.
    """

    name: str
    function: str
    settings: Mapping[str, Any]
    stored_as: str = ""

    def __post_init__(self) -> None:
        try:
            json.dumps(dict(self.settings), allow_nan=False)
        except (TypeError, ValueError) as wrong:
            raise InputError(
                "settings that JSON can hold", f"{wrong}", "pass numbers, strings and lists", self.name
            ) from wrong
        module, _, function = self.function.partition(":")
        if not (module and function.isidentifier()):
            raise InputError(
                'a function as "module:name"', f"{self.function!r}", "name one of a module", self.name
            )

    @property
    def key(self) -> str:
        """32 hexadecimal digits that stand for the function and its settings; the name does not matter."""
        text = json.dumps([self.stored_as or self.function, dict(self.settings)], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def run(self) -> Any:
        """Call the function.

        Returns:
            Its result, as JSON gives it back.

        Raises:
            InputError: If there is no such function, or its result is nothing that JSON can hold.
        """
        module, _, name = self.function.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as missing:
            raise InputError(
                f"the function {self.function}", f"{missing}", "check its name", self.name
            ) from missing
        result = function(**self.settings)
        try:
            return json.loads(json.dumps(result))
        except TypeError as wrong:
            raise InputError(
                "a result that JSON can hold", f"{wrong}", "return numbers, strings and lists", self.name
            ) from wrong
