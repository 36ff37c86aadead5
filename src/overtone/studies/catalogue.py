"""Every study there is: each module of `claims` defines one."""

from __future__ import annotations

import pkgutil
from functools import cache

from overtone.errors import InputError
from overtone.studies import claims
from overtone.studies.study import Family, Study, study_in


@cache
def studies() -> dict[str, Study]:
    """All studies by name, family by family in the order of `Family`."""
    found = [study_in(f"{claims.__name__}.{module.name}") for module in pkgutil.iter_modules(claims.__path__)]
    order = list(Family)
    return {study.name: study for study in sorted(found, key=lambda s: (order.index(s.family), s.name))}


def find(name: str) -> Study:
    """The study called `name`.

    Raises:
        InputError: If there is none; lists those there are.
    """
    known = studies()
    if name not in known:
        raise InputError(f"one of {', '.join(known)}", f"{name!r}", "choose one of them, or all", "study")
    return known[name]
