"""Kernels of networks that do something else with samples that were not looked at beforehand."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from overtone.errors import InputError
from overtone.theory import ntk
from overtone.theory.ntk import empirical_ntk
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.sources import JacobianMethod
from overtone.theory.ntk._empirical.verification import check_groups
from overtone.theory.ntk._operators.network import FactoredOperator, JacobianOperator
from tests.theory.ntk import uneven, zoo
from tests.theory.ntk.slow import error, randomise, seeded

EXACT = 1e-10
"""Sums of some hundred terms in float64 through at most ten layers, with factors of at most ten a layer."""


def samples(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def words() -> Tensor:
    return torch.randint(0, 9, (13, 6), generator=seeded(3))


def check(network: nn.Module, x: Tensor) -> ntk.Kernel:
    """All exact forms against plain backward passes; the network is as before."""
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    found = empirical_ntk(network, x, outputs=OutputLayout.BLOCKS)
    corner = empirical_ntk(network, x[:2], x[len(x) // 2 :]).matrix
    vector = torch.randn(len(found.matrix), generator=seeded(2)).to(found.matrix)
    products = [
        form @ vector
        for form in (
            JacobianOperator(network, x),
            JacobianOperator(network, x, chunk=4),
            FactoredOperator(network, x),
        )
    ]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in network.parameters())
    rows = uneven.jacobian(network, x)
    exact = rows @ rows.mT
    scale = exact.abs().max().clamp_min(torch.finfo(exact.dtype).tiny)
    assert float((found.matrix - exact).abs().max() / scale) < EXACT
    per = len(exact) // len(x)
    traces = exact.unflatten(1, (-1, per)).unflatten(0, (-1, per)).diagonal(dim1=1, dim2=3).sum(-1)
    assert float((corner - traces[:2, len(x) // 2 :]).abs().max() / scale) < EXACT * per
    for product in products:
        assert float((product - exact @ vector).abs().max() / scale) < EXACT * len(exact)
    return found


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(st.sampled_from(uneven.STEPS), min_size=1, max_size=3),
    threshold=st.sampled_from([-0.3, 0.8, 1.5]),
    n=st.integers(4, 40),
    seed=st.integers(0, 2**31),
)
def test_generated_networks_agree_with_plain_backward_passes(steps, threshold, n, seed):
    body = [step(lambda h: h[:, 0] > threshold) for step in steps]
    network = randomise(nn.Sequential(nn.Linear(3, 4), *body, nn.Linear(4, 2)).double(), seed)
    check(network, samples(n, 3, seed=seed))


TABLES = {
    "scaled by frequency": lambda: nn.Embedding(9, 4, scale_grad_by_freq=True),
    "largest norm": lambda: nn.Embedding(9, 4, max_norm=0.5),
    "sparse": lambda: nn.Embedding(9, 4, sparse=True, padding_idx=1),
}
BAGS = {
    "sum": lambda: nn.EmbeddingBag(9, 4, mode="sum", sparse=True, padding_idx=2),
    "mean": lambda: nn.EmbeddingBag(9, 4, mode="mean", scale_grad_by_freq=True),
    "max": lambda: nn.EmbeddingBag(9, 4, mode="max"),
    "sum of largest norm": lambda: nn.EmbeddingBag(9, 4, mode="sum", max_norm=0.7),
}
LONE = {
    "packed": (lambda: uneven.Packed(nn.LSTM, False), samples(9, 5)),
    "packed steps through a layer": (lambda: uneven.Packed(nn.GRU, True), samples(9, 5)),
    "trimmed": (uneven.Trimmed, samples(12, 6)),
    "turned round once": (uneven.TurnedRound, samples(9, 4)),
    "means back": (uneven.MeansBack, samples(9, 4)),
    "unused": (uneven.Unused, samples(9, 4)),
    "complex": (uneven.Waves, samples(9, 4)),
    "recurrent, one step": (lambda: zoo.Recurrent(nn.LSTM), samples(5, 1, 3)),
}
CASES = {
    **{f"table {name}": (lambda b=build: uneven.Words(b()), words()) for name, build in TABLES.items()},
    **{f"bag {name}": (lambda b=build: uneven.Words(b()), words()) for name, build in BAGS.items()},
    **{
        f"bag {name}, offsets": (lambda b=build: uneven.Words(b(), offsets=True), words())
        for name, build in BAGS.items()
    },
    **LONE,
}


@pytest.mark.parametrize("case", CASES)
def test_odd_networks_agree_with_plain_backward_passes(case):
    build, x = CASES[case]
    check(randomise(build().double()), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "step", [uneven.BesidesForSome, uneven.TwiceForSome, uneven.Routed, uneven.DetachedForSome]
)
def test_one_sample_of_many_that_is_treated_otherwise_is_seen(step, dtype):
    body = step(lambda h: h[:, 0] > 2)
    network = randomise(nn.Sequential(nn.Identity(), body, nn.Linear(4, 1)).to(dtype))
    x = (0.3 * samples(600, 4)).to(dtype)
    x[:, 0].clamp_(max=1)
    x[211, 0] = 3
    some = torch.arange(200, 220)
    rows = uneven.jacobian(copy.deepcopy(network).double(), x[some].double())
    found = empirical_ntk(network, x).matrix[200:220, 200:220]
    # Single precision: sums of some tens of terms through four layers.
    assert error(found.double(), rows @ rows.mT) < (1e-4 if dtype is torch.float32 else EXACT)


def test_layers_that_only_some_samples_use_otherwise_are_named():
    body = uneven.TwiceForSome(lambda h: h[:, 0] > 1)
    network = randomise(nn.Sequential(body, nn.Linear(4, 1)).double())
    x = samples(9, 4)
    x[:, 0] = 0
    x[2, 0] = 2
    found = empirical_ntk(network, x)
    assert found.fallback == {"0.a": ("Linear", JacobianMethod.SAMPLES)}
    assert found.notes == (
        "0.a (Linear) is used in a way that its layer rule does not cover: its gradients were computed "
        "one sample at a time.",
    )


def test_parameters_without_gradients_are_named_and_cost_nothing():
    network = randomise(uneven.Unused().double())
    found = empirical_ntk(network, samples(9, 4), memory=1e-3)
    assert found.zero_gradient == ("bare", "never.weight", "never.bias", "vain.weight", "vain.bias")
    assert found.notes == ("bare and 4 more had no gradient for any of the samples.",)
    with torch.no_grad():
        network.never.weight.fill_(0.0)
    frozen = nn.Sequential(uneven.WithoutGradient(lambda h: h[:, 0] > 0).double())
    assert empirical_ntk(frozen, samples(5, 4)).zero_gradient == ("0.a.weight", "0.a.bias")


def everyone(h: Tensor) -> Tensor:
    return h + 0.1 * (h.detach().abs().amax() > 0.9)


def neighbours(h: Tensor) -> Tensor:
    chosen = (h[:, 0] > 0.5).nonzero()[:, 0]
    return h.index_put((chosen,), h[chosen] - h[chosen].detach().mean(0)) if len(chosen) > 1 else h


def room(h: Tensor) -> Tensor:
    """Experts that have room for half of the samples, the first ones that ask."""
    wants = h[:, 0] > 0
    return h * (~wants | (wants.cumsum(0) <= len(h) / 4))[:, None]


MIXES = {
    "sums of those before": lambda h: h.cumsum(0),
    "differences to the mean": lambda h: h - h.mean(0),
    "differences to a mean that is not differentiated": lambda h: h + h.detach().mean(0),
    "attention among samples": lambda h: (h @ h.mT).softmax(-1) @ h,
    "ranks": lambda h: h + 0.1 * h[:, :1].detach().argsort(0).argsort(0),
    "the largest of the batch": everyone,
    "few of the samples": neighbours,
    "no room for the last": room,
    "normalised by the batch": lambda h: nn.functional.batch_norm(h, None, None, training=True),
}


@pytest.mark.parametrize("form", [empirical_ntk, JacobianOperator, FactoredOperator])
@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("mix", MIXES)
def test_networks_whose_samples_affect_each_other_are_refused(mix, n, form):
    network = randomise(uneven.Mixes(MIXES[mix]).double())
    with pytest.raises(
        InputError,
        match=r"output for a sample depends only on that sample|accepts a single sample|samples that the net",
    ):
        form(network, samples(n, 4))


def test_groups_cover_all_samples_and_are_never_the_whole():
    for total, count in ((1, 1), (2, 2), (20, 20), (20, 7), (40, 40), (5000, 33), (5000, 5000)):
        for dtype in (torch.float16, torch.float32, torch.float64):
            found = check_groups(count, dtype, total)
            assert [i for each in found for i in range(each.start, each.stop)] == list(range(count))
            assert count == 1 or len(found) > 1
            assert total > 32 or len(found) == count


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "follow", [torch.jit.script, lambda m: torch.jit.trace(m, samples(2, 4)), torch.fx.symbolic_trace]
)
def test_networks_that_were_compiled_in_advance(follow):
    network = randomise(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double())
    rows, x = uneven.jacobian(network, samples(7, 4)), samples(7, 4)
    exact = (rows @ rows.mT)[:, 3]
    assert error(empirical_ntk(follow(network), x, outputs=OutputLayout.BLOCKS).matrix[:, 3], exact) < EXACT
    assert error(FactoredOperator(follow(network), x) @ torch.eye(14, dtype=torch.float64)[3], exact) < EXACT


def test_single_outputs_without_the_axis_of_samples():
    class Squeezed(nn.Linear):
        def forward(self, x):
            return super().forward(x).squeeze()

    network = randomise(Squeezed(4, 1).double())
    check(network, samples(7, 4))
    check(network, samples(1, 4))
    with pytest.raises(InputError, match="as many outputs for a single sample as for several, got 2 and 1"):
        empirical_ntk(nn.Sequential(nn.Linear(4, 2), Halved()).double(), samples(7, 4))


class Halved(nn.Module):
    """Half of the outputs, but for single samples."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1] if len(x) > 1 else x


