"""Members of an enumeration, as users write them."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from overtone._utils.numbers import short
from overtone.errors import InputError

Choice = TypeVar("Choice", bound=Enum)


def parse_enum(kind: type[Choice], value: Choice | str, name: str) -> Choice:
    """Return the member of an enumeration that is passed itself or by its value.

    Args:
        kind: The enumeration.
        value: A member or the value of one.
        name: The argument, for the error.

    Raises:
        InputError: If there is no such member; lists those there are.

    Example:
        >>> from enum import Enum
        >>> Colour = Enum("Colour", {"RED": "red"})
        >>> parse_enum(Colour, "red", "colour").name
        'RED'
    """
    known = [choice.value for choice in kind]
    if not isinstance(value, kind) and not (isinstance(value, str) and value in known):
        raise InputError(f"one of {', '.join(known)}", short(value), "choose one of them", name)
    return kind(value)
