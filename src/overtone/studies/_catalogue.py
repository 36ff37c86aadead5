"""Catalogue of all studies: those that the modules of `_claims` list."""

from __future__ import annotations

import pkgutil
from functools import cache

from overtone.errors import InputError
from overtone.studies import _claims
from overtone.studies._study import Study, Topic, studies_in


@cache
def catalogue() -> dict[str, Study]:
    """Return all studies by name, topic by topic and by name within a topic.

    Example:
        >>> from overtone.studies import catalogue
        >>> catalogue()["hat-conditioning"].topic.value
        'Activations and layers'
    """
    # Modules whose name begins with an underscore hold shared parts.
    modules = [module.name for module in pkgutil.iter_modules(_claims.__path__) if module.name[0] != "_"]
    listed = [study for name in modules for study in studies_in(f"{_claims.__name__}.{name}")]
    order = list(Topic)
    return {study.name: study for study in sorted(listed, key=lambda s: (order.index(s.topic), s.name))}


def find_study(name: str) -> Study:
    """Return the study called `name`.

    Raises:
        InputError: If there is none; lists those there are.

    Example:
        >>> from overtone.studies import find_study
        >>> find_study("circle-time").claim
        'On the circle the time to learn a frequency grows as its square.'
    """
    known = catalogue()
    if name not in known:
        raise InputError(f"one of {', '.join(known)}", f"{name!r}", "choose one of them, or all", "study")
    return known[name]
