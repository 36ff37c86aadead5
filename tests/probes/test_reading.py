"""How targets are read: labels or values, and which axis holds the channels; never guessed without a word."""

import itertools
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError
from overtone.probes import Observer, Probe, ProbeWarning, Values, views
from overtone.probes._targets import Classes
from overtone.spectra.sensitivity import InputNormalisation

N = 60


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def whole(high, *shape, low=0, seed=0):
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


def said(call):
    """What a call returns or refuses, with the warnings of probes."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ProbeWarning)
        try:
            found = call()
        except InputError as refused:
            found = refused
    return found, [str(w.message) for w in told]


def watched(x, y, network, **options):
    """The record of one row, or the refusal, and what was said."""

    def call():
        with Probe.of(x, y, network, strict=True, **options) as probe:
            probe(0)
            return probe.record, probe.views[0]

    return said(call)


TABLE = draw(N, 5)


def linear(out, inside=5):
    return nn.Linear(inside, out)


class First(nn.Module):
    """(N, T, F) to (N, T, C) with a recurrence along the first axis after the samples."""

    def __init__(self, inside, out):
        super().__init__()
        self.body, self.last = nn.GRU(inside, 8, batch_first=True), nn.Linear(8, out)

    def forward(self, x):
        return self.last(self.body(x)[0])


class Transformer(nn.Module):
    """(N, T, 8) to (N, T, 8)."""

    def __init__(self):
        super().__init__()
        self.body = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, x):
        return self.body(x)


class Halving(nn.Module):
    """(N, 8, T) to (N, 8, T / 2)."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv1d(8, 8, 4, stride=2, padding=1)

    def forward(self, x):
        return self.body(x)


SEQUENCES = {
    "convolution": (draw(N, 8, 14), draw(N, 8, 14, seed=1), lambda: nn.Conv1d(8, 8, 3, padding=1), 14, 8),
    "more channels than time": (
        draw(N, 32, 6),
        draw(N, 16, 6),
        lambda: nn.Conv1d(32, 16, 3, padding=1),
        6,
        16,
    ),
    "square": (draw(N, 12, 12), draw(N, 12, 12), lambda: nn.Conv1d(12, 12, 3, padding=1), 12, 12),
    "strided": (draw(N, 8, 28), draw(N, 8, 14), Halving, 14, 8),
    "recurrence": (draw(N, 6, 24), draw(N, 6, 3), lambda: First(24, 3), 6, 3),
    "recurrence of one channel": (draw(N, 20, 4), draw(N, 20, 1), lambda: First(4, 1), 20, 1),
    "attention": (draw(N, 8, 8), draw(N, 8, 8), Transformer, 8, 8),
    "attention, long": (draw(N, 30, 8), draw(N, 30, 8), Transformer, 30, 8),
    "layer by layer": (draw(N, 30, 8), draw(N, 30, 8), lambda: linear(8, 8), 30, 8),
}


@pytest.mark.parametrize(("x", "y", "make", "moments", "channels"), SEQUENCES.values(), ids=SEQUENCES)
def test_time_is_the_axis_along_which_the_network_takes_shorter_inputs(x, y, make, moments, channels):
    """Slow twin: the same record of sequences brought to (N, T, C) by hand, from predictions brought there too."""
    torch.manual_seed(0)
    network = make().eval()
    (record, _), told = watched(x, y, network)
    assert told == []
    assert record.sizes["channel"] == channels
    assert record.attrs["geometry"]["moments"] == moments
    first = tuple(y.shape[1:]) == (channels, moments) and not isinstance(
        network, First | Transformer | nn.Linear
    )
    with torch.no_grad():
        outputs = network(x)
    last, predicted = (y.movedim(1, 2), outputs.movedim(1, 2)) if first else (y, outputs)
    row = views.sequence(last, last).compare(predicted)
    np.testing.assert_allclose(record.residual_power[0], row["residual_power"], rtol=1e-4)
    by_hand = views.sequence(x, y, channel_axis=1 if first else 2)
    np.testing.assert_allclose(by_hand.target_power, record.target_power)
    np.testing.assert_allclose(by_hand.compare(outputs)["residual_power"], row["residual_power"], rtol=1e-6)
    if channels > 1:
        assert "the network accepts shorter inputs along the other axes" in record.attrs["notes"][0]


