from __future__ import annotations

import itertools
import math
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from overtone.errors import InputError, RunError
from overtone.theory.ntk import empirical_ntk
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.kernel import EmpiricalKernel
from overtone.theory.ntk._empirical.sources import JacobianMethod
from overtone.theory.ntk._empirical.weight_sharing import GradientForm
from overtone.theory.ntk._operators.network import FactoredOperator, JacobianOperator
from tests.theory.ntk import zoo
from tests.theory.ntk.slow import contraction, error, jacobian, kernel, randomise, seeded, tolerance

LAYERS, VECTORISED, SAMPLES = JacobianMethod.LAYERS, JacobianMethod.VECTORISED, JacobianMethod.SAMPLES


def samples(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(5, 16),
        nn.ReLU(inplace=True),
        nn.Linear(16, 16),
        nn.LayerNorm(16),
        nn.Tanh(),
        nn.Linear(16, 3),
    )


def shared() -> nn.Module:
    middle = nn.Linear(5, 5)
    return nn.Sequential(middle, nn.Tanh(), middle, nn.Tanh(), nn.Linear(5, 2))


def shared_convolution() -> nn.Module:
    middle = nn.Conv2d(3, 3, 3, padding=1)
    return nn.Sequential(middle, nn.Tanh(), middle, nn.Flatten(), nn.Linear(75, 2))


def images() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding="same", dilation=2, groups=4, padding_mode="circular"),
        nn.GroupNorm(2, 8),
        nn.Tanh(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.BatchNorm1d(32),
        nn.Linear(32, 2, bias=False),
    )


def signals() -> nn.Module:
    return nn.Sequential(nn.Conv1d(2, 4, 5, 2), nn.ELU(), nn.Conv1d(4, 1, 3, padding="valid"))


def volumes() -> nn.Module:
    return nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 1))


def sequences() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten())


def subclass() -> nn.Module:
    return nn.Sequential(zoo.Doubled(5, 4), nn.Linear(4, 1))


def transposed() -> nn.Module:
    return nn.Sequential(nn.ConvTranspose1d(2, 3, 3), nn.Flatten())


def one_row() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 1), nn.Unflatten(0, (1, -1)))


def words() -> torch.Tensor:
    return torch.randint(0, 11, (7, 9), generator=seeded(3))


def text() -> nn.Module:
    return nn.Sequential(
        nn.Embedding(11, 4, padding_idx=2), nn.RMSNorm(4), nn.Linear(4, 4), nn.Flatten(), nn.Linear(36, 2)
    )


def frozen() -> nn.Module:
    network = mlp()
    network[0].weight.requires_grad_(False)
    network[2].bias.requires_grad_(False)
    network[5].requires_grad_(False)
    return network


def weight_norm() -> nn.Module:
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(5, 4))
    return nn.Sequential(normed, nn.Tanh(), nn.Linear(4, 1))


