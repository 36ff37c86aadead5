"""What a network gets is what it was handed over, and what it answers is never cut down in silence."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from overtone import Observer, Probe, signals
from overtone.errors import InputError
from overtone.probes import ProbeWarning, views
from overtone.probes._evaluator import Evaluator
from overtone.probes._inputs import TensorInputs, crowding
from overtone.reports._settings import training_notes
from overtone.spectra import GridTransform
from overtone.spectra.paths import Paths

ROWS, COLUMNS = np.mgrid[0:12, 0:16]
PICTURE = signals.array(np.sin(np.pi * ROWS / 3) + 0.5 * np.cos(np.pi * COLUMNS / 4))


def table(count=40):
    source = torch.Generator().manual_seed(0)
    x = torch.randn(count, 6, generator=source)
    return x, x[:, :1].sin()


class Does(nn.Module):
    """Applies a function to its inputs and itself."""

    def __init__(self, does, **parts):
        super().__init__()
        self.does = does
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.does(x, self)


def seen(network, samples, **options):
    """The precisions of what reaches the network, and its outputs."""
    kinds = []

    def forward(x):
        kinds.append(x.dtype)
        return network(x)

    evaluate = Evaluator(network, forward=forward, **options)
    evaluate.trial(samples)
    kinds.clear()
    return evaluate(samples), set(kinds)


PACKED = nn.Parameter(torch.tensor([[3, -2]], dtype=torch.int8), requires_grad=False)
COUNT = nn.Parameter(torch.tensor(0), requires_grad=False)
SMALL = nn.Parameter(torch.ones(2).to(torch.float8_e4m3fn), requires_grad=False)
ANGLE = nn.Parameter(torch.ones(1, dtype=torch.complex64))


def quantised():
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 1)), dtype=torch.qint8)


FIRST = {
    "packed weights": Does(lambda x, own: x.float() @ own.weight.float().mT, weight=PACKED),
    "a counter": Does(lambda x, own: own.last(x), count=COUNT, last=nn.Linear(2, 1)),
    "float8": Does(lambda x, own: own.last(x) * own.scale.float().mean(), scale=SMALL, last=nn.Linear(2, 1)),
    "float16": Does(lambda x, own: own.last(x), table=nn.Embedding(3, 2).half(), last=nn.Linear(2, 1)),
    "complex": Does(lambda x, own: (own.last(x) * own.turn).real, turn=ANGLE, last=nn.Linear(2, 1)),
    "none": Does(lambda x, own: (3 * x).sin().sum(1, keepdim=True)),
    "double": nn.Linear(2, 1).double(),
    "half alone": nn.Linear(2, 1).half(),
    "quantised": None,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FIRST)
def test_coordinates_are_not_cast_to_the_type_of_the_first_parameter(name):
    network = FIRST[name] or quantised()
    kind = {"double": torch.float64, "half alone": torch.float16}.get(name, torch.float32)
    true = network(PICTURE.coords.to(kind)).detach().double()
    with Probe(PICTURE, network) as probe:
        probe(0)
    found = float(probe.record.residual_power.values[0].sum())
    np.testing.assert_allclose(found, float((PICTURE.values - true).square().mean()), rtol=1e-6)


@pytest.mark.parametrize(
    "kind", [torch.float64, torch.float32, torch.bfloat16, torch.int32, torch.uint8], ids=str
)
def test_data_reach_a_network_that_takes_them_as_they_are(kind):
    x = (10 * table()[0]).abs().to(kind)
    _, kinds = seen(Does(lambda given, own: own.last(given.float()), last=nn.Linear(6, 1)), TensorInputs(x))
    assert kinds == {kind}


@pytest.mark.parametrize("own", [torch.float32, torch.float64, torch.float16], ids=str)
def test_data_that_a_network_does_not_take_are_put_into_its_precision(own):
    x = table()[0].double() if own != torch.float64 else table()[0]
    network = nn.Linear(6, 1).to(own)
    found, kinds = seen(network, TensorInputs(x))
    assert kinds == {own}
    assert torch.equal(found, network(x.to(own)).detach().to(found.dtype))


def test_real_numbers_become_complex_only_where_nothing_else_is_taken():
    network = nn.Linear(6, 1, dtype=torch.complex64)
    _, kinds = seen(network, TensorInputs(table()[0]), outputs=torch.abs)
    assert kinds == {torch.complex64}


def test_a_function_before_the_network_gets_coordinates_in_full():
    kinds = []

    def forward(x):
        kinds.append(x.dtype)
        return network(x.float())

    network = nn.Linear(2, 1)
    with Probe(PICTURE, network, forward=forward) as probe:
        probe(0)
    assert set(kinds) == {torch.float64}


TURN = torch.exp(torch.tensor(0.3j))
INPUTS, TARGETS = table()
MOVING = torch.randn(6, 16, 2, generator=torch.Generator().manual_seed(1))
VIEWS = {
    "grid": (PICTURE, 2),
    "points": (views.points(INPUTS[:, :2], TARGETS), 2),
    "graph": (views.graph(INPUTS, TARGETS), 6),
    "filters": (views.filters(INPUTS, TARGETS, widths=[1.0]), 6),
    "directions": (views.directions(INPUTS, TARGETS), 6),
    "sequence": (views.sequence(MOVING, MOVING[..., :1]), 2),
    "paths": (views.paths(Paths.straight(INPUTS[:6], INPUTS[6:12])), 6),
}


@pytest.mark.parametrize("name", VIEWS)
def test_complex_outputs_are_refused_by_every_view(name):
    watched, size = VIEWS[name]
    network = Does(lambda x, own: own.last(x) * TURN, last=nn.Linear(size, 1))
    with pytest.raises(InputError, match=r"expected real outputs, .*got complex outputs .*pass outputs="):
        Probe(watched, network)
    with Probe(watched, network, outputs=lambda answer: answer.abs()) as probe:
        probe(0)
    assert np.isfinite(probe.record.residual_power.values).all()
    with Observer(views.graph(INPUTS, TARGETS)) as observer:
        with pytest.warns(
            ProbeWarning, match="expected real predictions at 40 samples, got torch.complex128"
        ):
            observer.observe(0, np.ones((40, 1)) * 1j)
        with pytest.warns(ProbeWarning) if not observer.faults else warnings.catch_warnings():
            observer.observe(1, torch.ones(40, 1) * 1j)
    assert len(observer.faults) == 2


def test_both_parts_of_complex_activations_are_read():
    layer = nn.Linear(6, 3, dtype=torch.complex64)
    network = Does(
        lambda x, own: own.last(own.layer(x.to(torch.complex64)).abs()), layer=layer, last=nn.Linear(3, 1)
    )
    graph = views.graph(INPUTS, TARGETS)
    parts = Does(lambda x, own: own.last(own.layer(x)), layer=nn.Linear(6, 6), last=nn.Linear(6, 1))
    with torch.no_grad():
        parts.layer.weight.copy_(torch.view_as_real(layer.weight).movedim(-1, 1).reshape(6, 6))
        parts.layer.bias.copy_(torch.view_as_real(layer.bias).reshape(6))
    rows = []
    for each in (network, parts):
        with Probe(views.layers(graph, ["layer"]), each) as probe:
            probe(0)
        rows.append(probe.record.residual_power.values[0])
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-3, atol=1e-4 * rows[1].max())


def late(origin=1.7e9, spacing=1.0):
    bare = signals.array(np.sin(np.arange(256) / 9), spacing=spacing, unit="s")
    return replace(bare, geometry=replace(bare.geometry, origin=(origin,)))


def test_coordinates_that_coincide_are_told_and_a_function_that_prepares_them_mends_it():
    network = nn.Linear(1, 1)
    with pytest.warns(
        ProbeWarning, match=r"float32 inputs, in which 256 coordinates along axis 0 .s. coincide in 3,"
    ):
        probe = Probe(late(), network)
    assert probe.record.attrs["crowding"]["distinct"] == 3
    assert training_notes(probe.record) == [
        "The network received float32 inputs. Rounding changed the samples: 256 different ones became 3."
    ]
    probe.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Probe(late(), network, forward=lambda t: network(((t - 1.7e9) / 256).float())).close()
        Probe(late(), network.double()).close()
        Probe(late(0.0), nn.Linear(1, 1)).close()


def test_a_network_that_casts_late_gets_what_it_can_tell_apart():
    """It takes float64, in which the coordinates stay apart, although its parameters are in float32."""
    network = Does(lambda t, own: own.last(((t - 1.7e9) / 256).float()), last=nn.Linear(1, 1))
    signal = late()
    true = network(signal.coords).detach()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe = Probe(signal, network)
    assert torch.equal(probe.predict(), true)
    probe.close()


@pytest.mark.parametrize(
    ("origin", "spacing", "kind", "apart"),
    [
        (0.0, 1.0, torch.float32, True),
        (1.7e9, 200.0, torch.float32, False),
        (1.7e9, 200.0, torch.float64, True),
        (0.0, 1.0, torch.bfloat16, True),
        (1.0, 2.0**-9, torch.bfloat16, False),
        (1e20, 1.0, torch.float64, False),
    ],
)
def test_what_rounding_does_to_coordinates(origin, spacing, kind, apart):
    """256 whole numbers have 8 digits each; seconds of today in steps of 200 are moved by up to 64."""
    assert (crowding(late(origin, spacing).geometry, kind) is None) == apart


def test_rows_of_data_that_fall_together_are_told():
    t = torch.linspace(0, 1, 50, dtype=torch.float64)[:, None] + 1e9
    with pytest.warns(ProbeWarning, match="50 rows of inputs coincide in 1,"):
        Probe(views.graph(t, t.sin(), features=t - 1e9), nn.Linear(1, 1)).close()


STRANGE = {
    "sparse": (lambda x: x.relu().to_sparse(), "pass tensor.to_dense"),
    "compressed": (lambda x: x.relu().to_sparse_csr(), "pass tensor.to_dense"),
    "quantised": (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "pass tensor.dequantize"),
    "meta": (lambda x: x.to("meta"), "no values; pass one"),
    "fake": (lambda x: FakeTensorMode().from_tensor(x), "no values; pass one"),
    "nested": (lambda x: torch.nested.nested_tensor([x[0], x[1, :3]]), "pass torch.nested.to_padded_tensor"),
    "masked": (lambda x: torch.masked.masked_tensor(x, x > 0), "without gaps"),
}

DOORS = {
    "array": lambda odd: signals.array(odd),
    "values of points": lambda odd: signals.points(np.random.default_rng(0).random((40, 2)), odd),
    "places of points": lambda odd: signals.points(odd, np.arange(40)),
    "inputs": lambda odd: views.graph(odd, TARGETS, features=INPUTS),
    "targets": lambda odd: views.graph(INPUTS, odd),
    "features": lambda odd: views.graph(INPUTS, TARGETS, features=odd),
    "spectrum": lambda odd: GridTransform((40,)).coefficients(odd),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", STRANGE)
def test_unusual_tensors_are_refused_in_a_sentence(name, door):
    make, advice = STRANGE[name]
    with pytest.raises(InputError, match=advice):
        DOORS[door](make(INPUTS))


SAME = {
    "with gradient": lambda x: x.clone().requires_grad_(),
    "parameter": nn.Parameter,
    "conjugate": lambda x: torch.complex(0 * x, -x).conj().imag,
    "strided": lambda x: torch.stack([x, x], -1)[..., 1],
    "expanded": lambda x: x[None].expand(3, -1, -1)[1],
    "half of NumPy": lambda x: x.numpy(),
    "read-only": lambda x: np.broadcast_to(x.numpy(), (2, 40, 6))[0],
    "other byte order": lambda x: x.numpy().astype(">f4"),
    "long": lambda x: x.numpy().astype(np.longdouble),
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("name", SAME)
def test_other_forms_of_the_same_numbers_give_the_same_record(name):
    network = nn.Linear(6, 1)
    with torch.no_grad():
        network.weight.fill_(0.2)
    rows = []
    for x in (INPUTS, SAME[name](INPUTS)):
        with Probe(views.graph(x, TARGETS), network) as probe:
            probe(0)
        rows.append(probe.record.residual_power.values)
    np.testing.assert_allclose(*rows, rtol=1e-5, atol=1e-6 * rows[0].max())


def test_lazy_layers_and_layers_made_by_the_first_call_are_refused_and_the_advice_works():
    class Later(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = None

        def forward(self, x):
            if self.last is None:
                self.last = nn.Linear(x.shape[1], 1)
            return self.last(x)

    for network in (nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d(), nn.LazyLinear(1)), Later()):
        torch.manual_seed(0)
        state = torch.get_rng_state()
        with pytest.raises(InputError, match="call the network once on a batch before making the probe"):
            Probe(views.graph(INPUTS, TARGETS), network)
        assert torch.equal(torch.get_rng_state(), state)
        network(INPUTS)
        Probe(views.graph(INPUTS, TARGETS), network).close()
