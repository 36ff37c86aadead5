"""Networks of all shapes: dicts, tuples, compiled, mixed precision, accumulated gradients, wrapped."""

import numpy as np
import pytest
import torch
from torch import nn

from overtone.errors import InputError
from overtone.probes import EveryN, Probe, views
from overtone.probes._evaluator import Evaluator
from overtone.probes._inputs import TensorInputs


def data(samples=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, 6, generator=generator)
    return x, x[:, :1].sin()


def body(seed=0, out=1):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, out))


class Named(nn.Module):
    """Takes its inputs by name and answers with several tensors, one of them named logits."""

    def __init__(self):
        super().__init__()
        self.body = body()

    def forward(self, left, right):
        return {"logits": self.body(torch.cat([left, right], 1)), "hidden": left}


class Single(nn.Module):
    """Takes one dict and answers with a tuple."""

    def __init__(self):
        super().__init__()
        self.body = body()

    def forward(self, batch):
        return batch["left"], self.body(torch.cat([batch["left"], batch["right"]], 1))


def test_dicts_tuples_and_selected_outputs_give_one_record(tmp_path):
    x, y = data()
    parts = {"left": x[:, :2], "right": x[:, 2:]}
    plain = body()
    probes = [
        Probe(views.graph(x, y), plain, tmp_path / "a"),
        Probe(views.graph(parts, y, features=x), Named(), tmp_path / "b"),
        Probe(views.graph(parts, y, features=x), Single(), tmp_path / "c", outputs=lambda answer: answer[1]),
        Probe(
            views.graph((x[:, :2], x[:, 2:]), y, features=x),
            plain,
            tmp_path / "d",
            forward=lambda two: plain(torch.cat(two, 1)),
        ),
    ]
    for probe in probes:
        with probe:
            probe(0)
    for probe in probes[1:]:
        np.testing.assert_array_equal(probe.record.residual_power, probes[0].record.residual_power)


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (Single(), "network to return one tensor of shape .2, channels., got tuple; pass forward=.*outputs="),
        (body(out=3), r"outputs of shape \(samples, 1\), like the targets, got \(samples, 3\)"),
        (nn.Flatten(0), "got shape"),
    ],
)
def test_outputs_that_do_not_fit_are_refused_at_once(network, text, tmp_path):
    x, y = data()
    inputs = {"left": x[:, :2], "right": x[:, 2:]} if isinstance(network, Single) else x
    with pytest.raises(InputError, match=text):
        Probe(views.graph(inputs, y, features=x), network, tmp_path)


def train(network, steps, watch=None, *, accumulate=1, autocast=False):
    x, y = data()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    for batch in range(steps * accumulate):
        if watch is not None:
            watch(batch // accumulate)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            loss = (network(x) - y).square().mean()
        loss.backward()
        if (batch + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()
    return [p.detach().clone() for p in network.parameters()]


@pytest.mark.parametrize("options", [{"accumulate": 3}, {"autocast": True}], ids=str)
def test_accumulated_and_mixed_precision_runs_are_the_same_with_a_probe(options, tmp_path):
    x, y = data()
    alone = train(body(), 6, **options)
    network = body()
    with Probe(views.graph(x, y), network, tmp_path, schedule=EveryN(2)) as probe:
        watched = train(network, 6, probe, **options)
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))
    assert list(probe.record.step) == [0, 2, 4]


def test_a_compiled_network_is_not_compiled_again_for_a_probe(tmp_path):
    compiled = []

    def count(graph, example_inputs):
        compiled.append(len(example_inputs))
        return graph.forward

    x, y = data()
    network = torch.compile(body(), backend=count)
    with Probe(views.graph(x, y), network, tmp_path / "a", schedule=EveryN()) as probe:
        train(network, 3, probe)
    assert len(compiled) == 1
    with Probe(
        views.graph(x, y), network, tmp_path / "b", schedule=EveryN(), forward=lambda given: network(given)
    ) as through:
        train(network, 2, through)
    assert len(compiled) == 1
    with torch.no_grad():
        network.eval()(x[:7])
    assert len(compiled) > 1


