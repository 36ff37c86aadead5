import math
import os

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde
import numpy as np
import pina
import torch
from pina.domain import CartesianDomain
from pina.equation import Equation, FixedValue
from pina.model import FeedForward
from pina.operator import laplacian
from pina.problem import SpatialProblem
from pina.solver import PINN

import overtone as ot
from overtone.probes import EveryN
from overtone.probes.callbacks import DeepXDEProbe, PINAProbe

WAVES = 2.2


def residual(x, u):
    (du,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (d2u,) = torch.autograd.grad(du.sum(), x, create_graph=True)
    return d2u / (2 * math.pi * WAVES) ** 2 + u


def test_deepxde(tmp_path):
    def pde(x, y):
        return deepxde.grad.hessian(y, x) / (2 * np.pi * WAVES) ** 2 + y

    line = deepxde.geometry.Interval(0, 1)
    ends = deepxde.icbc.DirichletBC(line, lambda x: np.cos(2 * np.pi * WAVES * x), lambda _, on: on)
    net = deepxde.nn.FNN([1, 32, 32, 1], "tanh", "Glorot normal")
    model = deepxde.Model(deepxde.data.PDE(line, pde, ends, 60, 2), net)
    model.compile("adam", lr=1e-3)
    problem = ot.operators.equation(
        {"equation": (pde, 60), "ends": (lambda x, u: u - torch.cos(2 * np.pi * WAVES * x), [[0.0], [1.0]])},
        [(0, 1)],
    )
    assert 0.5 <= ot.operators.choose_bandwidth(problem, steps=50).sigma[0] <= 8
    callback = DeepXDEProbe(problem, tmp_path / "run", schedule=EveryN(10))
    model.train(iterations=40, display_every=10, callbacks=[callback])
    record = callback.probe.record
    assert record.step.values.tolist() == [0, 10, 20, 30, 40]
    # Our residuals are DeepXDE's, at other points.
    losses = model.train_state.loss_train
    assert float(record.train_error[-1]) < 3 * losses[0]
    assert float(record.loss[-1]) == float(sum(losses))
    assert callback.probe.faults == []


def test_pina(tmp_path):
    def equation(input_, output_):
        waves = laplacian(output_, input_, components=["u"], d=["x"]) / (2 * torch.pi * WAVES) ** 2
        return waves + output_.extract(["u"])

    boxes = {"inside": CartesianDomain({"x": [0.0, 1.0]}), "start": CartesianDomain({"x": [0.0, 1e-6]})}
    terms = {
        "inside": pina.Condition(domain="inside", equation=Equation(equation)),
        "start": pina.Condition(domain="start", equation=FixedValue(1.0)),
    }
    names = ["u"]

    class Wave(SpatialProblem):
        output_variables = names
        spatial_domain = boxes["inside"]
        domains = boxes
        conditions = terms

    wave = Wave()
    wave.discretise_domain(40, "random", domains="inside")
    wave.discretise_domain(1, "random", domains="start")
    solver = PINN(wave, FeedForward(1, 1, inner_size=16, n_layers=2))
    problem = ot.operators.equation(
        {"equation": (residual, 40), "start": (lambda x, u: u - 1, [[0.0]])}, [(0, 1)]
    )
    callback = PINAProbe(problem, tmp_path / "run", schedule=EveryN(10))
    quiet = dict.fromkeys(
        ("enable_model_summary", "enable_progress_bar", "logger", "enable_checkpointing"), False
    )
    pina.Trainer(solver, max_epochs=30, accelerator="cpu", callbacks=[callback], **quiet).train()
    record = callback.probe.record
    assert record.step.values.tolist() == [0, 10, 20, 30]
    assert np.isfinite(record.residual_power.values).all()
    assert np.isfinite(record.loss.values[1:]).all()
    assert callback.probe.faults == []