def test_gradients_that_were_there_stay_with_checkpoints():
    network = randomise(uneven.Reentrant(lambda h: h[:, 0] > 0).double())
    x = samples(6, 4)
    network(x.clone().requires_grad_()).sum().backward()
    before = [p.grad.clone() for p in network.parameters()]
    kept = [p.grad for p in network.parameters()]
    empirical_ntk(network, x)
    for p, grad, value in zip(network.parameters(), kept, before, strict=True):
        assert p.grad is grad
        assert torch.equal(p.grad, value)


def test_checkpoints_with_steps_in_the_backward_pass_are_refused_with_advice_that_works():
    network = randomise(uneven.Reentrant(lambda h: h[:, 0] > 0).double())
    handle = network.b.weight.register_post_accumulate_grad_hook(lambda p: p.data.zero_())
    before = network.b.weight.clone()
    with pytest.raises(InputError, match="or remove the hooks"):
        empirical_ntk(network, samples(6, 4))
    assert torch.equal(network.b.weight, before)
    handle.remove()
    check(network, samples(6, 4))


def test_networks_that_cannot_be_differentiated_are_refused_with_advice_that_works():
    with torch.inference_mode():
        made = nn.Linear(3, 1)
    with pytest.raises(InputError, match=r"got weight, which was created in inference mode; make or load"):
        empirical_ntk(made, torch.ones(4, 3))
    lazy = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 1))
    with pytest.raises(InputError, match=r"got 0\.weight, which has no size yet; call the network once"):
        empirical_ntk(lazy, torch.ones(4, 2))
    lazy(torch.ones(4, 2)[:1])
    assert empirical_ntk(lazy, torch.ones(4, 2)).shape == (4, 4)
    with torch.inference_mode():
        x = samples(4, 4)
    network = randomise(uneven.TurnedRound().double())
    assert torch.equal(empirical_ntk(network, x).matrix, empirical_ntk(network, samples(4, 4)).matrix)
    assert torch.equal(
        JacobianOperator(network, x) @ torch.ones(8), JacobianOperator(network, samples(4, 4)) @ torch.ones(8)
    )