def flat(*shape):
    size = int(np.prod(shape))
    return nn.Sequential(nn.Flatten(), nn.Linear(size, size), nn.Unflatten(1, shape))


UNSETTLED = {
    "a dense layer over all": (draw(N, 6, 9), draw(N, 6, 9), lambda: flat(6, 9)),
    "point by point": (draw(N, 6, 9), draw(N, 6, 9), nn.Tanh),
    "pictures point by point": (draw(N, 3, 6, 9), draw(N, 3, 6, 9), nn.Tanh),
    "a dense layer of pictures": (draw(N, 3, 6, 9), draw(N, 3, 6, 9), lambda: flat(3, 6, 9)),
    "pictures without channels": (draw(N, 6, 9), draw(N, 6, 9), lambda: nn.Identity()),
}


@pytest.mark.parametrize(("x", "y", "make"), UNSETTLED.values(), ids=UNSETTLED)
def test_where_nothing_tells_the_channels_they_are_asked_for_and_the_advice_works(x, y, make):
    network, last = make(), y.ndim - 1
    refused, _ = watched(x, y, network)
    assert isinstance(refused, InputError)
    assert f"pass channel_axis=1 or channel_axis={last}" in str(refused)
    for axis in (1, last):
        record, _ = watched(x, y, network, channel_axis=axis)[0]
        assert record.sizes["channel"] == y.shape[axis]
        moved = y.movedim(axis, -1)
        assert float(record.target_power.sum()) == pytest.approx(
            float(moved.square().sum() / (moved.numel() / y.shape[axis])), rel=1e-5
        )
    record, _ = watched(x, y[..., None], network)[0]
    assert record.sizes["channel"] == 1
    with pytest.raises(InputError, match="the channels may be in axis 1"):
        views.choose(x, y)
    with pytest.raises(InputError, match="the channels may be in axis 1"):
        Observer.of(x, y)
    assert views.choose(x, y, channel_axis=1).target.values.shape[-1] == y.shape[1]


@pytest.mark.parametrize("axis", [0, 3, -3, 7, "1", 1.0])
def test_a_channel_axis_that_is_none_is_refused(axis):
    x = draw(N, 6, 9)
    with pytest.raises(InputError, match="channel_axis: expected a channel axis from 1 to 2, got"):
        views.choose(x, x, channel_axis=axis)


PICTURES = {
    "channels first": (draw(N, 3, 8, 10), draw(N, 2, 8, 10), lambda: nn.Conv2d(3, 2, 3, padding=1), 2),
    "square": (draw(N, 4, 4, 4), draw(N, 4, 4, 4), lambda: nn.Conv2d(4, 4, 3, padding=1), 4),
    "one channel": (draw(N, 3, 8, 10), draw(N, 1, 8, 10), lambda: nn.Conv2d(3, 1, 3, padding=1), 1),
    "no channel": (
        draw(N, 3, 8, 10),
        draw(N, 8, 10),
        lambda: nn.Sequential(nn.Conv2d(3, 1, 3, padding=1), nn.Flatten(1, 2)),
        1,
    ),
    "no channel in the targets": (draw(N, 3, 8, 10), draw(N, 8, 10), lambda: nn.Conv2d(3, 1, 1), 1),
    "larger": (draw(N, 3, 7, 10), draw(N, 3, 14, 20), lambda: nn.ConvTranspose2d(3, 3, 2, stride=2), 3),
    "channels last": (draw(N, 8, 10, 3), draw(N, 8, 10, 2), lambda: linear(2, 3), 2),
    "volumes": (draw(N, 1, 4, 6, 5), draw(N, 2, 4, 6, 5), lambda: nn.Conv3d(1, 2, 3, padding=1), 2),
}


