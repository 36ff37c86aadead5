"""Chosen bandwidths in the libraries themselves, against their examples: `python -m benchmarks libraries`."""

from __future__ import annotations

import importlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.equations import DESIGN, SECOND_SEALED, error, mean
from overtone import operators, units

TAU = 2 * math.pi
STEPS, SEEDS, WIDTH, FEATURES = 1000, (0, 1), 64, 64
CACHE = Path(__file__).parents[1] / "build" / "libraries.json"
"""Errors, so that an interrupted run goes on."""

EQUATIONS = {
    name: {**DESIGN, **SECOND_SEALED}[name]
    for name in (
        "Helmholtz, 8 wavelengths",
        "Poisson, two scales",
        "oscillator on [0, 50]",
        "advection-diffusion",
        "oscillator on [0, 25]",
        "Poisson, three scales",
    )
}
LEARNING_RATE = 1e-3
"""Adam's in both libraries."""


@dataclass(frozen=True)
class Setting:
    """Fourier features of a network.

    Attributes:
        sigmas: In the library's own parameter.
        features: Frequencies of each sigma.
        shared: Whether features of each sigma pass the hidden layers by themselves and meet before the output, as in
            DeepXDE's MsFFN and PINA's tutorial; else they are joined before the first layer.
    """

    sigmas: tuple[float, ...]
    features: int = FEATURES
    shared: bool = False

    @property
    def key(self):
        return f"{' and '.join(f'{s:.3g}' for s in self.sigmas)}|{self.features}{'s' if self.shared else ''}"


def parts(encodings, hidden, shared):
    """Last hidden layer of the features of several sigmas."""
    if shared:
        return torch.cat([hidden(e) for e in encodings], dim=1)
    return hidden(torch.cat(encodings, dim=1))


