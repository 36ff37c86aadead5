"""Everything that can be wrong with a JSON value or with the bytes of a file, for tests that damage files."""

from __future__ import annotations

import copy
import json
import os
import random

TRIES = int(os.environ.get("OVERTONE_TRIES", "0"))
"""How many damages each test tries; 0 for a few."""

REMOVED = object()

WRONG = (
    *(
        REMOVED,
        None,
        True,
        False,
        0,
        -1,
        1,
        0.5,
        -0.0,
        1e308,
        -1e308,
        float("nan"),
        float("inf"),
        2**31,
        2**63,
    ),
    *(
        -(2**63) - 1,
        10**400,
        "",
        "x",
        "\0",
        "é" * 50_000,
        "1",
        "../../x",
        [],
        {},
        [None],
        [[]],
        [1, 2, 3, 4, 5, 6],
    ),
    *([-1], [1e308], ["x"], {"x": 1}, {"": None}, [2**40], [float("nan")], [0], [True]),
)
"""What stands in the place of a value."""


def some(every, usual):
    """All of them if that many are asked for, else a draw that is always the same."""
    every = list(every)
    wanted = TRIES or usual
    return every if len(every) <= wanted else random.Random(0).sample(every, wanted)


def places(value, path=()):
    """The path of every value in a JSON document, of lists only the first and the last."""
    yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for number in sorted({0, len(value) - 1}) if value else ():
            yield from places(value[number], (*path, number))


def damaged_json(text):
    """What was done, and the text, for every way in which one value of a JSON document is wrong."""
    document = json.loads(text)
    for path in places(document):
        for wrong in WRONG:
            changed = replaced(document, path, wrong)
            if changed is not REMOVED:
                name = "removed" if wrong is REMOVED else repr(wrong)[:30]
                yield f"{'.'.join(map(str, path))}: {name}", json.dumps(changed)
        deep = json.dumps(replaced(document, path, "DEEP"))
        for open_, close in (("[", "]"), ('{"x":', "}")):
            for levels in (90, 900, 100_000):
                inside = open_ * levels + "1" + close * levels
                yield f"{'.'.join(map(str, path))}: {levels} x {open_}", deep.replace('"DEEP"', inside)


def replaced(document, path, value):
    """The document with one value replaced or removed."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if value is REMOVED:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def flipped(data, places):
    """What was done, and the bytes, for every bit flipped at some places."""
    for place in places:
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            yield f"bit {bit} of byte {place}", bytes(changed)
