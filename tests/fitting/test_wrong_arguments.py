"""The functions of the library with arguments that are no numbers, or none that make sense: one sentence each."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest

import overtone as ot
from overtone.errors import OvertoneError
from overtone.fitting._predict import predict
from tests.damage import some

NUMBERS = (0, -1, -0.0, 1e-300, 1e300, 2**63, 2**64, 10**400, math.nan, math.inf, -math.inf)
OTHERS = ("", "x", "10", None, True, [], [1, 2, 3, 4], {}, object(), b"1", 1j, np.nan, np.zeros(3), {"a": 1})
BUDGET = ("steps", "seconds", "parameters")


def compare(signal, **options):
    """Compare under the budget among the options."""
    budget = ot.planning.Budget(**{name: options.pop(name) for name in BUDGET if name in options})
    return ot.compare(signal, budget=budget, **options)


DOORS = {"fit": ot.fit, "predict": predict, "compare": compare}

ARGUMENTS = {
    "fit": (
        *(
            "width",
            "depth",
            "features",
            "lr",
            "momentum",
            "weight_decay",
            "steps",
            "seconds",
            "batch",
            "held_out",
        ),
        *(
            "seed",
            "bandwidth",
            "activation",
            "encoding",
            "optimizer",
            "decay",
            "precision",
            "device",
            "compile",
        ),
    ),
    "predict": (
        "width",
        "depth",
        "lr",
        "steps",
        "seconds",
        "batch",
        "held_out",
        "pilot",
        "seed",
        "bandwidth",
    ),
    "compare": ("steps", "seconds", "parameters", "seeds", "held_out", "seed", "device"),
}


def calls():
    for door, names in ARGUMENTS.items():
        for name in names:
            for value in (*NUMBERS, *OTHERS):
                yield door, name, value


@pytest.fixture
def short(monkeypatch):
    """No training of more than twenty steps."""
    from overtone._training import _loop as loop

    ending = loop._ending

    def soon(options, step, *more):
        return ending(options, step, *more) or (loop.Ending.STEPS if step >= 20 else None)

    monkeypatch.setattr(loop, "_ending", soon)


@pytest.mark.usefixtures("short")
@pytest.mark.filterwarnings("ignore::overtone.probes.ProbeWarning")
@pytest.mark.parametrize(("door", "name", "value"), some(calls(), 60))
def test_wrong_arguments(tmp_path, door, name, value):
    values = np.add.outer(np.cos(np.arange(12.0)), np.sin(np.arange(10.0)))
    usual = {
        "fit": {"out": tmp_path / "run"},
        "predict": {},
        "compare": {"out": tmp_path / "all", "seeds": 1},
    }[door]
    if door == "compare":
        usual |= {"candidates": ["siren"], "steps": 60, "parameters": 400}
    else:
        usual |= {"width": 8, "depth": 2, "features": 8, "steps": 2, "bandwidth": 2.0}
    if name == "seconds":
        usual.pop("steps")
    with contextlib.suppress(OvertoneError):
        DOORS[door](ot.signals.array(values), **(usual | {name: value}))