CASES = {
    "mlp": (mlp, samples(7, 5), {LAYERS}),
    "one sample": (mlp, samples(1, 5), {LAYERS}),
    "called twice": (shared, samples(7, 5), {LAYERS}),
    "convolution called twice": (shared_convolution, samples(4, 3, 5, 5), {LAYERS}),
    "images": (images, samples(6, 3, 8, 8), {LAYERS}),
    "signals": (signals, samples(6, 2, 12), {LAYERS}),
    "volumes": (volumes, samples(5, 1, 4, 4, 4), {LAYERS}),
    "sequences": (sequences, samples(6, 4, 3), {LAYERS}),
    "text": (text, words(), {LAYERS}),
    "frozen": (frozen, samples(7, 5), {LAYERS}),
    "in place": (zoo.InPlace, samples(7, 5), {LAYERS}),
    "tied": (zoo.Tied, samples(7, 5), {VECTORISED}),
    "used besides": (zoo.UsedBesides, samples(7, 5), {LAYERS, VECTORISED}),
    "weight norm": (weight_norm, samples(7, 5), {LAYERS, VECTORISED}),
    "subclass": (subclass, samples(7, 5), {LAYERS, VECTORISED}),
    "positions": (zoo.Positions, samples(7, 5), {LAYERS, VECTORISED}),
    "sequence first": (zoo.SequenceFirst, samples(7, 3), {LAYERS, VECTORISED}),
    "transposed convolution": (transposed, samples(4, 2, 5), {LAYERS}),
    "transformer": (zoo.Transformer, samples(5, 6, 8), {LAYERS, VECTORISED}),
    "rnn": (lambda: zoo.Recurrent(nn.RNN), samples(5, 6, 3), {LAYERS}),
    "lstm": (lambda: zoo.Recurrent(nn.LSTM), samples(5, 6, 3), {LAYERS}),
    "recurrent both ways": (zoo.BothWays, samples(5, 6, 3), {LAYERS}),
    "recurrent with its own matrix": (zoo.ReadsMatrix, samples(5, 6, 3), {LAYERS, SAMPLES}),
    "recurrent with projections": (zoo.Projected, samples(5, 6, 3), {LAYERS, SAMPLES}),
    "attention": (zoo.Attention, samples(4, 5, 8), {LAYERS, VECTORISED}),
    "planes upwards": (zoo.upwards, samples(3, 4, 4, 3), {LAYERS}),
    "late convolutions": (zoo.late, samples(5, 4, 4, 4), {LAYERS}),
    "gru": (lambda: zoo.Recurrent(nn.GRU), samples(5, 6, 3), {LAYERS}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_network_agrees_with_explicit_gradients(case):
    build, x, routes = CASES[case]
    network = randomise(build().double())
    j = jacobian(network, x)
    for outputs in OutputLayout:
        found = empirical_ntk(network, x, outputs=outputs)
        assert set(found.methods) == routes
        assert found.slowest_method is max(routes)
        assert found.parameters == sum(p.numel() for p in network.parameters() if p.requires_grad)
        assert found.matrix.dtype == torch.float64
        assert error(found.matrix, contraction(j, j, outputs)) < 1e-12


@pytest.mark.parametrize("case", ["mlp", "images", "text", "lstm"])
def test_single_precision(case):
    build, x, _ = CASES[case]
    network = randomise(build().float())
    x = x.float() if x.is_floating_point() else x
    found = empirical_ntk(network, x, outputs=OutputLayout.BLOCKS)
    assert found.matrix.dtype == torch.float32
    assert error(found.matrix, kernel(network, x, OutputLayout.BLOCKS)) < tolerance(torch.float32, 16, 4)


def test_half_precision_sums_in_single():
    network = randomise(mlp()).bfloat16()
    x = samples(6, 5).bfloat16()
    found = empirical_ntk(network, x)
    assert found.matrix.dtype == torch.bfloat16
    exact = kernel(network.float(), x.float())
    assert error(found.matrix.float(), exact) < tolerance(torch.bfloat16, 1, 4)


@pytest.mark.parametrize("outputs", [OutputLayout.SUM, OutputLayout.BLOCKS])
@pytest.mark.parametrize("case", ["mlp", "text", "used besides"])
def test_two_arguments_and_small_budgets(case, outputs):
    build, x, _ = CASES[case]
    network = randomise(build().double())
    j = jacobian(network, x)
    exact = contraction(j[:4], j[2:], outputs)
    assert error(empirical_ntk(network, x[:4], x[2:], outputs=outputs).matrix, exact) < 1e-12
    chunks = set()
    for memory in (3e-5, 1e-4, 1e-3):
        try:
            found = empirical_ntk(network, x[:4], x[2:], outputs=outputs, memory=memory)
            whole = empirical_ntk(network, x, outputs=outputs, memory=memory)
        except InputError:
            continue
        chunks.add(whole.chunk)
        assert error(found.matrix, exact) < 1e-12
        assert error(whole.matrix, contraction(j, j, outputs)) < 1e-12
    assert min(chunks) < len(x)


def test_a_larger_budget_takes_larger_chunks():
    network, x = randomise(mlp().double()), samples(40, 5)
    exact = kernel(network, x)
    chunks = []
    for memory in (2e-4, 3e-4, 1.0):
        found = empirical_ntk(network, x, memory=memory)
        chunks.append(found.chunk)
        assert error(found.matrix, exact) < 1e-12
        assert torch.equal(found.matrix, found.matrix.mT)
    assert chunks == sorted(chunks)
    assert chunks[0] < chunks[1] < chunks[2] == 40


def test_budgets_that_cannot_do():
    network, x = mlp(), samples(200, 5).float()
    with pytest.raises(InputError, match=r"the kernel itself.*choose_representation"):
        empirical_ntk(network, x, memory=1e-4)
    with pytest.raises(InputError, match="at least one sample"):
        empirical_ntk(network, x[:3], memory=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    kernel_size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    mode=st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
    groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(),
    memory=st.sampled_from([2.0, 2e-3]),
    form=st.sampled_from(GradientForm),
    hot=st.sampled_from([64, 1 << 19]),
)
def test_every_convolution(kernel_size, stride, dilation, padding, mode, groups, bias, memory, form, hot):
    layer = nn.Conv2d(
        4, 4, kernel_size, stride, padding, dilation=dilation, groups=groups, bias=bias, padding_mode=mode
    )
    network = randomise(nn.Sequential(layer, nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double())
    x = samples(3, 4, 6, 5)
    empirical = "overtone.theory.ntk._empirical"
    with (
        mock.patch(f"{empirical}.weight_sharing.cheapest_form", return_value=form),
        mock.patch(f"{empirical}.layer_rules.cheapest_form", return_value=form),
        mock.patch.dict(f"{empirical}.weight_sharing.CACHE_BLOCK", cpu=hot),
    ):
        found = empirical_ntk(network, x, outputs=OutputLayout.PER_OUTPUT, memory=memory)
    assert set(found.methods) == {LAYERS}
    assert error(found.matrix, kernel(network, x, OutputLayout.PER_OUTPUT)) < 1e-12


@settings(max_examples=10, deadline=None)
@given(
    widths=st.lists(st.integers(1, 12), min_size=2, max_size=5),
    n=st.integers(1, 9),
    m=st.integers(1, 9),
    seed=st.integers(0, 2**31),
)
def test_kernels_are_symmetric_positive_and_consistent(widths, n, m, seed):
    layers = [each for a, b in itertools.pairwise(widths) for each in (nn.Linear(a, b), nn.Softplus())]
    network = randomise(nn.Sequential(*layers).double(), seed)
    x1, x2 = samples(n, widths[0], seed=seed), samples(m, widths[0], seed=seed + 1)
    full = empirical_ntk(network, torch.cat([x1, x2])).matrix
    scale = float(full.diagonal().max())
    assert float(torch.linalg.eigvalsh(full)[0]) >= -1e-12 * scale
    assert torch.allclose(full, full.mT, rtol=0, atol=1e-12 * scale)
    assert torch.allclose(empirical_ntk(network, x1, x2).matrix, full[:n, n:], rtol=0, atol=1e-12 * scale)
    blocks = empirical_ntk(network, x1, outputs=OutputLayout.BLOCKS).matrix.reshape(
        n, widths[-1], n, widths[-1]
    )
    per_output = empirical_ntk(network, x1, outputs=OutputLayout.PER_OUTPUT).matrix
    assert torch.allclose(torch.einsum("ncmc->cnm", blocks), per_output, rtol=0, atol=1e-12 * scale)
    assert torch.allclose(per_output.sum(0), full[:n, :n], rtol=0, atol=1e-12 * scale)


def test_large_layers_are_done_in_tiles():
    network = randomise(
        nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(96, 1)).double()
    )
    x = samples(40, 16, 2, 2)
    exact = kernel(network, x)
    for memory in (4e-3, 2.0):
        assert error(empirical_ntk(network, x, memory=memory).matrix, exact) < 1e-12


@pytest.mark.parametrize("case", ["mlp", "images", "lstm", "transformer", "tied"])
def test_the_network_is_left_as_it_was(case):
    build, x, _ = CASES[case]
    network = randomise(build().double()).train()
    if case != "tied":
        next(network.children()).eval()
    y = network(x)
    y.sum().backward()
    modes = [m.training for m in network.modules()]
    state = {k: v.clone() for k, v in network.state_dict().items()}
    versions = {k: v._version for k, v in network.state_dict(keep_vars=True).items()}
    grads = [p.grad for p in network.parameters()]
    values = [g.clone() for g in grads]
    random = torch.get_rng_state()
    hooks = [len(m._forward_hooks) for m in network.modules()]
    with torch.no_grad():
        empirical_ntk(network, x)
    assert not torch.is_inference_mode_enabled()
    assert [m.training for m in network.modules()] == modes
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())
    assert {k: v._version for k, v in network.state_dict(keep_vars=True).items()} == versions
    assert all(
        p.grad is g and torch.equal(g, v) for p, g, v in zip(network.parameters(), grads, values, strict=True)
    )
    assert torch.equal(torch.get_rng_state(), random)
    assert [len(m._forward_hooks) for m in network.modules()] == hooks


def test_the_network_is_left_as_it_was_after_an_error():
    class Breaks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.count = nn.Linear(2, 1), 0
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            if self.calls > 3:
                raise KeyError("gone")
            return self.a(x)

    network = Breaks().train()
    with pytest.raises(KeyError):
        empirical_ntk(network, torch.ones(2, 2))
    assert network.training
    assert network.a.training
    assert network.calls == 0
    assert not network.a._forward_hooks


def test_train_mode_and_evaluation_mode_give_the_same_kernel():
    network = randomise(nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 1)))
    x = samples(6, 5).float()
    assert torch.equal(empirical_ntk(network.train(), x).matrix, empirical_ntk(network.eval(), x).matrix)