def deepxde_network(setting):
    """DeepXDE's FNN behind Fourier features: its multi-scale networks have no PyTorch version."""
    import deepxde as dde

    copies = len(setting.sigmas) if setting.shared else 1

    class Network(dde.nn.NN):
        def __init__(self):
            super().__init__()
            self.frequencies = [torch.randn(1, setting.features) * sigma for sigma in setting.sigmas]
            inputs = 2 * setting.features * (len(setting.sigmas) // copies)
            self.hidden = dde.nn.FNN([inputs, *[WIDTH] * 3], "tanh", "Glorot uniform")
            self.last = dde.nn.FNN([WIDTH * copies, 1], "tanh", "Glorot uniform")

        def forward(self, x):
            # The short race of a choice passes coordinates in float64.
            x = x.to(self.last.linears[0].weight.dtype)
            phases = [x @ b.to(x.dtype) for b in self.frequencies]
            encodings = [torch.cat([torch.cos(p), torch.sin(p)], 1) for p in phases]
            return self.last(parts(encodings, lambda e: torch.tanh(self.hidden(e)), setting.shared))

    return Network()


def deepxde_error(problem, setting, seed):
    """Train in DeepXDE."""
    import deepxde as dde

    dde.config.set_default_float("float32")
    dde.config.set_random_seed(seed)
    equation, *rest = problem.terms
    (start,), (extent,) = problem.geometry.origin, problem.geometry.extent
    line = dde.geometry.Interval(start, start + extent)
    conditions = [
        dde.icbc.PointSetOperatorBC(
            term.points.numpy(), 0.0, lambda x, u, _, term=term: term.operator(x, u).reshape(-1, 1)
        )
        for term in rest
    ]
    data = dde.data.PDE(
        line, lambda x, u: equation.operator(x, u).reshape(-1, 1), conditions, len(equation.points)
    )
    network = deepxde_network(setting)
    model = dde.Model(data, network)
    # The optimizer of its multi-scale example.
    model.compile("adam", lr=1e-3, decay=("inverse time", 2000, 0.9), verbose=0)
    model.train(iterations=STEPS, display_every=STEPS, verbose=0)
    return error(problem, lambda x: network(x.float()))


def pina_network(setting):
    """PINA's FeedForward behind its FourierFeatureEmbedding of each sigma."""
    from pina.model import FeedForward
    from pina.model.block import FourierFeatureEmbedding

    copies = len(setting.sigmas) if setting.shared else 1

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embeddings = torch.nn.ModuleList(
                FourierFeatureEmbedding(1, 2 * setting.features, float(sigma)) for sigma in setting.sigmas
            )
            inputs = 2 * setting.features * (len(setting.sigmas) // copies)
            self.hidden = FeedForward(inputs, WIDTH, inner_size=WIDTH, n_layers=2)
            self.last = torch.nn.Linear(WIDTH * copies, 1)

        def forward(self, x):
            # Residuals differentiate by plain tensors: PINA's labelled ones keep an axis that is indexed.
            self.places = x.as_subclass(torch.Tensor)
            encodings = [e(self.places.to(self.last.weight.dtype)) for e in self.embeddings]
            return self.last(parts(encodings, lambda e: torch.tanh(self.hidden(e)), setting.shared))

    return Network()


def pina_error(problem, setting, seed):
    """Train in PINA."""
    import pina
    from pina.domain import CartesianDomain
    from pina.equation import Equation
    from pina.problem import SpatialProblem
    from pina.solver import PINN

    torch.manual_seed(seed)
    network = pina_network(setting)

    def residual(term):
        return Equation(
            lambda _, u: term.operator(network.places, u.as_subclass(torch.Tensor)).reshape(-1, 1)
        )

    terms = {
        term.name: pina.Condition(input=pina.LabelTensor(term.points.float(), ["x"]), equation=residual(term))
        for term in problem.terms
    }
    (start,), (extent,) = problem.geometry.origin, problem.geometry.extent

    names = ["u"]

    class Line(SpatialProblem):
        output_variables = names
        spatial_domain = CartesianDomain({"x": [start, start + extent]})
        conditions = terms

    off = ("enable_model_summary", "enable_progress_bar", "logger", "enable_checkpointing")
    trainer = pina.Trainer(
        PINN(Line(), network), max_epochs=STEPS, accelerator="cpu", **dict.fromkeys(off, False)
    )
    trainer.train()
    network.eval()
    return error(problem, lambda x: network(x.float()))


class FastProblem:
    """A linear equation in FastLSQ's form, of random sines and their closed derivatives."""

    dim = 1

    def __init__(self, problem):
        self.problem = problem

    def get_train_data(self, n_pde, n_bc):  # noqa: ARG002
        (start,), (extent,) = self.problem.geometry.origin, self.problem.geometry.extent
        inside = start + extent * torch.rand(n_pde, 1)
        return inside, [term.points for term in self.problem.terms[1:]], None

    def build(self, solver, inside, places, _):
        blocks = [
            self.rows(solver.basis, term, x, 1.0 if i == 0 else 100.0)
            for i, (term, x) in enumerate(zip(self.problem.terms, [inside, *places], strict=True))
        ]
        return tuple(torch.cat(part) for part in zip(*blocks, strict=True))

    def rows(self, basis, term, x, weight):
        """Matrix and right-hand side of one term; its coefficients are read off residuals of 0, 1, x and x^2 / 2."""
        x = x.clone().requires_grad_(True)

        def residual(u):
            return term.operator(x, u + 0 * torch.sin(x)).detach().reshape(-1, 1)

        zero = residual(0 * x)
        place = x.detach()
        level = residual(0 * x + 1) - zero
        slope = residual(1 * x) - zero - level * place
        bend = residual(x**2 / 2) - zero - level * place**2 / 2 - slope * place
        matrix = level * basis.evaluate(place) + bend * basis.laplacian(place)
        matrix = matrix + slope * basis.gradient(place)[:, 0]
        return weight * matrix, -weight * zero


def fastlsq_network(setting):
    """The features of FastLSQ, sines of random phases, in an ordinary network without hidden layers."""
    (sigma,) = setting.sigmas
    network = torch.nn.Sequential(torch.nn.Linear(1, 1500), Sines(), torch.nn.Linear(1500, 1)).double()
    with torch.no_grad():
        network[0].weight.normal_(0, sigma)
        network[0].bias.uniform_(-sigma, sigma)
    return network


class Sines(torch.nn.Module):
    """sin."""

    def forward(self, x):
        return torch.sin(x)


def fastlsq_error(problem, setting, seed):
    """Solve by FastLSQ, with its numbers of features and points."""
    import fastlsq

    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(seed)
        solution = fastlsq.solve_linear(
            FastProblem(problem), scale=float(setting.sigmas[0]), return_metrics=False, verbose=False
        )
        return error(problem, solution["u_fn"])
    finally:
        torch.set_default_dtype(torch.float32)


@dataclass(frozen=True)
class Library:
    """How a library is run.

    Attributes:
        module: What is imported.
        package: What is installed.
        example: The sigmas of its example, and the network that it has.
        sigma: From a bandwidth in cycles per unit to the library's own parameter.
        network: From a setting to an untrained network.
        error: Of a problem, a setting and a seed.
    """

    module: str
    package: str
    example: Setting
    sigma: Callable
    network: Callable
    error: Callable


def radians(bandwidth):
    """Standard deviation of normally distributed frequencies in radians."""
    return TAU * units.gaussian_sigma(bandwidth)


def highest(bandwidth):
    """The end of an even draw that reaches as high as a normal one of as many frequencies, in cycles."""
    return units.gaussian_highest(units.gaussian_sigma(bandwidth), FEATURES)


MULTI_SCALE = Setting((1.0, 10.0), shared=True)
LIBRARIES = {
    "DeepXDE": Library("deepxde", "deepxde", MULTI_SCALE, radians, deepxde_network, deepxde_error),
    "PINA": Library("pina", "pina-mathlab", MULTI_SCALE, highest, pina_network, pina_error),
    "FastLSQ": Library("fastlsq", "fastlsq", Setting((5.0,)), radians, fastlsq_network, fastlsq_error),
}


def cached(cache, key, compute):
    if key not in cache:
        begin = time.process_time()
        value = compute()
        print(f"{key}: {value} ({time.process_time() - begin:.0f} s)", flush=True)
        cache[key] = value
        CACHE.parent.mkdir(exist_ok=True)
        CACHE.write_text(json.dumps(cache))
    return cache[key]


def missing(module, package):
    """A sentence that says what to install, empty where the library is there."""
    try:
        importlib.import_module(module)
    except ImportError as fault:
        return f"Not run, because {fault.name} is missing: install the package {package} with what it needs."
    return ""


def chosen(name, seed):
    """Bandwidth of the choice on overtone's network, and the error of the kernel solution."""
    problem = EQUATIONS[name]()
    choice = operators.choose_bandwidth(problem, steps=STEPS, seed=seed)
    return {"bandwidth": choice.bandwidth[0], "kernel": error(problem, choice.kernel)}


def chosen_in(library, name, seed):
    """Bandwidth of the choice on the library's own network."""
    one = LIBRARIES[library]

    def network(bandwidth, draw):
        torch.manual_seed(draw)
        return one.network(Setting((one.sigma(bandwidth[0]),)))

    choice = operators.choose_bandwidth(
        EQUATIONS[name](), network, steps=STEPS, seed=seed, learning_rate=LEARNING_RATE
    )
    return choice.bandwidth[0]


def judge(library, name, cache):
    """One row: geometric means of the errors over the seeds."""
    one = LIBRARIES[library]
    answers = [cached(cache, f"{name}|{seed}", lambda seed=seed: chosen(name, seed)) for seed in SEEDS]
    converted = [one.sigma(answer["bandwidth"]) for answer in answers]
    direct = [
        one.sigma(
            cached(cache, f"{library}|{name}|own|{seed}", lambda seed=seed: chosen_in(library, name, seed))
        )
        for seed in SEEDS
    ]

    def errors(settings):
        return mean(
            [
                cached(
                    cache,
                    f"{library}|{name}|{setting.key}|{seed}",
                    lambda s=setting, seed=seed: one.error(EQUATIONS[name](), s, seed),
                )
                for seed, setting in zip(SEEDS, settings, strict=True)
            ]
        )

    several = len(one.example.sigmas)
    fewer = Setting(one.example.sigmas, FEATURES // several)
    return {
        "name": name,
        "library": library,
        "example's sigmas": " and ".join(f"{s:g}" for s in one.example.sigmas),
        "its error": errors([one.example] * len(SEEDS)),
        f"with {FEATURES} features": errors([fewer] * len(SEEDS)) if several > 1 else "",
        "chosen sigma": " / ".join(f"{s:.3g}" for s in converted),
        "error of the choice": errors([Setting((s,)) for s in converted]),
        "chosen on its own network": " / ".join(f"{s:.3g}" for s in direct),
        "error of that": errors([Setting((s,)) for s in direct]),
        "kernel's error": mean([answer["kernel"] for answer in answers]),
    }


def main():
    """Rows per library and equation; a library that is not installed has one row that says so."""
    os.environ.setdefault("DDE_BACKEND", "pytorch")
    torch.set_num_threads(1)
    cache = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    rows, absent = [], []
    for library, one in LIBRARIES.items():
        if sentence := missing(one.module, one.package):
            absent.append({"name": sentence, "library": library})
            continue
        torch.set_default_dtype(torch.float32)
        rows += [judge(library, name, cache) for name in EQUATIONS]
    # Columns are those of the first row.
    return rows + absent