@pytest.mark.parametrize(("x", "y", "make", "channels"), PICTURES.values(), ids=PICTURES)
def test_pictures_are_watched_on_the_graph_with_the_power_of_their_places_averaged(x, y, make, channels):
    torch.manual_seed(0)
    network = make()
    (record, _), told = watched(x, y, network)
    assert told == []
    assert record.sizes["channel"] == channels
    with torch.no_grad():
        wrong = (network(x).reshape(y.shape) - y).square()
    assert float(record.residual_power.sum("band").mean()) == pytest.approx(float(wrong.mean()), rel=1e-4)
    assert float(record.train_error[0]) == pytest.approx(float(wrong.mean()), rel=1e-5)


def test_inputs_without_channels_tell_which_axis_is_time():
    tokens = whole(9, N, 12)
    for shape, axis in (((12, 4), 2), ((4, 12), 1)):
        view = views.choose({"ids": tokens, "mask": torch.ones_like(tokens)}, draw(N, *shape))
        assert view.target.values.shape[1:] == (12, 4)
        assert f"and axis {axis} as the channels" in view.header({}).attrs["notes"][0]
    with pytest.raises(InputError, match="the channels may be in axis 1 or in axis 2"):
        views.choose(tokens, draw(N, 12, 12))


CLASSIFIED = {
    "labels": whole(4, N),
    "int8": whole(4, N).to(torch.int8),
    "uint8": whole(4, N).to(torch.uint8),
    "a column": whole(4, N, 1),
    "one class without samples": whole(3, N),
    "labels from 1": whole(4, N, low=1),
    **{str(kind): whole(4, N).to(kind) for kind in (torch.uint16, torch.uint32, torch.uint64, torch.int16)},
    "bool": whole(2, N).bool(),
    "a column of bool": whole(2, N, 1).bool(),
    "all false": torch.zeros(N, dtype=torch.bool),
}


@pytest.mark.parametrize("labels", CLASSIFIED.values(), ids=CLASSIFIED)
def test_whole_numbers_are_labels_where_the_network_has_an_output_for_each(labels):
    network = linear(2 if labels.dtype is torch.bool else 4)
    (record, _), told = watched(TABLE, labels, network)
    assert told == []
    assert record.sizes["channel"] == network.out_features
    wanted = nn.functional.one_hot(labels.reshape(-1).long(), network.out_features)
    wrong = (network(TABLE).softmax(1) - wanted).detach().square().mean()
    assert float(record.train_error[0]) == pytest.approx(float(wrong), rel=1e-5)


@pytest.mark.parametrize("kind", [torch.bool, torch.int64])
@pytest.mark.parametrize("shape", [(N,), (N, 1)])
def test_two_classes_and_one_output_are_a_logit_and_the_record_says_so(kind, shape):
    labels, network = whole(2, *shape).to(kind), linear(1)
    (record, _), told = watched(TABLE, labels, network)
    assert told == []
    assert record.attrs["notes"] == [
        "targets 0 and 1 were read as labels of two classes, single outputs as logits"
    ]
    wrong = (network(TABLE).sigmoid() - labels.reshape(N, 1).float()).detach().square().mean()
    assert float(record.train_error[0]) == pytest.approx(float(wrong), rel=1e-5)


NUMBERS = {
    "prices": (TABLE[:, 0] * 500_000).long(),
    "counts": whole(60, N),
    "years": whole(2020, N, low=1950),
    "a column": whole(60, N, 1),
    "negative": whole(60, N, low=-60),
    "few": whole(4, N),
    "unsigned": whole(60, N).to(torch.uint64),
    "largest": torch.full((N,), 2**62).index_fill(0, torch.arange(9), 7),
}


@pytest.mark.parametrize("targets", NUMBERS.values(), ids=NUMBERS)
def test_whole_numbers_are_values_where_the_network_has_one_output_and_no_table_is_made(targets):
    (record, _), told = watched(TABLE, targets, linear(1))
    assert told == []
    assert record.sizes["channel"] == 1
    assert record.attrs["notes"] == [
        "whole-number targets were read as values, because the network has one output"
    ]
    assert float(record.target_power.sum()) == pytest.approx(
        float(targets.double().square().mean()), rel=1e-6
    )


