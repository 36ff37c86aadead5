"""Task of a sweep: a function, by its dotted name, and settings that JSON can hold."""

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
    """Function call that any process can make, and whose stored result any process can find.

    Attributes:
        name: Name in messages.
        function: `"package.module:function"`, called with the settings as keywords. Its return value must be JSON-able.
        settings: The keywords: numbers, strings, booleans, None, lists and dicts of them.
        stored_as: Name of the function in the key of stored results; `function` if empty. A function that was moved
            finds its earlier results by it.
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
        """Hash of the function and its settings, 32 hexadecimal digits; the task's name does not enter."""
        text = json.dumps([self.stored_as or self.function, dict(self.settings)], sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def run(self) -> Any:
        """Call the function and return its result, as JSON gives it back.

        Raises:
            InputError: If there is no such function, or JSON cannot hold its result.
        """
        module, _, name = self.function.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as missing:
            raise InputError(
                f"the function {self.function}", f"{missing}", "check its name", self.name
            ) from missing
        result = function(**self.settings)
        # Through JSON now, so that a fresh result equals the stored one: tuples become lists, keys strings.
        try:
            return json.loads(json.dumps(result))
        except TypeError as wrong:
            raise InputError(
                "a result that JSON can hold", f"{wrong}", "return numbers, strings and lists", self.name
            ) from wrong