def test_inference_mode_outside_does_not_matter():
    network, x = randomise(mlp().double()), samples(6, 5)
    with torch.inference_mode():
        found = empirical_ntk(network, x)
    assert torch.equal(found.matrix, empirical_ntk(network, x).matrix)


def test_a_kernel_stands_for_its_matrix():
    found = empirical_ntk(randomise(mlp().double()), samples(6, 5))
    assert isinstance(found, EmpiricalKernel)
    assert found.shape == (6, 6)
    assert torch.equal(torch.linalg.eigvalsh(found), torch.linalg.eigvalsh(found.matrix))
    assert np.array_equal(np.asarray(found), found.matrix.numpy())
    assert torch.equal(found.matrix - found, torch.zeros(6, 6).double())


def test_complex_parameters_count_both_parts():
    class Waves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([0.3 + 0.2j, -0.5 + 0.9j], dtype=torch.complex128))

        def forward(self, x):
            return torch.exp(1j * x * self.w).real.sum(1)

    network, x = Waves(), samples(5, 1)
    real = torch.view_as_real(network.w.detach())

    def outputs(parts):
        return torch.exp(1j * x * torch.view_as_complex(parts)).real.sum(1)

    j = torch.autograd.functional.jacobian(outputs, real).flatten(1)
    assert error(empirical_ntk(network, x).matrix, j @ j.mT) < 1e-12