NEITHER = {
    "prices": (TABLE[:, 0].abs() * 500_000).long(),
    "few but large": torch.tensor([1000, 2000]).repeat(N // 2),
    "a void class": whole(4, N).index_fill(0, torch.arange(5), 255),
    "ignored samples": whole(4, N).index_fill(0, torch.arange(5), -1),
    "identities": torch.arange(N),
    "a column": whole(4, N, 1),
    "positions": whole(4, N, 7),
    "counts of two kinds": whole(40, N, 2),
    "pictures": whole(200, N, 3, 4).to(torch.uint8),
}


@pytest.mark.parametrize("targets", NEITHER.values(), ids=NEITHER)
def test_without_a_network_whole_numbers_that_are_not_plainly_labels_are_asked_about(targets):
    for make in (views.choose, views.graph, Observer.of):
        with pytest.raises(
            InputError, match=r"known to be .*; pass classes= for labels .*, or floating-point targets"
        ):
            make(TABLE, targets)
    values = targets.double() if targets.ndim < 3 else targets.double()[..., None]
    views.choose(TABLE, values)
    kinds, numbered = torch.unique(targets, return_inverse=True)
    view = views.choose(TABLE, numbered, classes=len(kinds))
    assert view.target.values.shape[-1] == len(kinds)


def test_plain_labels_need_no_network():
    for labels in (whole(4, N), whole(10, N), whole(2, N).bool(), torch.zeros(N, dtype=torch.bool)):
        view = views.choose(TABLE, labels)
        assert isinstance(view.target, Classes)
        assert view.target.values.shape[1] == max(2, int(labels.max()) + 1)


@pytest.mark.parametrize("bad", [-1, -100, 255, 4])
def test_labels_that_no_output_stands_for_are_refused(bad):
    labels = whole(4, N).index_fill(0, torch.arange(5), bad)
    for shaped in (labels, labels[:, None]):
        refused, _ = watched(TABLE, shaped, linear(4))
        assert "labels from 0 to 3, because the network has 4 outputs, got whole numbers from" in str(refused)
    kept = labels != bad
    assert watched(TABLE[kept], labels[kept], linear(4))[0][0].sizes["channel"] == 4
    assert "expected whole labels from 0 to 3" in str(watched(TABLE, labels, linear(4), classes=4)[0])


SOFT = torch.softmax(draw(N, 4, seed=5), 1)
ONE_HOT = nn.functional.one_hot(whole(4, N), 4)
LIKE_LABELS = {
    "zeros and ones": (whole(2, N).float(), 1, "pass classes=2 or outputs=lambda z: torch.sigmoid"),
    "a column of them": (whole(2, N, 1).double(), 1, "pass classes=2 or outputs=lambda z: torch.sigmoid"),
    "one-hot": (ONE_HOT.float(), 4, "pass classes=4 or outputs=lambda z: torch.softmax"),
    "whole one-hot": (ONE_HOT, 4, "pass classes=4 or outputs=lambda z: torch.softmax"),
    "several labels": (whole(2, N, 4).float(), 4, "pass outputs=lambda z: torch.sigmoid"),
    "several labels, whole": (whole(2, N, 4), 4, "pass outputs=lambda z: torch.sigmoid"),
    "several labels, bool": (whole(2, N, 4).bool(), 4, "pass outputs=lambda z: torch.sigmoid"),
    "probabilities": (SOFT, 4, "pass classes=4 or outputs=lambda z: torch.softmax"),
}


@pytest.mark.parametrize(("targets", "out", "advice"), LIKE_LABELS.values(), ids=LIKE_LABELS)
def test_values_that_may_be_labels_are_told_once_and_the_advice_works(targets, out, advice):
    network = linear(out)
    (record, _), told = watched(TABLE, targets, network)
    assert len(told) == 1
    assert advice in told[0]
    column = targets.reshape(N, -1).double()
    raw = network(TABLE).detach().double()
    assert float(record.train_error[0]) == pytest.approx(float((raw - column).square().mean()), rel=1e-5)
    told = watched(TABLE, Values(targets), network)[1]
    assert told == []
    squash = torch.softmax(raw, 1) if "softmax" in advice else raw.sigmoid()
    wrong = float((squash - column).square().mean())
    (record, _), told = watched(
        TABLE, targets, network, outputs=lambda z: z.softmax(-1) if "softmax" in advice else z.sigmoid()
    )
    assert told == []
    assert float(record.train_error[0]) == pytest.approx(wrong, rel=1e-5)
    if "classes" in advice:
        (record, _), told = watched(TABLE, targets, network, classes=max(2, out))
        assert told == []
        assert float(record.train_error[0]) == pytest.approx(wrong, rel=1e-5)


@pytest.mark.parametrize("labels", [whole(4, N).double(), whole(4, N, 1).float()])
def test_labels_in_floating_point_are_refused_with_advice_that_works(labels):
    refused, _ = watched(TABLE, labels, linear(4))
    assert "or whole-number targets (targets.long()) if they are labels" in str(refused)
    assert watched(TABLE, labels.long(), linear(4))[0][0].sizes["channel"] == 4
    assert watched(TABLE, labels, linear(4), classes=4)[0][0].sizes["channel"] == 4


def test_whole_numbers_of_predictions_with_one_column_are_refused_with_advice_that_works(tmp_path):
    ages = whole(20, N)
    with (
        Observer.of(TABLE, ages, tmp_path / "a", strict=True) as observer,
        pytest.raises(
            InputError, match=r"pass floating-point targets \(targets.double\(\)\) if they are values"
        ),
    ):
        observer.observe(0, draw(N, 1))
    with Observer.of(TABLE, ages.double(), tmp_path / "b", strict=True) as observer:
        assert observer.observe(0, draw(N, 1))


POSITIONS = {
    "tokens": (whole(9, N, 12), nn.Embedding(9, 5), (12,), True),
    "tokens, classes first": (draw(N, 3, 12), nn.Conv1d(3, 5, 3, padding=1), (12,), False),
    "segmentation": (draw(N, 3, 6, 7), nn.Conv2d(3, 5, 3, padding=1), (6, 7), False),
    "segmentation, classes last": (draw(N, 6, 7, 3), nn.Linear(3, 5), (6, 7), True),
}


@pytest.mark.parametrize(("x", "network", "places", "last"), POSITIONS.values(), ids=POSITIONS)
@pytest.mark.parametrize("classes", [None, 5])
def test_one_label_a_position(x, network, places, last, classes):
    labels = whole(5, N, *places)
    options = {} if x.is_floating_point() else {"features": draw(N, 4)}
    (record, _), told = watched(x, labels, network, classes=classes, **options)
    assert told == []
    assert record.sizes["channel"] == 5
    with torch.no_grad():
        found = network(x).softmax(-1) if last else network(x).softmax(1).movedim(1, -1)
    wrong = (found - nn.functional.one_hot(labels, 5)).square().mean()
    assert float(record.train_error[0]) == pytest.approx(float(wrong), rel=1e-4)


def test_labels_at_positions_as_many_as_classes_are_settled_by_the_network_or_asked_about():
    x, labels, network = draw(N, 3, 5), whole(5, N, 5), nn.Conv1d(3, 5, 3, padding=1)
    wanted = nn.functional.one_hot(labels, 5)

    def wrong(network, axis):
        found = network(x).detach().softmax(axis).movedim(axis, -1)
        return float((found - wanted).square().mean())

    record = watched(x, labels, network)[0][0]
    assert float(record.train_error[0]) == pytest.approx(wrong(network, 1), rel=1e-4)
    dense = nn.Sequential(nn.Flatten(), nn.Linear(15, 25), nn.Unflatten(1, (5, 5)))
    refused, _ = watched(x, labels, dense)
    assert "in axis 1 or 2; pass channel_axis=1 or channel_axis=2" in str(refused)
    for axis, classes in itertools.product((1, 2), (None, 5)):
        record = watched(x, labels, dense, channel_axis=axis, classes=classes)[0][0]
        assert float(record.train_error[0]) == pytest.approx(wrong(dense, axis), rel=1e-4)


def test_a_table_of_labels_and_classes_keeps_to_the_memory_and_the_advice_works():
    labels = whole(40_000, N, 100)
    tokens = whole(9, N, 100)
    refused, _ = said(lambda: views.choose(tokens, labels, classes=40_000, samples=60))
    assert "labels times classes below 134,217,728" in str(refused)
    assert "use at most 33 samples (samples=)" in str(refused)
    view = views.choose(tokens, labels[:, :3] % 400, classes=400, samples=7)
    assert view.target.values.shape == (7, 3, 400)


def test_large_pictures_are_watched_by_fewer_samples(monkeypatch):
    monkeypatch.setattr(sys.modules["overtone.probes.views._choose"], "ENTRIES", 1 << 15)
    x = draw(30, 1, 40, 40)
    assert views.choose(x, x).inputs.count == 20
    assert views.choose(x, x, samples=14).inputs.count == 14


def test_a_network_that_drops_the_axis_of_its_one_output():
    network = nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
    target = draw(N)
    record = watched(TABLE, target, network)[0][0]
    wrong = (network(TABLE) - target).detach().square().mean()
    assert float(record.train_error[0]) == pytest.approx(float(wrong), rel=1e-5)
    record = watched(TABLE, whole(2, N), network)[0][0]
    wrong = (network(TABLE).detach().sigmoid() - whole(2, N)).square().mean()
    assert float(record.train_error[0]) == pytest.approx(float(wrong), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"classes": 2.0}, "classes: expected a whole number of classes, got 2.0"),
        ({"classes": 1}, "classes: expected at least two classes, got 1"),
        ({"classes": -3}, "classes: expected at least two classes, got -3"),
        ({"samples": 2.5}, "samples: expected a whole number of samples, at least 1, got 2.5"),
        ({"samples": True}, "samples: expected a whole number of samples, at least 1, got True"),
    ],
)
def test_numbers_of_classes_and_samples_are_whole(options, text):
    with pytest.raises(InputError, match=text):
        views.choose(TABLE, whole(2, N), **options)