def test_parameters_that_move_are_followed(tmp_path):
    """Precision stands for the device: both are asked of the parameters anew at every row."""
    x, y = data()
    network = body()
    with Probe(views.graph(x, y), network, tmp_path) as probe:
        probe(0)
        network.double()
        probe(1)
        network.to("meta")
        with pytest.warns(UserWarning, match="could not measure or record step 2"):
            probe(2)
    record = probe.record
    np.testing.assert_allclose(record.residual_power[1], record.residual_power[0], rtol=1e-4, atol=1e-9)
    assert np.isnan(record.residual_power[2]).all()


def test_several_estimators_in_one_probe(tmp_path):
    x, y = data()
    watched = [views.graph(x, y), views.filters(x, y, widths=[1.0]), views.directions(x, y, name="first")]
    with Probe(watched, body(), tmp_path) as probe:
        probe(0, loss=0.5)
    assert sorted(file.name for file in tmp_path.glob("*.sqlite")) == [
        "filters.sqlite",
        "first.sqlite",
        "record.sqlite",
    ]
    assert list(probe.records) == ["graph", "filters", "first"]
    assert all(float(record.loss[0]) == 0.5 for record in probe.records.values())
    assert probe.record.equals(probe.records["graph"])


def test_views_of_the_same_inputs_share_one_evaluation(tmp_path):
    x, y = data()
    asked = []
    network = body()

    def forward(given):
        asked.append(len(given))
        return network(given)

    watched = [views.graph(x, y), views.filters(x[:], y, widths=[1.0]), views.directions(x[1:], y[1:])]
    with Probe(watched, network, tmp_path, forward=forward) as probe:
        asked.clear()
        probe(0)
    assert asked == [40, 39]


def test_views_of_one_name_and_a_signals_methods_with_views(tmp_path):
    x, y = data()
    with pytest.raises(InputError, match=r"views with distinct names .* got 'graph', 'graph'; pass name="):
        Probe([views.graph(x, y), views.graph(x, y)], body(), tmp_path)
    with pytest.raises(InputError, match="expected a probe of a signal on a grid, got graph"):
        Probe(views.graph(x, y), body(), tmp_path).final_errors()
    with pytest.raises(InputError, match=r"got Tensor; make views .* or use Probe.of"):
        Probe([x], body(), tmp_path)


def test_a_resumed_probe_goes_on_with_every_record(tmp_path):
    x, y = data()

    watched = [views.graph(x, y), views.filters(x, y, widths=[1.0])]
    with Probe(watched, body(), tmp_path, schedule=EveryN()) as probe:
        for step in range(5):
            probe(step)
    with Probe.resume(watched, body(), tmp_path, after=2, elapsed=1e6, schedule=EveryN()) as probe:
        assert probe.elapsed > 1e6
        probe(3)
        probe(7)
    assert all(list(record.step) == [0, 1, 2, 3, 7] for record in probe.records.values())


class Wide(nn.Module):
    """Pictures whose activations are far larger than any parameter."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)

    def forward(self, x):
        return self.conv(x).mean((2, 3))


def noting(network):
    """A function that calls the network, and the list of how many samples it is asked for."""
    asked = []

    def forward(x):
        asked.append(len(x))
        return network(x)

    return forward, asked


def test_chunks_keep_to_the_memory_of_the_activations():
    """16 channels of 32 x 32 numbers are 64 KiB a sample; four such fit 8 MiB 32 times."""
    samples = TensorInputs(torch.randn(100, 1, 32, 32, generator=torch.Generator().manual_seed(0)))
    network, outputs, largest = Wide(), [], []
    for memory in (8 / 1024, 1.0):
        forward, asked = noting(network)
        evaluate = Evaluator(network, forward=forward, memory=memory)
        evaluate.trial(samples)
        outputs.append(evaluate(samples))
        largest.append(max(asked))
    assert largest == [32, 100]
    torch.testing.assert_close(outputs[0], outputs[1])


class Cramped(nn.Module):
    """Runs out of memory for more than five samples."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 1)

    def forward(self, x):
        if len(x) > 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.linear(x)


def test_out_of_memory_makes_chunks_smaller():
    network, (x, _) = Cramped(), data()
    forward, asked = noting(network)
    evaluate = Evaluator(network, forward=forward)
    torch.testing.assert_close(evaluate(TensorInputs(x)), network.linear(x).detach())
    first = len(asked)
    evaluate(TensorInputs(x))
    assert max(asked[first:]) <= 5