@pytest.mark.parametrize(
    ("network", "x", "message"),
    [
        (mlp().requires_grad_(False), torch.ones(3, 5), "parameters that require gradients, got none"),
        (zoo.BatchMean(), torch.eye(5), "depends only on that sample, got a difference"),
        (zoo.AlwaysDrops(), torch.ones(3, 5), "the same outputs for the same samples"),
        (nn.LSTM(5, 4), torch.ones(3, 2, 5), "got tuple; wrap the network"),
        (one_row(), torch.ones(3, 5), "one floating-point output row"),
        (mlp(), torch.ones(0, 5), "x1: expected at least one sample"),
    ],
)
def test_wrong_input_is_named(network, x, message):
    with pytest.raises(InputError, match=message):
        empirical_ntk(network, x)


def test_second_argument_must_fit():
    with pytest.raises(InputError, match=r"x2: expected samples of shape \(5,\) as in x1, got \(4,\)"):
        empirical_ntk(mlp(), torch.ones(3, 5), torch.ones(3, 4))


def test_a_kernel_that_is_not_finite_is_an_error():
    network = mlp()
    x = torch.ones(3, 5)
    x[1, 2] = math.nan
    with pytest.raises(RunError, match="a finite kernel"):
        empirical_ntk(network, x)


@pytest.mark.parametrize("outputs", OutputLayout)
def test_of_many_samples_the_lower_half_is_computed_and_mirrored(outputs):
    network, x = randomise(mlp().double()), samples(601, 5)
    with FlopCounterMode(display=False) as half:
        found = empirical_ntk(network, x, outputs=outputs)
    with FlopCounterMode(display=False) as both:
        whole = empirical_ntk(network, x, x, outputs=outputs)
    assert half.get_total_flops() < 0.75 * both.get_total_flops()
    assert torch.equal(found.matrix, found.matrix.mT)
    assert error(found.matrix, whole.matrix) < 1e-12


def test_layers_without_a_rule_are_named_with_the_route_taken():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)

    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention, self.out = attention, nn.Linear(8, 1)

        def forward(self, x):
            return self.out(self.attention(x, x, x)[0].mean(1))

    found = empirical_ntk(Attends(), torch.randn(4, 5, 8, generator=seeded(0)))
    assert found.fallback["attention"] == ("MultiheadAttention", VECTORISED)
    assert found.notes[0] == (
        "attention (MultiheadAttention) has no layer rule: its gradients were computed by torch.func, many samples "
        "at once."
    )
    assert not empirical_ntk(mlp(), torch.ones(3, 5)).notes


@pytest.mark.parametrize("form", [empirical_ntk, JacobianOperator, FactoredOperator])
def test_samples_that_the_network_does_not_take_are_refused_with_what_it_says(form):
    with pytest.raises(
        InputError, match=r"expected samples that the network accepts, got shape \(\d, 5\) of torch.float64"
    ):
        form(mlp(), samples(3, 5))
    with pytest.raises(InputError, match=r"which cause the error: mat1 and mat2 shapes cannot be multiplied"):
        form(mlp(), torch.ones(3, 4))
    with pytest.raises(InputError, match="expected a tensor of samples, got list"):
        form(mlp(), [[1.0] * 5])
    with pytest.raises(InputError, match=r"on one device, got 0\.weight on cpu, the samples on meta"):
        form(mlp(), torch.ones(3, 5, device="meta"))


def test_a_network_that_needs_others_in_the_batch_is_refused():
    normed = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 1))
    with pytest.raises(
        InputError, match="expected a network that accepts a single sample, got the error: Expected more"
    ):
        empirical_ntk(normed, torch.ones(3, 5))