def test_what_belongs_to_no_sample_goes_into_forward():
    x, edges = TABLE, whole(N, 2, 90)

    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(5, 3)

        def forward(self, x, edges):
            return self.last(x + torch.zeros_like(x).index_add(0, edges[1], x[edges[0]]))

    network, labels = Graph(), whole(3, N)
    with pytest.raises(
        InputError, match=r"through forward=, for instance lambda network, x: network\(x, edges\)"
    ):
        Probe.of({"x": x, "edges": edges}, labels, network)
    record = watched(x, labels, network, forward=lambda network, x: network(x, edges))[0][0]
    wrong = network(x, edges).detach().softmax(1) - nn.functional.one_hot(labels, 3)
    assert float(record.train_error[0]) == pytest.approx(float(wrong.square().mean()), rel=1e-4)


def test_pictures_whose_channels_come_last_are_not_taken_for_narrow_ones():
    last = torch.rand(10, 12, 14, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(10) % 3
    made = (
        lambda pictures: views.sensitivity(pictures, labels, 1.0, normalise=InputNormalisation.none()),
        lambda pictures: views.gradients(pictures, labels, normalise=InputNormalisation.none()),
        lambda pictures: views.generated(draw(10, 4), pictures),
    )
    for make in made:
        with pytest.raises(
            InputError, match=r"whose last axis appears to be the channel axis; move them by .*movedim"
        ):
            make(last)
        assert make(torch.as_tensor(last).movedim(-1, 1)).header({}).attrs["geometry"]["shape"] == [12, 14]


def test_read_only_arrays_are_read():
    labels = np.arange(N) % 3
    labels.flags.writeable = False
    assert views.choose(TABLE, labels).target.values.shape == (N, 3)


class Language(nn.Module):
    """Tokens (N, T) by name to logits (N, T, K)."""

    def __init__(self, count):
        super().__init__()
        self.table, self.last = nn.Embedding(count, 4), First(4, count)

    def forward(self, ids):
        return {"logits": self.last(self.table(ids))}


def test_as_many_moments_as_classes_are_told_apart_by_a_network_over_tokens():
    ids, labels, network = whole(12, N, 12), whole(12, N, 12, seed=1), Language(12)
    record = watched({"ids": ids}, labels, network, features=draw(N, 3))[0][0]
    assert record.attrs["geometry"]["moments"] == 12
    wrong = network(ids)["logits"].detach().softmax(-1) - nn.functional.one_hot(labels, 12)
    assert float(record.train_error[0]) == pytest.approx(float(wrong.square().mean()), rel=1e-4)


ONE_CHANNEL = {
    "squeezed": lambda: nn.Sequential(First(4, 1), nn.Flatten(1)),
    "one channel last": lambda: First(4, 1),
}


@pytest.mark.parametrize("make", ONE_CHANNEL.values(), ids=ONE_CHANNEL)
def test_sequences_without_channels_are_no_table(make):
    x, y, network = draw(N, 20, 4), draw(N, 20), make()
    record = watched(x, y, network)[0][0]
    assert record.attrs["geometry"]["moments"] == 20
    assert "read as sequences without channels" in record.attrs["notes"][0]
    wrong = (network(x).detach().reshape(N, 20) - y).square().mean()
    assert float(record.train_error[0]) == pytest.approx(float(wrong), rel=1e-4)
    assert watched(x, y[..., None], First(4, 1))[0][0].attrs["geometry"]["moments"] == 20


def test_a_table_of_several_outputs_stays_a_table():
    record = watched(TABLE, draw(N, 5), linear(5))[0][0]
    assert (record.attrs["kind"], record.sizes["channel"]) == ("cloud", 5)
    record = watched(draw(N, 20, 4), draw(N, 6), nn.Sequential(nn.Flatten(), nn.Linear(80, 6)))[0][0]
    assert (record.attrs["kind"], record.sizes["channel"]) == ("cloud", 6)


SHAPES = [(N,), (N, 1), (N, 3), (N, 4, 6), (N, 6, 4), (N, 1, 5), (N, 5, 1), (N, 3, 4, 4), (N, 4, 4, 1)]


@st.composite
def members(pick):
    """Inputs, targets and a network that may or may not fit each other, and options."""
    shape, seed = pick(st.sampled_from(SHAPES)), pick(st.integers(0, 99))
    low, span = pick(st.sampled_from([(0, 1), (0, 2), (0, 4), (1, 3), (-1, 4), (1000, 2), (0, 10**6)]))
    made = {
        "whole": lambda: whole(low + span, *shape, low=low, seed=seed),
        "bool": lambda: whole(2, *shape, seed=seed).bool(),
        "real": lambda: draw(*shape, seed=seed) * pick(st.sampled_from([1, 1e-30, 1e30])),
        "soft": lambda: torch.softmax(draw(*shape, seed=seed), -1),
    }
    y = made[pick(st.sampled_from(sorted(made)))]()
    own = tuple(y.shape[1:])
    size = int(np.prod(own))
    networks = {
        "one": lambda: (TABLE, linear(1)),
        "three": lambda: (TABLE, linear(3)),
        "targets' shape": lambda: (TABLE, nn.Sequential(linear(size), nn.Unflatten(1, own or (1,)))),
        "classes": lambda: (TABLE, nn.Sequential(linear(3 * size), nn.Unflatten(1, (*own, 3)))),
        "itself": lambda: (draw(*y.shape, seed=seed + 1) if own else TABLE, nn.Identity()),
        "convolution": lambda: (draw(N, 4, 6), nn.Conv1d(4, 4, 3, padding=1)),
    }
    options = {
        "classes": pick(st.sampled_from([None, None, 2, 3, 50])),
        "channel_axis": pick(st.sampled_from([None, None, 1, 2, -1])),
    }
    return *networks[pick(st.sampled_from(sorted(networks)))](), y, options


@settings(max_examples=60, deadline=None, derandomize=True)
@given(members())
def test_whatever_meets_is_measured_with_power_that_closes_or_refused_in_a_sentence(member):
    x, network, y, options = member
    found, _ = watched(x, y, network, **options)
    if isinstance(found, InputError):
        assert str(found).endswith(".")
    elif found[0].attrs["kind"] in ("cloud", "sequences"):
        closed = float(found[0].residual_power[0].sum("band").mean())
        assert float(found[0].train_error[0]) == pytest.approx(closed, rel=1e-5)
