"""Chosen bandwidths in the libraries themselves, against their examples: `python -m benchmarks libraries`."""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path

import torch

from benchmarks.equations import DESIGN, error, mean
from overtone import operators

STEPS, SEEDS, WIDTH, FEATURES = 1000, (0, 1), 64, 64
CACHE = Path(__file__).parents[1] / "build" / "libraries.json"
"""Errors, so that an interrupted run goes on."""

EQUATIONS = ("Helmholtz, 8 wavelengths", "Poisson, two scales")


def deepxde_error(problem, sigmas, seed):
    """Train DeepXDE's FNN behind its feature transform: its multi-scale networks have no PyTorch version."""
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
    frequencies = torch.cat([torch.randn(1, FEATURES) * sigma for sigma in sigmas], dim=1)
    network = dde.nn.FNN([2 * frequencies.shape[1], *[WIDTH] * 3, 1], "tanh", "Glorot uniform")
    network.apply_feature_transform(
        lambda x: torch.cat([torch.cos(x @ frequencies), torch.sin(x @ frequencies)], 1)
    )
    model = dde.Model(data, network)
    # The optimizer of its multi-scale example.
    model.compile("adam", lr=1e-3, decay=("inverse time", 2000, 0.9), verbose=0)
    model.train(iterations=STEPS, display_every=STEPS, verbose=0)
    return error(problem, lambda x: network(x.float()))


def deepxde_settings(choice):
    return {"example": (1.0, 10.0), "chosen": choice.setting("deepxde")}


class PinaNetwork(torch.nn.Module):
    """PINA's embeddings of each sigma, joined before its network."""

    def __init__(self, sigmas):
        from pina.model import FeedForward
        from pina.model.block import FourierFeatureEmbedding

        super().__init__()
        self.embeddings = torch.nn.ModuleList(
            FourierFeatureEmbedding(1, 2 * FEATURES, float(sigma)) for sigma in sigmas
        )
        self.layers = FeedForward(2 * FEATURES * len(sigmas), 1, inner_size=WIDTH, n_layers=3)

    def forward(self, x):
        # Residuals differentiate by plain tensors: PINA's labelled ones keep an axis that is indexed.
        self.places = x.as_subclass(torch.Tensor)
        return self.layers(torch.cat([e(self.places) for e in self.embeddings], dim=1))


def pina_error(problem, sigmas, seed):
    """Train PINA's FeedForward behind its FourierFeatureEmbedding."""
    import pina
    from pina.domain import CartesianDomain
    from pina.equation import Equation
    from pina.problem import SpatialProblem
    from pina.solver import PINN

    torch.manual_seed(seed)
    network = PinaNetwork(sigmas)

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


def pina_settings(choice):
    # It draws evenly between 0 and sigma: 90 % of the frequencies lie below 0.9 sigma.
    return {"example": (1.0, 10.0), "chosen": tuple(b / 0.9 for b in choice.bandwidth)}


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


def fastlsq_error(problem, scale, seed):
    """Solve by FastLSQ, with its numbers of features and points."""
    import fastlsq

    torch.set_default_dtype(torch.float64)
    try:
        torch.manual_seed(seed)
        solution = fastlsq.solve_linear(
            FastProblem(problem), scale=float(scale[0]), return_metrics=False, verbose=False
        )
        return error(problem, solution["u_fn"])
    finally:
        torch.set_default_dtype(torch.float32)


def fastlsq_settings(choice):
    # Frequencies in radians, normally distributed, as DeepXDE's.
    return {"example": (5.0,), "chosen": choice.setting("deepxde")}


LIBRARIES = {
    "DeepXDE": ("deepxde", "deepxde", deepxde_settings, deepxde_error),
    "PINA": ("pina", "pina-mathlab", pina_settings, pina_error),
    "FastLSQ": ("fastlsq", "fastlsq", fastlsq_settings, fastlsq_error),
}
"""Module, package, settings of a choice, and the error of one setting and seed."""


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
    """Settings of the choice in every library, and the error of the kernel solution."""
    problem = DESIGN[name]()
    choice = operators.choose_bandwidth(problem, steps=STEPS, seed=seed)
    settings = {library: settings(choice) for library, (_, _, settings, _) in LIBRARIES.items()}
    return {"settings": settings, "cycles": choice.best.cycles, "kernel": error(problem, choice.kernel)}


def judge(library, name, cache):
    """One row: geometric means of the errors over the seeds."""
    *_, train = LIBRARIES[library]
    answers = [cached(cache, f"{name}|{seed}", lambda seed=seed: chosen(name, seed)) for seed in SEEDS]
    errors = {}
    for which in ("example", "chosen"):
        each = []
        for seed, answer in zip(SEEDS, answers, strict=True):
            setting = answer["settings"][library][which]
            text = " and ".join(f"{s:.3g}" for s in setting)
            key = f"{library}|{name}|{text}|{seed}"
            each.append(cached(cache, key, lambda s=setting, seed=seed: train(DESIGN[name](), s, seed)))
        errors[which] = each
    first = [answer["settings"][library] for answer in answers]
    return {
        "name": name,
        "library": library,
        "its example's sigma": " and ".join(f"{s:g}" for s in first[0]["example"]),
        "error with it": mean(errors["example"]),
        "chosen sigma": " / ".join(f"{f['chosen'][0]:.3g}" for f in first),
        "error with the choice": mean(errors["chosen"]),
        "example over choice": mean(errors["example"]) / mean(errors["chosen"]),
        "kernel's error": mean([answer["kernel"] for answer in answers]),
    }


def main():
    """Rows per library and equation; a library that is not installed has one row that says so."""
    os.environ.setdefault("DDE_BACKEND", "pytorch")
    torch.set_num_threads(1)
    cache = json.loads(CACHE.read_text()) if CACHE.exists() else {}
    rows, absent = [], []
    for library, (module, package, _, _) in LIBRARIES.items():
        if sentence := missing(module, package):
            absent.append({"name": sentence, "library": library})
            continue
        torch.set_default_dtype(torch.float32)
        part = [judge(library, name, cache) for name in EQUATIONS]
        ratio = mean([row["example over choice"] for row in part])
        rows += [*part, {"name": "**geometric mean**", "library": library, "example over choice": ratio}]
    # Columns are those of the first row.
    return rows + absent
