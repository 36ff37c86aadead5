"""A default device or precision that the caller has set changes nothing of what overtone computes."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import overtone as ot
from overtone import baselines, planning, signals
from overtone.probes import views
from overtone.signals import masks
from overtone.spectra import noise_floor
from overtone.theory import ntk

SOURCE = Path(ot.__file__).parent

MAKERS = {
    *("zeros", "ones", "empty", "full", "arange", "tensor", "as_tensor", "asarray", "eye", "range"),
    *("linspace", "logspace", "rand", "randn", "randint", "randperm", "normal", "scalar_tensor"),
    *("hann_window", "hamming_window", "bartlett_window", "blackman_window", "kaiser_window"),
    *("tril_indices", "triu_indices", "empty_strided", "fftfreq", "rfftfreq"),
}
"""Functions of torch that put a tensor on the default device unless told otherwise."""


def unnamed(tree):
    """Line numbers of calls in `tree` that make a tensor without naming its device."""
    return [
        call.lineno
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).startswith("torch.")
        and ast.unparse(call.func).split(".")[-1] in MAKERS
        and not {"device", "out"} & {word.arg for word in call.keywords}
    ]


def test_every_tensor_that_is_made_names_its_device():
    """Claims run inside `standard()`, where there is nothing to name."""
    files = [file for file in SOURCE.rglob("*.py") if file.parent.name != "_claims"]
    found = {str(file): unnamed(ast.parse(file.read_text())) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}
    assert unnamed(ast.parse("torch.zeros(3)\ntorch.fft.fftfreq(4)\ntorch.ones(2, device='cpu')")) == [1, 2]


DRAW = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[0:24, 0:24]
PICTURE = np.sin(np.pi * ROWS / 4) + 0.5 * np.cos(5 * np.pi * COLUMNS / 12) + DRAW.normal(size=(24, 24)) / 10
PLACES, VALUES = DRAW.random((80, 2)), DRAW.random(80)
TABLE = torch.from_numpy(DRAW.random((90, 5)).astype(np.float32))
LABELS = torch.arange(90, device="cpu") % 3
NETWORKS = {
    size: nn.Sequential(nn.Linear(size, 16), nn.ReLU(), nn.Linear(16, out)) for size, out in ((2, 1), (5, 3))
}


def picture():
    signal = signals.array(PICTURE)
    return signal.with_held_out(masks.random(signal.geometry, 0.2))


def row(probe):
    with probe:
        probe(0)
    return probe.record.residual_power.values


def observed():
    with ot.Observer.of(PLACES, VALUES) as observer:
        observer.observe(0, np.zeros((80, 1)))
    return observer.record.residual_power.values


def fitted():
    run = ot.fit(picture(), steps=3, width=8, features=8, device="cpu")
    return run.record.residual_power.values, run.predict()


def layered():
    graph = views.graph(TABLE, LABELS)
    return row(ot.Probe([views.layers(graph, ["0", "2"]), graph], NETWORKS[5]))


WORK = {
    "array": lambda: signals.array(PICTURE).values,
    "lists": lambda: signals.array(PICTURE.tolist()).values,
    "points": lambda: signals.points(PLACES, VALUES).values,
    "points of lists": lambda: signals.points(PLACES.tolist(), VALUES.tolist()).values,
    "synthetic": lambda: signals.synthetic.harmonics([1, 5], samples=64, seed=0).values,
    "masks": lambda: masks.blocks(picture().geometry, 0.1, 3),
    "noise": lambda: noise_floor(torch.from_numpy(PICTURE)).std,
    "scan": lambda: planning.scan(picture()).bandwidth,
    "choose": lambda: planning.plan(picture(), planning.Budget(steps=100, parameters=5_000)).bandwidth,
    "probe": lambda: row(ot.Probe(picture(), NETWORKS[2])),
    "places": lambda: row(ot.Probe.of(PLACES, VALUES, NETWORKS[2])),
    "graph": lambda: row(ot.Probe.of(TABLE, LABELS, NETWORKS[5])),
    "filters": lambda: row(ot.Probe(views.filters(TABLE, LABELS), NETWORKS[5])),
    "directions": lambda: row(ot.Probe(views.directions(TABLE, LABELS), NETWORKS[5])),
    "layers": layered,
    "observer": observed,
    "fit": fitted,
    "points fitted": lambda: ot.fit(
        signals.points(PLACES, VALUES), steps=3, width=8, features=8, device="cpu"
    ).predict(),
    "kernel": lambda: ntk.empirical_ntk(NETWORKS[2], torch.from_numpy(PLACES[:9]).float()).matrix,
    **{
        name: lambda name=name: getattr(baselines, name)().predict(picture())
        for name in ("Linear", "Cubic", "Mean", "BandLimitedFit")
    },
}


def numbers(found):
    return [
        np.asarray(part.detach() if isinstance(part, torch.Tensor) else part)
        for part in (found if isinstance(found, tuple) else (found,))
    ]


EXPECTED = {}


def expected(name):
    if name not in EXPECTED:
        EXPECTED[name] = numbers(WORK[name]())
    return EXPECTED[name]


def same(found, name):
    pairs = list(zip(numbers(found), expected(name), strict=True))
    return all(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True) for a, b in pairs)


@pytest.mark.parametrize("name", WORK)
def test_another_default_device_changes_nothing(name):
    expected(name)
    torch.set_default_device("meta")
    try:
        assert torch.zeros(1).is_meta
        assert same(WORK[name](), name)
        assert torch.zeros(1).is_meta
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("name", WORK)
def test_another_default_precision_changes_nothing(name):
    expected(name)
    for dtype in (torch.float64, torch.bfloat16):
        torch.set_default_dtype(dtype)
        try:
            assert same(WORK[name](), name)
            assert torch.get_default_dtype() is dtype
        finally:
            torch.set_default_dtype(torch.float32)
