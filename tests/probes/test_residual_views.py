import importlib
import math
import sys

import numpy as np
import pytest
import torch
from torch import nn

import overtone as ot
from overtone.errors import InputError
from overtone.probes import EveryN, views
from overtone.probes.callbacks import DeepXDEProbe
from overtone.probes.views._residuals import term_residuals
from tests.probes import standins

WAVES = 3.2


def residual(x, u):
    (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (d2u,) = torch.autograd.grad(du.sum(), x, create_graph=True)
    return d2u / (2 * math.pi * WAVES) ** 2 + u


def ends(x, u):
    return u - torch.cos(2 * math.pi * WAVES * x)


def equation(reference=False, points=60):
    problem = ot.operators.equation(
        {"equation": (residual, points), "ends": (ends, [[0.0], [1.0]])}, [(0, 1)]
    )
    if not reference:
        return problem
    from dataclasses import replace

    return replace(problem, reference=lambda x: torch.cos(2 * math.pi * WAVES * x))


def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))


def float_loss(net):
    x = torch.linspace(0, 1, 20)[:, None].requires_grad_()
    return residual(x, net(x)).square().mean()


def test_each_term_has_a_record_and_the_solution_where_it_is_known():
    net = network()
    with ot.Probe(views.residuals(equation(True), net), net, schedule=EveryN()) as probe:
        probe(0)
    assert list(probe.records) == ["residuals", "ends", "solution"]
    assert probe.records["ends"].sizes["band"] == 1
    first = probe.records["residuals"]
    assert first.attrs["frequency_unit"] == "cycles per unit"
    # The mean square of residuals at the term's own points.
    known = term_residuals(equation(True), equation(True).terms[0], lambda x: net(x.float()))
    assert float(first.train_error[0]) == pytest.approx(float(known.square().mean()), rel=1e-4)
    x = probe.records["solution"]
    truth = torch.cos(2 * math.pi * WAVES * (torch.arange(256) + 0.5) / 256)
    assert float(x.target_power.sum()) == pytest.approx(float(truth.square().mean()), rel=1e-4)


def test_a_residual_of_one_frequency_lies_in_its_band():
    def sine(x, u):
        return u - torch.sin(2 * math.pi * 5 * x)

    problem = ot.operators.equation({"fit": (sine, 80)}, [(0, 1)])
    net = nn.Sequential(nn.Linear(1, 1)).requires_grad_(False)
    net[0].weight.zero_()
    net[0].bias.zero_()
    (view,) = views.residuals(problem, net)
    with ot.Probe(view, net) as probe:
        probe(0)
    power = probe.record.residual_power.values[0, :, 0]
    low, high = probe.record.band_low.values, probe.record.band_high.values
    inside = (low <= 5.5) & (high >= 4.5)
    assert power[inside].sum() > 0.8 * power.sum()
    assert power.sum() == pytest.approx(0.5, rel=0.1)


def test_the_exact_solution_leaves_nothing():
    class Exact(nn.Module):
        def __init__(self):
            super().__init__()
            self.size = nn.Parameter(torch.ones((), dtype=torch.float64))

        def forward(self, x):
            return self.size * torch.cos(2 * math.pi * WAVES * x)

    net = network()
    exact = Exact()
    with ot.Probe(views.residuals(equation(True), net), exact) as probe:
        probe(0)
    for record in probe.records.values():
        assert float(record.residual_power.sum()) < 1e-9
        assert bool((record.target_power > 0).all())


def test_a_loop_is_left_as_it_was():
    def train(watched):
        net = network().double()
        problem = equation()
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        probe = ot.Probe(views.residuals(problem, net), net) if watched else None
        for step in range(4):
            if probe is not None:
                probe(step)
            optimizer.zero_grad()
            problem.loss(net).backward()
            optimizer.step()
        return [p.detach().clone() for p in net.parameters()]

    assert all(torch.equal(a, b) for a, b in zip(train(True), train(False), strict=True))


def test_an_equation_needs_the_network():
    with pytest.raises(InputError, match=r"views\.residuals\(problem, network\)"):
        views.residuals(equation())


def test_deepxde_is_watched_through_its_hooks(tmp_path):
    callback = DeepXDEProbe(equation(), tmp_path / "run", schedule=EveryN(2))
    model = standins.DeepXDEModel(network(), float_loss)
    model.train(5, [callback])
    record = callback.probe.record
    assert record.step.values.tolist() == [0, 2, 4, 5]
    assert np.isnan(record.loss.values[0])
    assert np.isfinite(record.loss.values[1:]).all()
    assert record.learning_rate.values[-1] == pytest.approx(1e-3)
    # A second call of train continues the record.
    model.train(3, [callback])
    assert callback.probe.record.step.values.tolist() == [0, 2, 4, 6, 8]


def test_pina_gets_tensors_with_labels(tmp_path, monkeypatch):
    standins.install(monkeypatch, "lightning.pytorch", Callback=standins.LightningCallback)
    standins.install(monkeypatch, "pina", LabelTensor=standins.LabelTensor)
    monkeypatch.delitem(sys.modules, "overtone.probes.callbacks._pina", raising=False)
    probe_class = importlib.import_module("overtone.probes.callbacks._pina").PINAProbe
    monkeypatch.delitem(sys.modules, "overtone.probes.callbacks._pina")

    class Solver(nn.Module):
        """A solver: its model takes tensors with labels alone."""

        def __init__(self):
            super().__init__()
            self.model, self.problem = Labelled(), standins.Names(input_variables=["x"])

    class Labelled(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            assert x.labels == ["x"]
            return self.net(x.as_subclass(torch.Tensor))

    solver = Solver()
    callback = probe_class(equation(), tmp_path / "run", schedule=EveryN())
    trainer = standins.LightningTrainer(callback)
    trainer.fit(solver, torch.optim.SGD(solver.parameters(), 1e-3), lambda s: float_loss(s.model.net), 3)
    record = callback.probe.record
    assert record.step.values.tolist() == [0, 1, 2, 3]
    assert np.isfinite(record.residual_power.values).all()
    assert callback.probe.faults == []
